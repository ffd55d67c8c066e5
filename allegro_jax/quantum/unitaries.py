"""The QDI circuit at classical speed: trainable blocks as matrices, encodings as phases.

The trainable blocks of a circuit are the same for all edges. The layers of each of them
(`allegro_jax.quantum.layers`) make one unitary matrix, and what is left per edge is, for every
encoding, a phase for each basis state and a product with such a matrix. A rotation about Z is
diagonal; one about X or Y is made so by a constant change of basis that is merged into the
neighbouring blocks, and the basis in which the Pauli operator is diagonal is merged into the last
one. With θ_b(x) = ½ Σ_q s_qb x_q, s_qb = ±1 the eigenvalue of Z_q in basis state b::

    ψ = U_0 |0...0>
    for each encoding e:  ψ_b <- exp(-i θ_b(x_e)) ψ_b;  ψ <- U_{e+1} ψ
    <P_q> = Σ_b s_qb |ψ_b|²

All arithmetic is real, with the edges in the last axis. This is exact, the same function as the
QNode of `allegro_jax.quantum.circuits`, which is its oracle in the tests.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.layers import (
    State,
    apply_layers,
    block_gates,
    closing,
    encode,
    merge,
    opening,
    read,
    real_form,
    rotations,
    zero_state,
)
from allegro_jax.quantum.pauli import exact_matmul


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
) -> Float[Array, "edges outputs"]:
    """Expectation values of a QDI circuit on every edge; see `qdi_expectations`."""
    return expectations_of_blocks(features, circuit_blocks(weights, circuit), circuit)


@functools.partial(jax.jit, static_argnames="circuit")
def expectations_of_blocks(
    features: Float[Array, "edges features"], blocks: CircuitBlocks, circuit: QDICircuit
) -> Float[Array, "edges outputs"]:
    """The part of `expectations_by_unitaries` that is done for every edge."""
    state = blocks.first.reshape(2, -1, 1)
    angles = features.T.reshape(circuit.n_encodings, circuit.n_qubits, -1)
    for angle, unitary in zip(angles, blocks.others, strict=True):
        state = encode(state, angle)
        flat = state.reshape(len(unitary), -1)
        state = exact_matmul(unitary, flat).reshape(state.shape)
    return read(state, circuit)


@functools.partial(jax.jit, static_argnames="circuit")
def circuit_blocks(weights: Float[Array, "*shape"], circuit: QDICircuit) -> CircuitBlocks:
    """The part of `expectations_by_unitaries` that depends on the weights alone."""
    n, like = circuit.n_qubits, weights
    turns = rotations(weights, circuit)
    first = merge([*block_gates(turns[0], circuit), *closing(circuit, 0)], like)

    def columns(turns: Array) -> State:
        identity = jnp.eye(2**n, dtype=like.dtype)
        start = jnp.stack([identity, jnp.zeros_like(identity)])
        block = merge([*opening(circuit, 1), *block_gates(turns, circuit)], like)
        return apply_layers(block, start, n)

    others = jax.vmap(columns)(turns[1:])
    closed = [
        apply_layers(merge(closing(circuit, index + 1), like), block, n)
        for index, block in enumerate(others)
    ]
    return CircuitBlocks(
        apply_layers(first, zero_state(n, like.dtype), n).reshape(-1, 1),
        [real_form(*block) for block in closed],
    )
