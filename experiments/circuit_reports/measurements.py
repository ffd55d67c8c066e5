"""All numbers of a circuit report."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from allegro_jax.quantum import UserCircuit
from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics import (
    CircuitSamples,
    Expressibility,
    FisherSpectrum,
    FourierReport,
    GradientVariance,
    WeightReport,
    classical_fisher,
    diagnose_weights,
    effective_dimension,
    encoded_spectra,
    entanglement_entropy,
    expressibility,
    fourier_coefficients,
    gradient_scaling,
    integer_degrees,
    meyer_wallach,
    of_circuit,
    of_qdi,
    pair_fidelities,
    quantum_fisher,
    regression_fisher,
    sample_circuit,
    with_linear_maps,
)

MEMORY = 4e8
"""Bytes that the derivatives of the sampled states may take."""

AnyCircuit = QDICircuit | UserCircuit

N_DATA = (1_000, 10_000, 1_000_000)
"""Numbers of training examples for which effective dimensions are given."""


@dataclass(frozen=True)
class Effort:
    """How much is sampled.

    Attributes:
        samples: weight vectors for ranks and Fisher information.
        inputs: feature vectors for each of them; more if the circuit has many weights.
        pairs: pairs of states for expressibility and entanglement.
        qubits: sizes at which gradient variances are measured.
        depths: depths at which they are.
        gradients: samples for each variance.
        seed: of all draws.
    """

    samples: int = 64
    inputs: int = 32
    pairs: int = 3000
    qubits: Sequence[int] = (2, 3, 4, 5, 6)
    depths: Sequence[int] = (1, 3)
    gradients: int = 200
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FisherNumbers:
    """One kind of Fisher information: for single inputs, and averaged over inputs."""

    single: FisherSpectrum
    mean: FisherSpectrum
    effective_dimensions: Mapping[int, float]


@dataclass(frozen=True, eq=False)
class Trained:
    """A circuit at the trained weights of a potential, on angles of real edges.

    Attributes:
        angles: of the edges.
        weights: rank and redundant weights there.
        fisher: Fisher information there.
        entanglement: Meyer-Wallach Q on the edges.
        fourier: coefficients at the trained weights; None if the grid is too large.
    """

    angles: Float[np.ndarray, "edges features"]
    weights: WeightReport
    fisher: Mapping[str, FisherNumbers]
    entanglement: Float[np.ndarray, "edges"]
    fourier: FourierReport | None


@dataclass(frozen=True, eq=False)
class Measurements:
    """What the report shows.

    Attributes:
        circuit: what was examined.
        weights: dead and redundant weights.
        joined_rank: rank together with linear maps on both sides of the circuit.
        joined_weights: number of weights with these.
        fisher: Fisher information by kind.
        spectrum_sizes: frequencies of every feature, negative ones included.
        fourier: coefficients; None if the grid is too large.
        expressibility: fidelities against Haar.
        entanglement: Meyer-Wallach Q of random states of the circuit.
        entropies: entanglement entropy of a qubit (bits) of the same states.
        gradients: variances against qubits and depth; none of a registered circuit, which has one
            size.
        trained: the same at trained weights; None without a potential.
        seconds: what the measurements took, by name.
    """

    circuit: AnyCircuit
    weights: WeightReport
    joined_rank: int
    joined_weights: int
    fisher: Mapping[str, FisherNumbers]
    spectrum_sizes: Sequence[int]
    fourier: FourierReport | None
    expressibility: Expressibility
    entanglement: Float[np.ndarray, "states"]
    entropies: Float[np.ndarray, "states"]
    gradients: Sequence[GradientVariance]
    trained: Trained | None
    seconds: Mapping[str, float]

    @property
    def n_qubits(self) -> int:
        """Qubits of the circuit."""
        return of_circuit(self.circuit).n_qubits


def measure(
    circuit: AnyCircuit,
    effort: Effort,
    trained: tuple[np.ndarray, np.ndarray] | None = None,
) -> Measurements:
    """Runs all diagnoses.

    Args:
        circuit: what is examined.
        effort: how much is sampled.
        trained: weights and angles of edges of a potential.
    """
    clock = _Clock()
    function = of_circuit(circuit)
    samples = _samples(circuit, effort)
    clock.lap("weights and Fisher information")
    joined = with_linear_maps(function, samples.outputs.shape[-1])
    joined_samples = sample_circuit(joined, 4, 2 * joined.n_weights, effort.seed)
    joined_rank = diagnose_weights(joined_samples.jacobians).rank
    clock.lap("with linear maps")
    spectra = encoded_spectra(function)
    fourier = _fourier(circuit)
    clock.lap("Fourier series")
    fidelities, states = pair_fidelities(function, effort.pairs, effort.seed)
    clock.lap("expressibility and entanglement")
    gradients = _gradients(circuit, effort)
    clock.lap("gradient variances")
    return Measurements(
        circuit=circuit,
        weights=diagnose_weights(samples.jacobians),
        joined_rank=joined_rank,
        joined_weights=joined.n_weights,
        fisher=_fisher(samples),
        spectrum_sizes=[2 * len(spectrum) - 1 for spectrum in spectra],
        fourier=fourier,
        expressibility=expressibility(fidelities, function.n_qubits),
        entanglement=meyer_wallach(states),
        entropies=entanglement_entropy(states),
        gradients=gradients,
        trained=None if trained is None else _trained(circuit, *trained),
        seconds=clock.seconds,
    )


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name], self._last = now - self._last, now


def enough_inputs(circuit: AnyCircuit) -> int:
    """Inputs whose outputs are twice as many as the weights, so that ranks are those of weights."""
    _, eigenvalues = of_circuit(circuit).require_state("a rank")
    return 2 * -(-circuit.n_weights // len(eigenvalues))


def _samples(circuit: AnyCircuit, effort: Effort) -> CircuitSamples:
    """As many samples as asked for and as fit into memory."""
    inputs = max(effort.inputs, enough_inputs(circuit))
    function = of_circuit(circuit)
    each = 16.0 * inputs * 2**function.n_qubits * circuit.n_weights
    samples = int(np.clip(MEMORY / each, 2, effort.samples))
    return sample_circuit(function, samples, inputs, effort.seed)


def _gradients(circuit: AnyCircuit, effort: Effort) -> Sequence[GradientVariance]:
    if isinstance(circuit, UserCircuit):
        return []
    sizes = [(n, depth) for depth in effort.depths for n in effort.qubits]
    return gradient_scaling(
        lambda n, depth: of_qdi(_resized(circuit, n, depth)), sizes, effort.gradients, effort.seed
    )


def _resized(circuit: QDICircuit, n_qubits: int, depth: int) -> QDICircuit:
    """The circuit on other qubits; CNOT ranges, which belong to a size, are PennyLane's."""
    features = circuit.n_encodings * n_qubits
    size = {"n_features": features, "n_qubits": n_qubits, "depth": depth, "ranges": None}
    return dataclasses.replace(circuit, **size)


