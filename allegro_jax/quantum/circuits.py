"""The quantum depth-infused (QDI) circuit as a PennyLane QNode.

Gate by gate, on n qubits in |0...0>, with E = n_features / n_qubits encodings (arXiv:2602.16908,
Figs. 1 and 3a)::

    block(W[0])
    for e = 0 .. E-1:
        R(x[e n + q]) on every qubit q        R = RZ in the paper (``rotation``)
        block(W[e + 1])
    out[q] = <P_q>                            P = Y in the paper (``measure``)

A block has ``depth`` layers, each one of

* ``"strong"``: Rot(a, b, c) = RZ(a), RY(b), RZ(c) on every qubit, then CNOT(q -> q + r mod n) with
  r = (layer mod (n - 1)) + 1 (:class:`pennylane.StronglyEntanglingLayers`); 3 n weights;
* ``"basic"``: RX on every qubit, then the CNOT ring q -> q + 1 mod n, for two qubits 0 -> 1 alone
  (:class:`pennylane.BasicEntanglerLayers`); n weights.

What is measured is every qubit (``measurement_mode="none"``), the qubits 0, 2, 4, ... (``"even"``),
or qubit 0 alone after CNOTs from all others onto it (``"single"``). The vendor's interface has
these modes, but does not say where the CNOTs of ``"single"`` are; ours make the output the
expectation of P_0 Z_1 ... Z_{n-1} for P = Y or Z, in which every qubit takes part, while X_0 stays
X_0.

Known properties of the paper's circuit (strong, RZ, one encoding, depth 1): the first RZ of every
qubit acts on |0>, so the weights w1, w4, w7 and w10 of Fig. 3a have zero gradient (to rounding)
whatever is measured; the output is periodic in every feature (2 pi) and bounded by 1.

Memory: one state holds 2**n_qubits amplitudes of 8 bytes (16 in float64) per edge: 1.3 MB for
10,000 edges on 4 qubits, 20 MB on 8. The derivatives keep about one state per gate (n_weights
and upwards), and everything grows in proportion to the number of edges.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.quantum.pennylane_compat import import_pennylane, pennylane_settings

ENTANGLING = ("strong", "basic")
AXES = ("X", "Y", "Z")
MEASUREMENT_MODES = ("none", "even", "single")


@dataclass(frozen=True)
class QDICircuit:
    """A QDI circuit, hashed by value.

    Attributes:
        n_features: Length of the feature vector, a multiple of ``n_qubits``.
        n_qubits: Number of qubits n.
        depth: Entangling layers in each of the E + 1 trainable blocks.
        entangling: ``"strong"`` (three weights per qubit and layer) or ``"basic"`` (one).
        rotation: Axis of the encoding rotations: ``"X"``, ``"Y"`` or ``"Z"`` (the paper's).
        measure: Pauli operator that is read: ``"X"``, ``"Y"`` (the paper's) or ``"Z"``.
        ranges: Distance r of the CNOTs in each layer of a strong block, ``depth`` integers; None
            for PennyLane's, r = (layer mod (n - 1)) + 1.
        measurement_mode: Qubits that are read: ``"none"`` (all, no mode), ``"even"``, ``"single"``.

    Raises:
        ValueError: A value is out of range, or the features do not fill the qubits evenly.

    Example:
        >>> circuit = QDICircuit(n_features=4, n_qubits=4, depth=1)
        >>> circuit.weight_shape, circuit.n_weights
        ((2, 1, 4, 3), 24)
    """

    n_features: int
    n_qubits: int = 4
    depth: int = 1
    entangling: str = "strong"
    rotation: str = "Z"
    measure: str = "Y"
    ranges: tuple[int, ...] | None = None
    measurement_mode: str = "none"

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_ranges()
        if self.n_features % self.n_qubits:
            raise ValueError(self._misfit())

    def _check_choices(self) -> None:
        for name in ("n_features", "n_qubits", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"a QDI circuit needs {name} >= 1, got {name}={getattr(self, name)}"
                )
        choices = {
            "entangling": ENTANGLING,
            "rotation": AXES,
            "measure": AXES,
            "measurement_mode": MEASUREMENT_MODES,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"QDI {name} must be one of {', '.join(map(repr, allowed))}, "
                    f"got {getattr(self, name)!r}"
                )

    def _check_ranges(self) -> None:
        if self.ranges is None:
            return
        object.__setattr__(self, "ranges", tuple(self.ranges))
        ok = self.entangling == "strong" and len(self.ranges) == self.depth
        if not ok or any(r % self.n_qubits == 0 for r in self.ranges):
            raise ValueError(
                f"QDI ranges are for strong entangling, one per layer (depth={self.depth}), and no "
                f"multiple of n_qubits={self.n_qubits}; got {self.ranges} with "
                f"entangling={self.entangling!r}"
            )

    def _misfit(self) -> str:
        """Say which numbers of features and of qubits would fit."""
        below = self.n_features // self.n_qubits * self.n_qubits
        features = [str(n) for n in (below, below + self.n_qubits) if n]
        qubits = [str(n) for n in range(1, 11) if self.n_features % n == 0]
        return (
            f"QDI features must be a multiple of n_qubits, got {self.n_features} features for "
            f"{self.n_qubits} qubits; use {' or '.join(features)} features, or "
            f"n_qubits in {{{', '.join(qubits)}}}"
        )

    @property
    def n_encodings(self) -> int:
        """Number E of encoding layers, each taking the next ``n_qubits`` features."""
        return self.n_features // self.n_qubits

    @property
    def measured(self) -> tuple[int, ...]:
        """The qubits that are read."""
        qubits = {"none": range(self.n_qubits), "even": range(0, self.n_qubits, 2)}
        return tuple(qubits.get(self.measurement_mode, range(1)))

    @property
    def n_outputs(self) -> int:
        """Number of expectation values."""
        return len(self.measured)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights: ``[E + 1, depth, n_qubits(, 3 if strong)]``."""
        shape = (self.n_encodings + 1, self.depth, self.n_qubits)
        return (*shape, 3) if self.entangling == "strong" else shape

    @property
    def n_weights(self) -> int:
        """Number of trainable angles."""
        angles = 3 if self.entangling == "strong" else 1
        return (self.n_encodings + 1) * self.depth * self.n_qubits * angles


def trainable_block(circuit: QDICircuit) -> Callable[..., Any]:
    """The PennyLane template of a trainable block: ``template(weights [depth, ...], wires)``."""
    qml = import_pennylane()
    if circuit.entangling == "basic":
        return qml.BasicEntanglerLayers
    return functools.partial(qml.StronglyEntanglingLayers, ranges=circuit.ranges)


def entangling_cnots(circuit: QDICircuit, layer: int) -> list[tuple[int, int]]:
    """Control and target of the CNOTs of a layer, as the templates have them."""
    n = circuit.n_qubits
    if n == 1:
        return []
    if circuit.entangling == "basic":
        return [(q, (q + 1) % n) for q in range(n if n > 2 else 1)]
    r = circuit.ranges[layer] if circuit.ranges else layer % (n - 1) + 1
    return [(q, (q + r) % n) for q in range(n)]


def closing_cnots(circuit: QDICircuit) -> list[tuple[int, int]]:
    """Control and target of the CNOTs between the last block and the measurement."""
    single = circuit.measurement_mode == "single"
    return [(qubit, 0) for qubit in range(1, circuit.n_qubits)] if single else []


@functools.lru_cache(maxsize=64)
def qdi_qnode(circuit: QDICircuit) -> Callable[[Array, Array], list[Array]]:
    """The circuit as a QNode of one edge, built once for each value of ``circuit``.

    Args:
        circuit: What to build.

    Returns:
        ``qnode(features [n_features], weights [weight_shape])`` -> list of n_outputs scalars. Call
        it inside :func:`pennylane_settings`, as :func:`qdi_expectations` does; ask it directly
        for drawings (``pennylane.draw(qnode)``).
    """
    qml = import_pennylane()
    wires = range(circuit.n_qubits)
    encode = {"X": qml.RX, "Y": qml.RY, "Z": qml.RZ}[circuit.rotation]
    pauli = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}[circuit.measure]
    block = trainable_block(circuit)

    # Backpropagation is the one method of PennyLane that can be differentiated twice under jit,
    # which training on forces needs (the adjoint method is a pure callback without derivatives).
    @qml.qnode(qml.device("default.qubit", wires=wires), interface="jax", diff_method="backprop")
    def qnode(features: Array, weights: Array) -> list[Array]:
        block(weights[0], wires=wires)
        for e in range(circuit.n_encodings):
            for q in wires:
                encode(features[e * circuit.n_qubits + q], wires=q)
            block(weights[e + 1], wires=wires)
        for cnot in closing_cnots(circuit):
            qml.CNOT(wires=cnot)
        return [qml.expval(pauli(q)) for q in circuit.measured]

    return qnode


def check_shapes(
    features: Float[Array, "edges features"], weights: Float[Array, "*shape"], circuit: QDICircuit
) -> None:
    """Raises a ValueError that says what was expected if inputs do not fit a circuit."""
    if features.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"expected float32 or float64 features, got {features.dtype}; cast them")
    if features.ndim != 2 or features.shape[1] != circuit.n_features:
        raise ValueError(
            f"expected features of shape [edges, {circuit.n_features}], got {features.shape}"
        )
    if weights.shape != circuit.weight_shape:
        raise ValueError(
            f"expected weights of shape {circuit.weight_shape} for {circuit}, got {weights.shape}"
        )


