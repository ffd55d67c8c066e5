"""Trainable blocks as layers: single-qubit gates as Kronecker products, CNOTs as permutations.

PennyLane defines the matrices of the gates. Gates of single qubits that follow one another make one
matrix per qubit; the Kronecker product of those of half of the qubits acts on half of the axes of
a state. CNOTs only exchange basis states, and any number of them is one permutation of rows. A
block of depth D is therefore D times two products with matrices of 2**(n/2) rows and a permutation.

States are real arrays ``[2, states, columns]``, the real parts before the imaginary ones. The
columns are edges (`expectations_by_layers`), or those of the identity, which makes the matrix of a
block (`allegro_jax.quantum.unitaries`).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from allegro_jax.quantum.circuits import QDICircuit, closing_cnots, entangling_cnots
from allegro_jax.quantum.pauli import EIGENBASIS, eigenvalues, exact_matmul, phases
from allegro_jax.quantum.pennylane_compat import import_pennylane, pennylane_settings

State = Float[Array, "2 states columns"]

_ONE_PRODUCT = 5  # qubits up to which one Kronecker product is as quick as two


class Gate(NamedTuple):
    """Where a gate of a block acts, the same in all blocks.

    Attributes:
        wires: its qubits.
        rows: the row of the state that each row comes from if it is a permutation; else None, and
            the gate acts on a single qubit.
    """

    wires: tuple[int, ...]
    rows: np.ndarray | None


class Layer(NamedTuple):
    """Gates on single qubits, then a permutation.

    Attributes:
        singles: 2 x 2 matrix of every qubit that has one.
        rows: the row of the state that each row comes from, or None.
    """

    singles: Mapping[int, Complex[Array, "2 2"]]
    rows: np.ndarray | None = None


@functools.partial(jax.jit, static_argnames="circuit")
def expectations_by_layers(
    features: Float[Array, "edges features"], weights: Float[Array, "*shape"], circuit: QDICircuit
) -> Float[Array, "edges outputs"]:
    """Expectation values of a QDI circuit on every edge, every layer applied to every edge.

    The same function as `qdi_expectations`. Work and memory grow with 2**n_qubits times the
    depth, where those of `expectations_by_unitaries` grow with 4**n_qubits.
    """
    n = circuit.n_qubits
    state = zero_state(n, features.dtype)
    angles = features.T.reshape(circuit.n_encodings, n, -1)
    for index, block in enumerate(blocks_as_layers(weights, circuit)):
        state = apply_layers(block, state, n)
        if index < circuit.n_encodings:
            state = encode(state, angles[index])
    return read(state, circuit)


def zero_state(n_qubits: int, dtype: jnp.dtype) -> State:
    """|0...0> as the one column."""
    return jnp.zeros((2, 2**n_qubits, 1), dtype).at[0, 0, 0].set(1)


def encode(state: State, angles: Float[Array, "qubits edges"]) -> State:
    """Rotates about Z, the axis that the blocks turn that of the encoding into."""
    cos, sin = phases(0.5 * angles)
    re, im = state
    return jnp.stack([cos * re + sin * im, cos * im - sin * re])


def read(state: State, circuit: QDICircuit) -> Float[Array, "edges outputs"]:
    """Expectations of Z on the measured qubits, which the blocks turn the Pauli operator into."""
    signs = eigenvalues(circuit.n_qubits)[list(circuit.measured)]
    return exact_matmul(jnp.asarray(signs, state.dtype), state[0] ** 2 + state[1] ** 2).T


def blocks_as_layers(weights: Float[Array, "*shape"], circuit: QDICircuit) -> list[list[Layer]]:
    """All blocks of a circuit, with the changes of basis around them and the closing CNOTs."""
    blocks = []
    for index, turns in enumerate(rotations(weights, circuit)):
        inner = block_gates(turns, circuit)
        blocks.append(merge([*opening(circuit, index), *inner, *closing(circuit, index)], weights))
    return blocks


def opening(circuit: QDICircuit, index: int) -> list[tuple[Gate, Any]]:
    """What comes before a block: out of the basis in which its encoding is diagonal."""
    return _on_every_qubit(EIGENBASIS[circuit.rotation], circuit.n_qubits) if index else []


def closing(circuit: QDICircuit, index: int) -> list[tuple[Gate, Any]]:
    """What comes after a block: into the basis of the next encoding or of the measurement."""
    n = circuit.n_qubits
    if index < circuit.n_encodings:
        return _on_every_qubit(EIGENBASIS[circuit.rotation].conj().T, n)
    cnots = [(Gate(wires, _cnot(wires, n)), None) for wires in closing_cnots(circuit)]
    return [*cnots, *_on_every_qubit(EIGENBASIS[circuit.measure].conj().T, n)]


def _on_every_qubit(matrix: np.ndarray, n_qubits: int) -> list[tuple[Gate, Any]]:
    if np.array_equal(matrix, np.eye(2)):
        return []
    return [(Gate((qubit,), None), matrix) for qubit in range(n_qubits)]


def rotations(
    weights: Float[Array, "*shape"], circuit: QDICircuit
) -> Complex[Array, "blocks depth qubits 2 2"]:
    """PennyLane's matrices of all trainable rotations at once."""
    qml = import_pennylane()
    with pennylane_settings(weights.dtype):
        if circuit.entangling == "strong":
            matrices = qml.Rot.compute_matrix(*weights.reshape(-1, 3).T)
        else:
            matrices = qml.RX.compute_matrix(weights.reshape(-1))
    shape = (circuit.n_encodings + 1, circuit.depth, circuit.n_qubits, 2, 2)
    return jnp.asarray(matrices, _complex(weights)).reshape(shape)


