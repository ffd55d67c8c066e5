"""Readings of a circuit on imperfect hardware: finite shots and depolarising gates.

Derivatives of readings: sampled outcomes have none, so ∂<P>/∂x comes from the parameter-shift rule,
∂f/∂x = Σ_s c_s f(x + s), which is exact for every number of shots on average, and also under noise
that does not depend on the angles (Mitarai et al. 2018; Schuld et al. 2019; for several
frequencies Wierichs et al. 2022). Every shifted circuit is measured with its own shots, as a
device would have to. Coefficients and shifts are PennyLane's
(`qml.gradients.generate_shift_rule`).

Noise: after every gate on one qubit a `qml.DepolarizingChannel(one_qubit)`, after a gate on more
qubits one on each of them with the rate `two_qubit`, simulated by `default.mixed`. A `Rot` counts
as one gate. Errors of preparation and of reading are left out, and the gates that change the basis
before the qubits are read count as part of reading.

Shots: the device gives the probabilities of the joint outcomes, of which `shots` are drawn. This is
what the device does itself when asked for shots; but `default.mixed` with shots cannot be compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.quantum.diagnostics.circuit_function import (
    CircuitFunction,
    circuit_tape,
    evaluate_many,
    reading_gates,
    wires_of,
)
from allegro_jax.quantum.diagnostics.fourier import encoded_spectra
from allegro_jax.quantum.pennylane_compat import import_pennylane

FULL = 0.75
"""Rate at which the channel of PennyLane leaves nothing of the state of a qubit."""

GATES = frozenset(
    {"RX", "RY", "RZ", "Rot", "PhaseShift", "Hadamard", "PauliX", "PauliY", "PauliZ", "S", "T"}
    | {"CNOT", "CZ", "SWAP", "Toffoli", "CRX", "CRY", "CRZ"}
)
"""Gates that a device runs; templates are taken apart into these."""


@dataclass(frozen=True)
class Hardware:
    """What a device does to a circuit; the default is exact.

    Attributes:
        shots: repetitions of every circuit; None for exact probabilities.
        one_qubit: depolarising rate after gates on one qubit, 0 to 0.75 (nothing is left).
        two_qubit: rate on each qubit after gates on several.

    Raises:
        ValueError: A value is out of range.
    """

    shots: int | None = None
    one_qubit: float = 0.0
    two_qubit: float = 0.0

    def __post_init__(self) -> None:
        if self.shots is not None and self.shots < 1:
            raise ValueError(f"expected shots >= 1, or None for exact values, got {self.shots}")
        for name in ("one_qubit", "two_qubit"):
            if not 0.0 <= getattr(self, name) <= FULL:
                raise ValueError(
                    f"expected a depolarising rate {name} in [0, {FULL}], where {FULL} leaves "
                    f"nothing of the state, got {getattr(self, name)}"
                )

    @property
    def is_noisy(self) -> bool:
        """Whether a density matrix is needed."""
        return self.one_qubit > 0.0 or self.two_qubit > 0.0


@dataclass(frozen=True, eq=False)
class Readings:
    """What a device measured.

    Attributes:
        values: outputs of the circuit.
        jacobians: their derivatives by the features.
        circuits: circuits run for every edge, each with all its shots.
    """

    values: Float[np.ndarray, "edges outputs"]
    jacobians: Float[np.ndarray, "edges outputs features"]
    circuits: int


def measure_on(
    hardware: Hardware,
    circuit: CircuitFunction,
    features: Float[np.ndarray, "edges features"],
    weights: Float[np.ndarray, "*shape"],
    seed: int = 0,
) -> Readings:
    """Measures outputs and their derivatives by the features, edge by edge.

    Args:
        hardware: shots and noise.
        circuit: made of a QNode.
        features: one row for every edge.
        weights: shared by all edges.
        seed: of the shots.

    Raises:
        ValueError: No circuit, or features of another shape.

    Example:
        >>> import numpy as np
        >>> from allegro_jax.quantum.circuits import QDICircuit
        >>> from allegro_jax.quantum.diagnostics import of_qdi
        >>> circuit = of_qdi(QDICircuit(2, 2))
        >>> readings = measure_on(Hardware(100), circuit, np.ones((5, 2)), np.ones((2, 1, 2, 3)))
        >>> readings.jacobians.shape, readings.circuits
        ((5, 2, 2), 5)
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or features.shape[1] != circuit.n_features or not len(features):
        raise ValueError(
            f"expected features of shape [edges, {circuit.n_features}] and at least one edge, "
            f"got {features.shape}"
        )
    weights = np.asarray(weights, np.float64).reshape(circuit.weight_shape)
    shifts, coefficients = shift_rule(circuit, weights)
    points = features[:, None, :] + shifts
    outcomes = outcome_probabilities(circuit, hardware)
    points_of_all = points.reshape(-1, circuit.n_features)
    every_w = np.broadcast_to(weights, (len(points_of_all), *weights.shape))
    probabilities = evaluate_many(outcomes, points_of_all, every_w)
    shares = _drawn(probabilities, hardware.shots, np.random.default_rng(seed))
    _, eigenvalues = circuit.require_state("hardware")
    outputs = (shares @ eigenvalues.T).reshape(*points.shape[:2], -1)
    jacobians = np.einsum("fs,eso->eof", coefficients, outputs)
    return Readings(outputs[:, 0], jacobians, points.shape[1])


