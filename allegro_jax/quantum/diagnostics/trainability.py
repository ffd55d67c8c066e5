"""Variance of gradients against qubits and depth: are there barren plateaus?

McClean et al., Nat. Commun. 9, 4812 (2018): for circuits close to random unitaries the variance of
a gradient falls exponentially with the number of qubits, so that training cannot begin. Cerezo
et al., Nat. Commun. 12, 1791 (2021): shallow circuits read on single qubits escape, those read on
all qubits at once do not. Both readings are measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.quantum.diagnostics.circuit_function import CircuitFunction, evaluate_many
from allegro_jax.quantum.diagnostics.samples import random_angles


@dataclass(frozen=True)
class GradientVariance:
    """Variances over random weights and inputs, averaged over the weights that have any.

    Attributes:
        n_qubits: size of the circuit.
        depth: its depth.
        local: of ∂<P_0>/∂w, the first output.
        whole: of ∂<P_0 P_1 ...>/∂w, the product of the measured Pauli operators of all qubits.
    """

    n_qubits: int
    depth: int
    local: float
    whole: float


def gradient_variances(
    circuit: CircuitFunction, n_samples: int = 200, seed: int = 0
) -> tuple[Float[np.ndarray, "weights"], Float[np.ndarray, "weights"]]:
    """Variance of the gradient of one output, and of the parity of all qubits, by weight.

    Args:
        circuit: made of a QNode.
        n_samples: random weights, each with a random input.
        seed: of the draws.

    Raises:
        ValueError: The function is no circuit, or fewer than two samples.
    """
    if n_samples < 2:
        raise ValueError(f"expected at least two samples for a variance, got {n_samples}")
    rng = np.random.default_rng(seed)
    weights = random_angles(rng, n_samples, *circuit.weight_shape)
    features = random_angles(rng, n_samples, circuit.n_features)
    local, whole = evaluate_many(_gradients(circuit), features, weights)
    return np.var(local, axis=0).ravel(), np.var(whole, axis=0).ravel()


def gradient_scaling(
    build: Callable[[int, int], CircuitFunction],
    sizes: Iterable[tuple[int, int]],
    n_samples: int = 200,
    seed: int = 0,
) -> list[GradientVariance]:
    """Gradient variances of a family of circuits.

    Args:
        build: circuit of a number of qubits and a depth.
        sizes: pairs of these.
        n_samples: random weights, each with a random input.
        seed: of the draws.
    """
    results = []
    for n_qubits, depth in sizes:
        local, whole = gradient_variances(build(n_qubits, depth), n_samples, seed)
        means = [float(v[v > 1e-20].mean()) if (v > 1e-20).any() else 0.0 for v in (local, whole)]
        results.append(GradientVariance(n_qubits, depth, *means))
    return results


def decay_per_qubit(variances: Iterable[GradientVariance], reading: str = "whole") -> float:
    """Factor by which the variance changes with every further qubit, fitted over all sizes.

    Args:
        variances: of circuits of one depth and at least two sizes.
        reading: "local" or "whole".
    """
    rows = list(variances)
    logs = np.log([getattr(row, reading) for row in rows])
    return float(np.exp(np.polyfit([row.n_qubits for row in rows], logs, 1)[0]))


def _gradients(circuit: CircuitFunction) -> Callable[[Array, Array], tuple[Array, Array]]:
    state, eigenvalues = circuit.require_state("gradient variance")
    parity = np.array([(-1.0) ** outcome.bit_count() for outcome in range(eigenvalues.shape[1])])
    signs = np.stack([eigenvalues[0], parity])

    def readings(x: Array, w: Array) -> Array:
        amplitudes = state(x, w)
        return jnp.asarray(signs) @ (amplitudes.real**2 + amplitudes.imag**2)

    def gradients(x: Array, w: Array) -> tuple[Array, Array]:
        rows = jax.jacrev(readings, argnums=1)(x, w)
        return rows[0], rows[1]

    return gradients