def block_gates(
    turns: Complex[Array, "depth qubits 2 2"], circuit: QDICircuit
) -> list[tuple[Gate, Any]]:
    """The gates of a block: those of its templates, in their order."""
    n = circuit.n_qubits
    gates: list[tuple[Gate, Any]] = []
    for layer in range(circuit.depth):
        gates += [(Gate((qubit,), None), turns[layer, qubit]) for qubit in range(n)]
        gates += [(Gate(pair, _cnot(pair, n)), None) for pair in entangling_cnots(circuit, layer)]
    return gates


def _complex(real: Array) -> jnp.dtype:
    return jnp.promote_types(real.dtype, jnp.complex64)


def _cnot(wires: tuple[int, ...], n_qubits: int) -> np.ndarray:
    """The basis state that each one comes from: the target is flipped where the control is 1."""
    control, target = (n_qubits - 1 - wire for wire in wires)
    states = np.arange(2**n_qubits)
    return states ^ ((states >> control & 1) << target)


def merge(gates: Sequence[tuple[Gate, Any]], like: Float[Array, "..."]) -> list[Layer]:
    """Gates and their matrices, in order, as few layers in the precision of an array."""
    layers: list[Layer] = []
    singles: dict[int, Array] = {}
    rows: np.ndarray | None = None
    for gate, matrix in gates:
        if gate.rows is not None:
            rows = gate.rows if rows is None else rows[gate.rows]
            continue
        if rows is not None:
            layers.append(Layer(singles, rows))
            singles, rows = {}, None
        (qubit,) = gate.wires
        matrix = jnp.asarray(matrix, _complex(like))
        singles[qubit] = exact_matmul(matrix, singles[qubit]) if qubit in singles else matrix
    return [*layers, Layer(singles, rows)]


def apply_layers(layers: Sequence[Layer], state: State, n_qubits: int) -> State:
    """Applies one layer after another to every column."""
    for layer in layers:
        state = _apply_layer(layer, state, n_qubits)
    return state


def _apply_layer(layer: Layer, state: State, n_qubits: int) -> State:
    half = n_qubits if n_qubits <= _ONE_PRODUCT else n_qubits // 2
    columns = state.shape[-1]
    for qubits in (range(half), range(half, n_qubits)):
        if any(qubit in layer.singles for qubit in qubits):
            inner = 2 ** (n_qubits - 1 - qubits[-1])
            shape = (2, -1, 2 ** len(qubits), inner * columns)
            matrix = _kronecker(layer.singles, qubits)
            state = _on_axis(matrix, state.reshape(shape)).reshape(2, 2**n_qubits, columns)
    return state if layer.rows is None else state[:, layer.rows]


def _kronecker(singles: Mapping[int, Array], qubits: range) -> Complex[Array, "rows rows"]:
    identity = jnp.eye(2, dtype=next(iter(singles.values())).dtype)
    return functools.reduce(jnp.kron, [singles.get(qubit, identity) for qubit in qubits])


def _on_axis(matrix: Complex[Array, "rows rows"], state: Array) -> Array:
    """Multiplies axis 2 of ``[2, outer, rows, inner]``."""
    real, rows = real_form(matrix.real, matrix.imag), len(matrix)
    if state.shape[1] == 1:
        return exact_matmul(real, state.reshape(2 * rows, -1)).reshape(state.shape)
    tensor = real.reshape(2, rows, 2, rows)
    return jnp.einsum("risj,sojc->roic", tensor, state, precision=jax.lax.Precision.HIGHEST)


def real_form(
    re: Float[Array, "states states"], im: Float[Array, "states states"]
) -> Float[Array, "twice twice"]:
    """The real matrix that acts on stacked real and imaginary parts as ``re + i im`` does."""
    return jnp.block([[re, -im], [im, re]])
