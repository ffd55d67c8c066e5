"""What encodings and measurements need: eigenbases of the Pauli operators, and phases of edges.

A rotation about Z is diagonal, exp(-i θ_b) in basis state b, with θ_b = ½ Σ_q s_qb x_q and
s_qb = ±1 the eigenvalue of Z_q. Rotations about X or Y become so by a constant change of basis.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Columns: eigenvectors of each Pauli operator, that of eigenvalue +1 first.
EIGENBASIS = {
    "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "Y": np.array([[1, 1], [1j, -1j]]) / np.sqrt(2),
    "Z": np.eye(2),
}


def eigenvalues(n_qubits: int) -> np.ndarray:
    """Eigenvalue ±1 of Z_q in every basis state, qubit 0 the most significant bit."""
    bits = np.arange(2**n_qubits) >> np.arange(n_qubits)[::-1, None] & 1
    return 1.0 - 2.0 * bits


def exact_matmul(left: Array, right: Array) -> Array:
    """A product in full precision.

    Reduced precision, the default of some accelerators, would lose the angles.
    """
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


@jax.custom_jvp
def phases(
    half_angles: Float[Array, "qubits edges"],
) -> tuple[Float[Array, "states edges"], Float[Array, "states edges"]]:
    """Cosine and sine of θ_b = Σ_q s_qb x_q / 2 for every basis state b.

    Those of half of the qubits and those of the others multiply, so that one sine and one cosine
    for every qubit are enough.
    """
    qubits, edges = half_angles.shape
    if qubits == 1:
        cos, sin = jnp.cos(half_angles), jnp.sin(half_angles)
        return jnp.concatenate([cos, cos]), jnp.concatenate([sin, -sin])
    high, low = jnp.split(half_angles, [qubits // 2])
    cos_a, sin_a = (part[:, None, :] for part in phases(high))
    cos_b, sin_b = (part[None, :, :] for part in phases(low))
    cos, sin = cos_a * cos_b - sin_a * sin_b, sin_a * cos_b + cos_a * sin_b
    return cos.reshape(-1, edges), sin.reshape(-1, edges)


@phases.defjvp
def _phases_jvp(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Through θ: its transpose is one matrix product instead of sums over axes."""
    (half_angles,), (change,) = primals, tangents
    cos, sin = phases(half_angles)
    signs = jnp.asarray(eigenvalues(len(half_angles)), change.dtype)
    dθ = exact_matmul(signs.T, change)
    return (cos, sin), (-sin * dθ, cos * dθ)
