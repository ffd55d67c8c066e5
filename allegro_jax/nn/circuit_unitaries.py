"""The QDI circuit at classical speed: trainable blocks as matrices, encodings as phases.

The trainable blocks of a circuit are the same for all edges. PennyLane turns each of them into
one unitary matrix, and what is left per edge is, for every encoding, a phase for each basis state
and a product with such a matrix. A rotation about Z is diagonal; one about X or Y is made so by a
constant change of basis that is merged into the neighbouring blocks, and the basis in which the
Pauli operator is diagonal is merged into the last one. With θ_b(x) = ½ Σ_q s_qb x_q, s_qb = ±1 the
eigenvalue of Z_q in basis state b::

    ψ = U_0 |0...0>
    for each encoding e:  ψ_b <- exp(-i θ_b(x_e)) ψ_b;  ψ <- U_{e+1} ψ
    <P_q> = Σ_b s_qb |ψ_b|²

All arithmetic is real, with the edges in the last axis. This is exact, the same function as the
QNode of `allegro_jax.nn.circuits`, which is its oracle in the tests.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from allegro_jax.nn.circuits import QDICircuit, trainable_block
from allegro_jax.nn.pennylane_compat import import_pennylane, pennylane_settings

# Columns: eigenvectors of each Pauli operator, that of eigenvalue +1 first.
_EIGENBASIS = {
    "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "Y": np.array([[1, 1], [1j, -1j]]) / np.sqrt(2),
    "Z": np.eye(2),
}


@functools.partial(jax.jit, static_argnames="circuit")
def expectations_by_unitaries(
    features: Float[Array, "edges features"], weights: Float[Array, "*shape"], circuit: QDICircuit
) -> Float[Array, "edges qubits"]:
    """Expectation values <P_q> of a QDI circuit on every edge; see `qdi_expectations`."""
    signs = jnp.asarray(_eigenvalues(circuit.n_qubits), features.dtype)
    first, *others = _unitaries(weights, circuit)
    states = 2**circuit.n_qubits
    # The state before the first encoding is the same for every edge.
    ψ_re, ψ_im = (part[:, :1] for part in (first.real, first.imag))
    angles = features.T.reshape(circuit.n_encodings, circuit.n_qubits, -1)
    for angle, unitary in zip(angles, others, strict=True):
        θ = 0.5 * _matmul(signs.T, angle)
        cos, sin = jnp.cos(θ), jnp.sin(θ)
        ψ_re, ψ_im = cos * ψ_re + sin * ψ_im, cos * ψ_im - sin * ψ_re
        product = _matmul(_real_form(unitary), jnp.concatenate([ψ_re, ψ_im]))
        ψ_re, ψ_im = product[:states], product[states:]
    return _matmul(signs, ψ_re**2 + ψ_im**2).T


def _unitaries(weights: Array, circuit: QDICircuit) -> list[Complex[Array, "states states"]]:
    """The matrices of the blocks, changes of basis merged, in the precision of the weights."""
    qml = import_pennylane()
    wires = range(circuit.n_qubits)

    def matrix(block_weights: Array) -> Array:
        block = trainable_block(circuit)(block_weights, wires=wires)
        return qml.matrix(qml.tape.QuantumScript(block.decomposition()), wire_order=wires)

    with pennylane_settings(weights.dtype):
        blocks = jax.vmap(matrix)(weights)
    encode = jnp.asarray(_on_all_qubits(_EIGENBASIS[circuit.rotation], circuit), blocks.dtype)
    read = jnp.asarray(_on_all_qubits(_EIGENBASIS[circuit.measure], circuit), blocks.dtype)
    last = len(blocks) - 1
    merged = []
    for k, block in enumerate(blocks):
        right = block if k == 0 else block @ encode
        merged.append((read if k == last else encode).conj().T @ right)
    return merged


def _real_form(unitary: Complex[Array, "states states"]) -> Float[Array, "twice twice"]:
    """The real matrix that acts on stacked real and imaginary parts as `unitary` does."""
    re, im = unitary.real, unitary.imag
    return jnp.block([[re, -im], [im, re]])


def _matmul(left: Array, right: Array) -> Array:
    # Reduced-precision products, the default of some accelerators, would lose the angles.
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def _on_all_qubits(matrix: np.ndarray, circuit: QDICircuit) -> np.ndarray:
    return functools.reduce(np.kron, [matrix] * circuit.n_qubits)


def _eigenvalues(n_qubits: int) -> np.ndarray:
    """Eigenvalue ±1 of Z_q in every basis state, qubit 0 the most significant bit."""
    bits = np.arange(2**n_qubits) >> np.arange(n_qubits)[::-1, None] & 1
    return 1.0 - 2.0 * bits
