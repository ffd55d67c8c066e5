"""How entangled the states of a circuit are, and how evenly they fill the space of states.

Both after Sim, Johnson and Aspuru-Guzik, Adv. Quantum Technol. 2, 1900070 (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from allegro_jax.quantum.diagnostics.circuit_function import CircuitFunction, evaluate_many
from allegro_jax.quantum.diagnostics.samples import random_angles
from allegro_jax.quantum.pennylane_compat import import_pennylane


def n_qubits_of(states: Complex[np.ndarray, "*batch outcomes"]) -> int:
    """The number of qubits of state vectors."""
    return int(states.shape[-1]).bit_length() - 1


def meyer_wallach(states: Complex[np.ndarray, "samples outcomes"]) -> Float[np.ndarray, "samples"]:
    """Global entanglement Q = 2 (1 - Σ_k tr ρ_k² / n), from 0 (product) to 1 (as in GHZ states).

    Meyer and Wallach (2002) in the form of Brennen (2003): ρ_k is the state of qubit k alone.
    """
    purity = import_pennylane().math.purity
    purities = [np.real(purity(matrix, [0])) for matrix in _single_qubits(states)]
    return 2.0 * (1.0 - np.mean(purities, axis=0))


def entanglement_entropy(
    states: Complex[np.ndarray, "samples outcomes"],
) -> Float[np.ndarray, "samples"]:
    """Von Neumann entropy of one qubit (bits), averaged over the qubits; 1 at most."""
    entropy = import_pennylane().math.vn_entropy
    matrices = _single_qubits(states)
    return np.mean([np.real(entropy(matrix, [0], base=2)) for matrix in matrices], axis=0)


def _single_qubits(states: np.ndarray) -> list[Complex[np.ndarray, "samples 2 2"]]:
    """The density matrix of every qubit alone."""
    reduce = import_pennylane().math.reduce_statevector
    return [reduce(states, [k]) for k in range(n_qubits_of(states))]


@dataclass(frozen=True, eq=False)
class Expressibility:
    """Fidelities of pairs of states against those of Haar-random states.

    Attributes:
        edges: of the bins of the fidelity.
        counts: pairs in each bin.
        haar: probability of each bin for Haar-random states.
    """

    edges: Float[np.ndarray, "bins+1"]
    counts: Float[np.ndarray, "bins"]
    haar: Float[np.ndarray, "bins"]

    @property
    def divergence(self) -> float:
        """KL(circuit ‖ Haar) in nats: 0 is best, (2**n - 1) log(bins) a circuit that does nothing.

        Even Haar-random states give about (bins - 1) / (2 pairs) for a finite number of pairs.
        """
        p = self.counts / self.counts.sum()
        seen = p > 0
        return float(np.sum(p[seen] * np.log(p[seen] / self.haar[seen])))


def expressibility(
    fidelities: Float[np.ndarray, "pairs"], n_qubits: int, bins: int = 75
) -> Expressibility:
    """Compares fidelities |<ψ|φ>|² with the Haar density (N - 1)(1 - F)^(N - 2), N = 2**n_qubits.

    Args:
        fidelities: of independent pairs of states.
        n_qubits: of the states.
        bins: of equal width; 75 in the paper.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    counts, _ = np.histogram(np.clip(fidelities, 0.0, 1.0), edges)
    above = (1.0 - edges) ** (2**n_qubits - 1)  # probability of a fidelity above each edge
    return Expressibility(edges, counts.astype(float), above[:-1] - above[1:])


def pair_fidelities(
    circuit: CircuitFunction, n_pairs: int = 2000, seed: int = 0
) -> tuple[Float[np.ndarray, "pairs"], Complex[np.ndarray, "states outcomes"]]:
    """Draws pairs of weights, both at the same random input.

    Args:
        circuit: made of a QNode.
        n_pairs: independent pairs.
        seed: of the draws.

    Returns:
        Fidelities of the pairs, and all their states.

    Raises:
        ValueError: The function is no circuit.
    """
    state, _ = circuit.require_state("expressibility")
    rng = np.random.default_rng(seed)
    weights = random_angles(rng, 2 * n_pairs, *circuit.weight_shape)
    features = np.tile(random_angles(rng, n_pairs, circuit.n_features), (2, 1))
    states = evaluate_many(state, features, weights)
    overlaps = np.einsum("pb,pb->p", states[:n_pairs].conj(), states[n_pairs:])
    return np.abs(overlaps) ** 2, states
