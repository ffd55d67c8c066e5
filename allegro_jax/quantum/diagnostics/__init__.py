"""What a circuit can represent and how well it trains, for any circuit; see docs/circuits.md."""

from allegro_jax.quantum.diagnostics.circuit_function import (
    CircuitFunction,
    of_circuit,
    of_qdi,
    of_qnode,
)
from allegro_jax.quantum.diagnostics.entanglement import (
    Expressibility,
    entanglement_entropy,
    expressibility,
    meyer_wallach,
    pair_fidelities,
)
from allegro_jax.quantum.diagnostics.fisher import (
    FisherSpectrum,
    classical_fisher,
    effective_dimension,
    quantum_fisher,
    regression_fisher,
)
from allegro_jax.quantum.diagnostics.fourier import (
    FourierReport,
    encoded_spectra,
    fourier_coefficients,
    integer_degrees,
)
from allegro_jax.quantum.diagnostics.samples import CircuitSamples, sample_circuit
from allegro_jax.quantum.diagnostics.trainability import (
    GradientVariance,
    decay_per_qubit,
    gradient_scaling,
    gradient_variances,
)
from allegro_jax.quantum.diagnostics.weights import (
    WeightReport,
    diagnose_weights,
    with_linear_maps,
)

__all__ = [
    "CircuitFunction",
    "CircuitSamples",
    "Expressibility",
    "FisherSpectrum",
    "FourierReport",
    "GradientVariance",
    "WeightReport",
    "classical_fisher",
    "decay_per_qubit",
    "diagnose_weights",
    "effective_dimension",
    "encoded_spectra",
    "entanglement_entropy",
    "expressibility",
    "fourier_coefficients",
    "gradient_scaling",
    "gradient_variances",
    "integer_degrees",
    "meyer_wallach",
    "of_circuit",
    "of_qdi",
    "of_qnode",
    "pair_fidelities",
    "quantum_fisher",
    "regression_fisher",
    "sample_circuit",
    "with_linear_maps",
]