def _fisher(samples: CircuitSamples) -> dict[str, FisherNumbers]:
    states, jacobians = samples.quantum()
    matrices = {
        "quantum": quantum_fisher(states, jacobians),
        "classical": classical_fisher(states, jacobians),
        "regression": regression_fisher(samples.jacobians),
    }
    return {name: _fisher_of(each) for name, each in matrices.items()}


def _fisher_of(matrices: Float[np.ndarray, "samples inputs weights weights"]) -> FisherNumbers:
    mean = matrices.mean(axis=1)
    dimensions = {n: effective_dimension(mean, n) for n in N_DATA}
    return FisherNumbers(FisherSpectrum.of(matrices), FisherSpectrum.of(mean), dimensions)


def _fourier(circuit: AnyCircuit, weights: np.ndarray | None = None) -> FourierReport | None:
    function = of_circuit(circuit)
    try:
        degrees = integer_degrees(encoded_spectra(function, weights))
        given = None if weights is None else weights[None]
        return fourier_coefficients(function, degrees, weights=given)
    except ValueError:
        return None  # a grid beyond memory, or no common period: the page says so


def _trained(circuit: AnyCircuit, weights: np.ndarray, angles: np.ndarray) -> Trained:
    samples = sample_circuit(of_circuit(circuit), weights=weights[None], features=angles)
    states, _ = samples.quantum()
    return Trained(
        angles=angles,
        weights=diagnose_weights(samples.jacobians),
        fisher=_fisher(samples),
        entanglement=meyer_wallach(states[0]),
        fourier=_fourier(circuit, weights),
    )
