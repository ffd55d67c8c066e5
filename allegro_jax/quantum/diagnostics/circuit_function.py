"""What a diagnosis needs to know of a circuit: a function, and its state where there is one.

Every diagnosis works on `CircuitFunction`, so that the circuits of this project, QNodes of a user
and plain functions (a classical control, a whole readout) are examined by the same code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.quantum.circuits import QDICircuit, qdi_qnode
from allegro_jax.quantum.pennylane_compat import import_pennylane, pennylane_settings
from allegro_jax.quantum.registry import UserCircuit


@dataclass(frozen=True, eq=False)
class CircuitFunction:
    """A differentiable function of features and weights, perhaps that of a quantum circuit.

    Attributes:
        outputs: `f(features [n_features], weights [weight_shape]) -> [n_outputs]`, traceable by
            JAX.
        n_features: length of the feature vector.
        weight_shape: shape of the weights.
        state: `f(features, weights) -> complex [2**n_qubits]`, the state just before all qubits are
            read, in the basis in which they are read; None for a function that is no circuit.
        eigenvalues: what every joint outcome contributes to every output,
            outputs = eigenvalues @ |state|²; None for a function that is no circuit.
        qnode: what `state` was made from; None for a function that is no circuit.

    Example:
        >>> import jax.numpy as jnp
        >>> sine = CircuitFunction(lambda x, w: jnp.sin(w @ x)[None], 2, (2,))
        >>> sine.n_weights
        2
    """

    outputs: Callable[[Array, Array], Array]
    n_features: int
    weight_shape: tuple[int, ...]
    state: Callable[[Array, Array], Array] | None = None
    eigenvalues: Float[np.ndarray, "outputs outcomes"] | None = None
    qnode: Callable[..., Any] | None = None

    @property
    def n_weights(self) -> int:
        """Number of trainable weights."""
        return int(np.prod(self.weight_shape))

    @property
    def n_qubits(self) -> int:
        """Number of qubits.

        Raises:
            ValueError: This is a plain function.
        """
        _, eigenvalues = self.require_state("a number of qubits")
        return int(eigenvalues.shape[1]).bit_length() - 1

    def require_qnode(self, purpose: str) -> Callable[..., Any]:
        """Returns the QNode.

        Raises:
            ValueError: This is a plain function.
        """
        if self.qnode is None:
            raise ValueError(
                f"{purpose} needs a quantum circuit, got a plain function; make the "
                "CircuitFunction of a QNode with `of_qnode`"
            )
        return self.qnode

    def require_state(
        self, purpose: str
    ) -> tuple[Callable[[Array, Array], Array], Float[np.ndarray, "outputs outcomes"]]:
        """Returns `state` and `eigenvalues`.

        Raises:
            ValueError: This is a plain function.
        """
        self.require_qnode(purpose)
        assert self.state is not None
        assert self.eigenvalues is not None
        return self.state, self.eigenvalues


def of_qnode(
    qnode: Callable[..., Any], n_features: int, weight_shape: tuple[int, ...]
) -> CircuitFunction:
    """Takes a QNode `qnode(features, weights)` that returns expectation values of Pauli words.

    Args:
        qnode: built with the JAX interface on `default.qubit`.
        n_features: length of the feature vector.
        weight_shape: shape of the weights.

    Raises:
        ValueError: It returns something else, or Pauli words that cannot be read together.

    Example:
        >>> import pennylane as qml
        >>> @qml.qnode(qml.device("default.qubit", wires=1), interface="jax")
        ... def qnode(features, weights):
        ...     qml.RX(weights[0], wires=0)
        ...     qml.RZ(features[0], wires=0)
        ...     return qml.expval(qml.PauliY(0))
        >>> of_qnode(qnode, n_features=1, weight_shape=(1,)).n_weights
        1
    """
    tape = circuit_tape(qnode, np.zeros(n_features), np.zeros(weight_shape))
    check_measurements(tape)
    eigenvalues = measured_eigenvalues(tape, wires_of(qnode, tape))
    state = measured_state(qnode)

    def outputs(features: Array, weights: Array) -> Array:
        amplitudes = state(features, weights)
        return jnp.asarray(eigenvalues) @ (amplitudes.real**2 + amplitudes.imag**2)

    return CircuitFunction(outputs, n_features, tuple(weight_shape), state, eigenvalues, qnode)


@functools.lru_cache(maxsize=64)
def of_qdi(circuit: QDICircuit) -> CircuitFunction:
    """Takes a circuit of this project, as the QNode it stands for.

    Example:
        >>> of_qdi(QDICircuit(n_features=4)).n_weights
        24
    """
    return of_qnode(qdi_qnode(circuit), circuit.n_features, circuit.weight_shape)


@functools.lru_cache(maxsize=64)
def of_circuit(circuit: QDICircuit | UserCircuit) -> CircuitFunction:
    """Takes a circuit of this project, or one that was registered.

    Raises:
        ValueError: A registered circuit returns something else than a list of expectation values
            of Pauli words that can be read together.
    """
    if isinstance(circuit, QDICircuit):
        return of_qdi(circuit)
    inputs = jnp.zeros(circuit.n_features), jnp.zeros(circuit.weight_shape)
    with pennylane_settings(jnp.float32):
        returned = jax.eval_shape(circuit.qnode, *inputs)
    rows = returned if isinstance(returned, list | tuple) else [returned]
    if not jax.tree_util.all_leaves(rows):
        raise ValueError(
            f"expected {circuit.name!r} to return a list of expectation values, got them in "
            f"{jax.tree.structure(returned)}; return a list"
        )
    return of_qnode(circuit.qnode, circuit.n_features, circuit.weight_shape)


def circuit_tape(qnode: Callable[..., Any], features: Any, weights: Any) -> Any:
    """The gates and measurements of a QNode for one set of features and weights."""
    return import_pennylane().workflow.construct_tape(qnode, level="top")(features, weights)


def check_measurements(tape: Any) -> None:
    """Raises a ValueError unless a circuit reads Pauli words that are measured together."""
    qml = import_pennylane()
    for measurement in tape.measurements:
        observable = measurement.obs
        expectation = isinstance(measurement, qml.measurements.ExpectationMP)
        if not expectation or not qml.pauli.is_pauli_word(observable):
            raise ValueError(
                "expected a circuit that returns expectation values of Pauli words "
                f"(qml.expval(qml.PauliZ(0)), ...), got {measurement}; return those"
            )
    if not qml.pauli.are_pauli_words_qwc([measurement.obs for measurement in tape.measurements]):
        raise ValueError(
            "expected Pauli words that can be read together, qubit by qubit, got "
            f"{[str(m.obs) for m in tape.measurements]}; split the circuit in two"
        )


def reading_gates(tape: Any) -> list[Any]:
    """The gates that turn the basis of the measured Pauli words into the computational one."""
    qml = import_pennylane()
    return list(qml.pauli.diagonalize_qwc_pauli_words([m.obs for m in tape.measurements])[0])


def measured_state(qnode: Callable[..., Any]) -> Callable[[Array, Array], Array]:
    """The state of a QNode in the basis in which its qubits are read.

    The changes of basis act on single qubits and do not depend on the weights, so neither
    entanglement nor the quantum Fisher information know of them.
    """
    qml = import_pennylane()

    @qml.transform
    def to_state(tape: Any) -> tuple[list[Any], Callable[..., Any]]:
        gates = [*tape.operations, *reading_gates(tape)]
        return [tape.copy(operations=gates, measurements=[qml.state()])], lambda results: results[0]

    transformed = to_state(qnode)

    def state(features: Array, weights: Array) -> Array:
        (amplitudes,) = jax.tree.leaves(transformed(features, weights))  # in a list, if of one
        return amplitudes

    return state


def wires_of(qnode: Any, tape: Any) -> list[Any]:
    """All qubits of a circuit, in the order in which they make up its state."""
    return list(qnode.device.wires or tape.wires)


def measured_eigenvalues(tape: Any, wires: list[Any]) -> Float[np.ndarray, "outputs outcomes"]:
    """What every joint outcome of all qubits contributes to every measured Pauli word: ±1."""
    bits = np.arange(2 ** len(wires)) >> np.arange(len(wires))[::-1, None] & 1
    rows = [bits[[wires.index(wire) for wire in m.obs.wires]].sum(0) for m in tape.measurements]
    return 1.0 - 2.0 * (np.array(rows) % 2)


def evaluate_many(function: Callable[..., Any], *arrays: Any, chunk: int = 256) -> Any:
    """Maps a function over the first axis of arrays, in float64, and returns numpy arrays.

    Compiled once for a function and a number of rows, on a CPU without optimisation: a program that
    runs for a second does not earn back the time that the compiler would take.

    Args:
        function: of one row of each array.
        arrays: with equal first axes, of at least one row.
        chunk: rows in memory at a time.
    """
    rows = len(arrays[0])
    size = min(chunk, rows)
    indices = np.arange(-(-rows // size) * size) % rows
    with pennylane_settings(jnp.float64):
        given = [np.asarray(array, np.float64) for array in arrays]
        parts = [[array[part] for array in given] for part in indices.reshape(-1, size)]
        results = [jax.tree.map(np.asarray, _batched(function)(*part)) for part in parts]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:rows], *results)


@functools.lru_cache(maxsize=64)
def _batched(function: Callable[..., Any]) -> Callable[..., Any]:
    on_cpu = jax.default_backend() == "cpu"
    options: Any = {"xla_backend_optimization_level": 0} if on_cpu else None
    return jax.jit(jax.vmap(function), compiler_options=options)