@functools.lru_cache(maxsize=64)
def outcome_probabilities(
    circuit: CircuitFunction, hardware: Hardware
) -> Callable[[Array, Array], Array]:
    """Probabilities of the joint outcomes of all qubits, before any are drawn.

    Returns:
        `f(features, weights) -> [2**n_qubits]`, traceable by JAX.
    """
    qml = import_pennylane()
    qnode: Any = circuit.require_qnode("hardware")
    tape = circuit_tape(qnode, np.zeros(circuit.n_features), np.zeros(circuit.weight_shape))
    wires = wires_of(qnode, tape)
    model = _noise_model(hardware)

    @qml.transform
    def as_measured(tape: Any) -> tuple[list[Any], Callable[..., Any]]:
        [plain], _ = qml.transforms.decompose(tape, gate_set=GATES)
        if hardware.is_noisy:
            [plain], _ = qml.noise.add_noise(plain, model)
        gates = [*plain.operations, *reading_gates(tape)]
        measured = tape.copy(operations=gates, measurements=[qml.probs(wires=wires)])
        return [measured], lambda results: results[0]

    device = qml.device("default.mixed" if hardware.is_noisy else "default.qubit", wires=wires)
    transformed = as_measured(qnode.update(device=device, diff_method="backprop"))

    def probabilities(features: Array, weights: Array) -> Array:
        (shares,) = jax.tree.leaves(transformed(features, weights))  # in a list, if of one
        return shares

    return probabilities


def shift_rule(
    circuit: CircuitFunction, weights: Float[np.ndarray, "*shape"]
) -> tuple[Float[np.ndarray, "points features"], Float[np.ndarray, "features points"]]:
    """The parameter-shift rule of all features.

    Returns:
        Shifts, the first of them none at all, and what every shifted value contributes to every
        derivative. A feature on one rotation needs two shifted circuits.
    """
    rule = import_pennylane().gradients.generate_shift_rule
    shifts = [np.zeros(circuit.n_features)]
    columns = [np.zeros(circuit.n_features)]
    for feature, spectrum in enumerate(encoded_spectra(circuit, weights)):
        positive = tuple(float(frequency) for frequency in spectrum if frequency > 0.0)
        unit = np.eye(circuit.n_features)[feature]
        for coefficient, shift in rule(positive) if positive else ():
            shifts.append(shift * unit)
            columns.append(coefficient * unit)
    return np.array(shifts), np.array(columns).T


def _noise_model(hardware: Hardware) -> Any:
    qml = import_pennylane()

    def channel(rate: float) -> Callable[..., None]:
        def after(op: Any, **_: Any) -> None:
            for wire in op.wires:
                qml.DepolarizingChannel(rate, wires=wire)

        return after

    one = qml.BooleanFn(lambda op: len(op.wires) == 1)
    more = qml.BooleanFn(lambda op: len(op.wires) > 1)
    return qml.NoiseModel({one: channel(hardware.one_qubit), more: channel(hardware.two_qubit)})


def _drawn(
    probabilities: Float[np.ndarray, "circuits outcomes"],
    shots: int | None,
    rng: np.random.Generator,
) -> Float[np.ndarray, "circuits outcomes"]:
    """Shares of the outcomes among the shots."""
    probabilities = np.clip(probabilities, 0.0, None)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities if shots is None else rng.multinomial(shots, probabilities) / shots
