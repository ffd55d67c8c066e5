"""The QDI circuit at classical speed: trainable blocks as matrices, encodings as phases.

The trainable blocks of a circuit are the same for all edges. PennyLane takes each of them apart
into gates, whose product is one unitary matrix, and what is left per edge is, for every encoding,
a phase for each basis state and a product with such a matrix. A rotation about Z is diagonal; one
about X or Y is made so by a constant change of basis that is merged into the neighbouring blocks,
and the basis in which the Pauli operator is diagonal is merged into the last one.
With θ_b(x) = ½ Σ_q s_qb x_q, s_qb = ±1 the eigenvalue of Z_q in basis state b::

    ψ = U_0 |0...0>
    for each encoding e:  ψ_b <- exp(-i θ_b(x_e)) ψ_b;  ψ <- U_{e+1} ψ
    <P_q> = Σ_b s_qb |ψ_b|²

All arithmetic is real, with the edges in the last axis. This is exact, the same function as the
QNode of `allegro_jax.quantum.circuits`, which is its oracle in the tests.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from allegro_jax.quantum.circuits import QDICircuit, trainable_block
from allegro_jax.quantum.pennylane_compat import import_pennylane, pennylane_settings

# Columns: eigenvectors of each Pauli operator, that of eigenvalue +1 first.
_EIGENBASIS = {
    "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "Y": np.array([[1, 1], [1j, -1j]]) / np.sqrt(2),
    "Z": np.eye(2),
}


class CircuitBlocks(NamedTuple):
    """The trainable blocks of a circuit, real parts over imaginary parts.

    Attributes:
        first: what the first block makes of |0...0>.
        others: real form of the matrices of the others, changes of basis merged.
    """

    first: Float[Array, "twice 1"]
    others: list[Float[Array, "twice twice"]]


@functools.partial(jax.jit, static_argnames="circuit")
def expectations_by_unitaries(
    features: Float[Array, "edges features"], weights: Float[Array, "*shape"], circuit: QDICircuit
) -> Float[Array, "edges qubits"]:
    """Expectation values <P_q> of a QDI circuit on every edge; see `qdi_expectations`."""
    return expectations_of_blocks(features, circuit_blocks(weights, circuit), circuit)


@functools.partial(jax.jit, static_argnames="circuit")
def expectations_of_blocks(
    features: Float[Array, "edges features"], blocks: CircuitBlocks, circuit: QDICircuit
) -> Float[Array, "edges qubits"]:
    """The part of `expectations_by_unitaries` that is done for every edge."""
    signs = jnp.asarray(_eigenvalues(circuit.n_qubits), features.dtype)
    ψ_re, ψ_im = jnp.split(blocks.first, 2)
    angles = features.T.reshape(circuit.n_encodings, circuit.n_qubits, -1)
    for angle, unitary in zip(angles, blocks.others, strict=True):
        cos, sin = _phases(0.5 * angle)
        ψ_re, ψ_im = cos * ψ_re + sin * ψ_im, cos * ψ_im - sin * ψ_re
        ψ_re, ψ_im = jnp.split(_matmul(unitary, jnp.concatenate([ψ_re, ψ_im])), 2)
    return _matmul(signs, ψ_re**2 + ψ_im**2).T


@functools.partial(jax.jit, static_argnames="circuit")
def circuit_blocks(weights: Float[Array, "*shape"], circuit: QDICircuit) -> CircuitBlocks:
    """The part of `expectations_by_unitaries` that depends on the weights alone."""
    encode, read = _EIGENBASIS[circuit.rotation], _EIGENBASIS[circuit.measure]
    with pennylane_settings(weights.dtype):
        dtype = jnp.promote_types(weights.dtype, jnp.complex64)
        gates, stacked = _gates(weights, circuit, dtype)
        zero = jnp.zeros((2**circuit.n_qubits, 1), dtype).at[0].set(1)
        first = _act(gates, [matrix[0] for matrix in stacked], circuit, zero)
        first = _on_every_qubit(encode.conj().T, circuit, first)
        others = jax.vmap(lambda matrices: _act(gates, matrices, circuit, None, encode))(
            [matrix[1:] for matrix in stacked]
        )
        bases = [encode] * (circuit.n_encodings - 1) + [read]
        unitaries = [
            _on_every_qubit(basis.conj().T, circuit, block)
            for basis, block in zip(bases, others, strict=True)
        ]
    return CircuitBlocks(
        jnp.concatenate([first.real, first.imag]), [_real_form(unitary) for unitary in unitaries]
    )


class _Gate(NamedTuple):
    """Where a gate of a block acts, the same in all blocks.

    Attributes:
        wires: its qubits.
        rows: the row of the state that each row comes from, if that is all it does; else None.
    """

    wires: tuple[int, ...]
    rows: np.ndarray | None


def _gates(
    weights: Array, circuit: QDICircuit, dtype: jnp.dtype
) -> tuple[list[_Gate], list[Complex[Array, "blocks rows columns"]]]:
    """The gates that PennyLane takes a block apart into, and their small matrices in all blocks."""
    wires = range(circuit.n_qubits)
    gates: list[_Gate] = []

    def matrices(block_weights: Array) -> list[Array]:
        operations = trainable_block(circuit)(block_weights, wires=wires).decomposition()
        gates[:] = [_Gate(tuple(op.wires), _permutation(op, circuit)) for op in operations]
        return [jnp.asarray(op.matrix(), dtype) for op in operations]

    return gates, jax.vmap(matrices, out_axes=0, axis_size=len(weights))(weights)


def _permutation(operation: Any, circuit: QDICircuit) -> np.ndarray | None:
    """Where the rows come from, if a gate without parameters only permutes them, as CNOT does."""
    if operation.num_params:
        return None
    matrix = import_pennylane().matrix(operation, wire_order=range(circuit.n_qubits))
    rows = np.asarray(matrix).real.argmax(axis=1)
    return rows if np.array_equal(matrix, np.eye(len(rows))[rows]) else None


def _act(
    gates: Sequence[_Gate],
    matrices: Sequence[Array],
    circuit: QDICircuit,
    columns: Complex[Array, "states columns"] | None,
    before: np.ndarray | None = None,
) -> Complex[Array, "states columns"]:
    """Applies gates to every column of a matrix; None stands for the identity.

    Gates of single qubits are multiplied with one another, and make one Kronecker product when
    a gate of several qubits follows.

    Args:
        gates: in their order.
        matrices: of the gates.
        circuit: whose gates they are.
        columns: states.
        before: 2 x 2 gate on every qubit before all others.
    """
    every = range(circuit.n_qubits)
    waiting: dict[int, Array] = {}
    if before is not None:
        waiting = {qubit: jnp.asarray(before, matrices[0].dtype) for qubit in every}
    for gate, matrix in zip(gates, matrices, strict=True):
        if len(gate.wires) == 1:
            (qubit,) = gate.wires
            waiting[qubit] = matrix @ waiting[qubit] if qubit in waiting else matrix
            continue
        columns, waiting = _on_single_qubits(waiting, circuit, columns), {}
        if gate.rows is not None:
            columns = columns[gate.rows]
        else:
            columns = _on_qubits(matrix, gate.wires, columns)
    return _on_single_qubits(waiting, circuit, columns)


def _on_every_qubit(gate: np.ndarray, circuit: QDICircuit, columns: Array) -> Array:
    if np.array_equal(gate, np.eye(2)):
        return columns
    gates = {qubit: jnp.asarray(gate, columns.dtype) for qubit in range(circuit.n_qubits)}
    return _on_single_qubits(gates, circuit, columns)


def _on_single_qubits(
    gates: Mapping[int, Array], circuit: QDICircuit, columns: Array | None
) -> Array:
    if not gates and columns is not None:
        return columns
    like = next(iter(gates.values())) if columns is None else columns
    identity = jnp.eye(2, dtype=like.dtype)
    product = functools.reduce(
        jnp.kron, [gates.get(qubit, identity) for qubit in range(circuit.n_qubits)]
    )
    return product if columns is None else _matmul(product, columns)


def _on_qubits(gate: Array, wires: Sequence[int], columns: Array) -> Array:
    """A gate on several qubits that does more than permute rows."""
    width = columns.shape[0].bit_length() - 1
    tensor = gate.reshape((2,) * (2 * len(wires)))
    state = columns.reshape((*(2,) * width, columns.shape[1]))
    product = jnp.tensordot(tensor, state, axes=([*range(len(wires), tensor.ndim)], [*wires]))
    return jnp.moveaxis(product, range(len(wires)), wires).reshape(columns.shape)


@jax.custom_jvp
def _phases(
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
    cos_a, sin_a = (part[:, None, :] for part in _phases(high))
    cos_b, sin_b = (part[None, :, :] for part in _phases(low))
    cos, sin = cos_a * cos_b - sin_a * sin_b, sin_a * cos_b + cos_a * sin_b
    return cos.reshape(-1, edges), sin.reshape(-1, edges)


@_phases.defjvp
def _phases_jvp(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Through θ: its transpose is one matrix product instead of sums over axes."""
    (half_angles,), (change,) = primals, tangents
    cos, sin = _phases(half_angles)
    signs = jnp.asarray(_eigenvalues(len(half_angles)), change.dtype)
    dθ = _matmul(signs.T, change)
    return (cos, sin), (-sin * dθ, cos * dθ)


def _real_form(unitary: Complex[Array, "states states"]) -> Float[Array, "twice twice"]:
    """The real matrix that acts on stacked real and imaginary parts as `unitary` does."""
    re, im = unitary.real, unitary.imag
    return jnp.block([[re, -im], [im, re]])


def _matmul(left: Array, right: Array) -> Array:
    # Reduced-precision products, the default of some accelerators, would lose the angles.
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def _eigenvalues(n_qubits: int) -> np.ndarray:
    """Eigenvalue ±1 of Z_q in every basis state, qubit 0 the most significant bit."""
    bits = np.arange(2**n_qubits) >> np.arange(n_qubits)[::-1, None] & 1
    return 1.0 - 2.0 * bits