def qdi_expectations(
    features: Float[Array, "edges features"], weights: Float[Array, "*shape"], circuit: QDICircuit
) -> Float[Array, "edges outputs"]:
    """Expectation values <P_q> of the QDI circuit on every edge.

    Runs in complex64, or in complex128 for float64 features. Compiled; works inside jit and vmap
    and under repeated differentiation.

    Args:
        features: Rotation angles in radians, ``[edges, n_features]``, float32 or float64.
        weights: Trainable angles in radians, ``circuit.weight_shape``.
        circuit: The circuit.

    Returns:
        Values in [-1, 1], ``[edges, n_outputs]``, in the dtype of ``features``.

    Raises:
        ValueError: A shape does not fit the circuit, or features of another dtype.

    Example:
        >>> import jax.numpy as jnp
        >>> circuit = QDICircuit(n_features=4)
        >>> qdi_expectations(jnp.zeros((10, 4)), jnp.ones(circuit.weight_shape), circuit).shape
        (10, 4)
    """
    features = jnp.asarray(features)
    check_shapes(features, weights, circuit)
    return _mapped_over_edges(features, jnp.asarray(weights, features.dtype), circuit)


@functools.partial(jax.jit, static_argnames="circuit")
def _mapped_over_edges(features: Array, weights: Array, circuit: QDICircuit) -> Array:
    """The QNode under vmap.

    Compiled even where the caller is not: PennyLane would otherwise launch hundreds of operations
    one by one, and JAX would mix up its numpy constants between 32-bit and 64-bit programs.
    """
    qnode = qdi_qnode(circuit)

    def one_edge(x: Array) -> Array:
        return jnp.stack(qnode(x, weights))

    with pennylane_settings(features.dtype):
        # PennyLane's own broadcasting compiles and runs in the same time as vmap (measured).
        return jax.vmap(one_edge)(features)
