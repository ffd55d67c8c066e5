"""Fisher information of a circuit: its matrices, their spectra, and the effective dimension.

With ψ the state, p_b = |ψ_b|² the probability of the outcome b and f the outputs:

* quantum: F_kl = 4 Re[<∂_k ψ|∂_l ψ> - <∂_k ψ|ψ><ψ|∂_l ψ>], the bound of all measurements
  (Meyer 2021, arXiv:2103.15191, eq. 27); rank at most 2 · 2**n - 2;
* classical: F_kl = Σ_b ∂_k p_b ∂_l p_b / p_b of the qubits read as the circuit reads them (eq. 15);
  rank at most 2**n - 1 *for one input*, whatever the circuit: averaged over inputs it can be more;
* regression: F = ∂fᵀ∂f, that of a model with Gaussian noise of variance 1 on the outputs, which is
  what a fit by least squares sees.

PennyLane has the first two (`qml.gradients.quantum_fisher`, `classical_fisher`). The former
does not run under JAX 0.10 and later, and loops over pairs of weights; the tests use it as oracle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import logsumexp

TOLERANCE = 1e-9
"""Eigenvalues below this share of the largest count as zero in a rank."""


def quantum_fisher(
    states: Complex[np.ndarray, "*batch outcomes"],
    jacobians: Complex[np.ndarray, "*batch outcomes weights"],
) -> Float[np.ndarray, "*batch weights weights"]:
    """Quantum Fisher information matrix of pure states."""
    overlap = np.einsum("...b,...bk->...k", states.conj(), jacobians)
    gram = np.einsum("...bk,...bl->...kl", jacobians.conj(), jacobians)
    return 4.0 * (gram - overlap[..., :, None].conj() * overlap[..., None, :]).real


def classical_fisher(
    states: Complex[np.ndarray, "*batch outcomes"],
    jacobians: Complex[np.ndarray, "*batch outcomes weights"],
) -> Float[np.ndarray, "*batch weights weights"]:
    """Fisher information matrix of the joint outcomes when all qubits are read.

    ∂p_b/√p_b = 2 Re(ψ_b* ∂ψ_b)/|ψ_b|; outcomes that cannot happen are left out.
    """
    size = np.abs(states)[..., None]
    scores = 2.0 * (states.conj()[..., None] * jacobians).real
    scores = np.divide(scores, size, out=np.zeros_like(scores), where=size > 1e-12)
    return np.einsum("...bk,...bl->...kl", scores, scores)


def regression_fisher(
    jacobians: Float[np.ndarray, "*batch outputs weights"],
) -> Float[np.ndarray, "*batch weights weights"]:
    """Fisher information matrix of outputs with Gaussian noise of variance 1."""
    return np.einsum("...ok,...ol->...kl", jacobians, jacobians)


@dataclass(frozen=True, eq=False)
class FisherSpectrum:
    """Eigenvalues of Fisher matrices, one row per matrix, largest first."""

    eigenvalues: Float[np.ndarray, "matrices weights"]

    @classmethod
    def of(cls, matrices: Float[np.ndarray, "*batch weights weights"]) -> FisherSpectrum:
        """Takes any number of matrices."""
        flat = matrices.reshape(-1, *matrices.shape[-2:])
        return cls(np.clip(np.linalg.eigvalsh(flat)[:, ::-1], 0.0, None))

    @property
    def ranks(self) -> np.ndarray:
        """Rank of every matrix."""
        return (self.eigenvalues > TOLERANCE * self.eigenvalues[:, :1]).sum(axis=1)

    def share_below(self, fraction: float = 0.05) -> float:
        """Share of the eigenvalues below `fraction` of the largest of their matrix."""
        return float((self.eigenvalues < fraction * self.eigenvalues[:, :1]).mean())

    def share_beyond(self, fraction: float = 0.95) -> float:
        """Share of the eigenvalues that are not needed for `fraction` of the trace."""
        before = np.cumsum(self.eigenvalues, axis=1) - self.eigenvalues
        total = self.eigenvalues.sum(axis=1, keepdims=True)
        return float((before >= fraction * total).mean())


def effective_dimension(
    matrices: Float[np.ndarray, "samples weights weights"], n_data: int, gamma: float = 1.0
) -> float:
    """Effective dimension of a model (Abbas et al., Nat. Comput. Sci. 1, 403 (2021), eq. 2).

    d = 2 log( 1/V ∫ √det(1 + κ F̂(w)) dw ) / log κ,  κ = γ n / (2π log n),
    F̂ = n_weights V F(w) / ∫ tr F(w) dw, both integrals as means over the samples.

    Args:
        matrices: F(w) averaged over inputs, for weights drawn uniformly.
        n_data: number n of training examples; κ must exceed 1.
        gamma: γ in (0, 1].

    Returns:
        At most the number of weights, and towards the rank of F as n grows. Divide by the number of
        weights for the normalised dimension.

    Raises:
        ValueError: Too few data, or γ outside its range.
    """
    scale = gamma * n_data / (2.0 * np.pi * np.log(float(n_data))) if n_data > 1 else 0.0
    if not 0.0 < gamma <= 1.0 or scale <= 1.0:
        raise ValueError(
            "expected 0 < gamma <= 1 and n_data with gamma n_data > 2π log(n_data), got "
            f"gamma={gamma}, n_data={n_data}; take n_data of 100 or more"
        )
    weights = matrices.shape[-1]
    normalised = weights * matrices / np.trace(matrices, axis1=-2, axis2=-1).mean()
    _, log_det = np.linalg.slogdet(np.eye(weights) + scale * normalised)
    integral = logsumexp(0.5 * log_det) - np.log(len(matrices))
    return float(2.0 * integral / np.log(scale))
