"""A state-vector simulator in NumPy of the gates that `quantum.structure` lists."""

import numpy as np

from allegro_jax.quantum.structure import CNOT, gates

PAULIS = {
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def on_qubit(matrix, qubit, state):
    return np.moveaxis(np.tensordot(matrix, state, axes=(1, qubit)), 0, qubit)


def flip(gate, state):
    state = np.moveaxis(state.copy(), (gate.control, gate.target), (0, 1))
    state[1] = state[1, ::-1].copy()
    return np.moveaxis(state, (0, 1), (gate.control, gate.target))


def expectations(circuit, features, weights):
    """Values of one edge."""
    state = np.zeros((2,) * circuit.n_qubits, complex)
    state.flat[0] = 1
    for gate in gates(circuit):
        if isinstance(gate, CNOT):
            state = flip(gate, state)
            continue
        angle = features[gate.feature] if gate.weight is None else weights[gate.weight]
        turn = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * PAULIS[gate.axis]
        state = on_qubit(turn, gate.qubit, state)
    return np.array(
        [np.vdot(state, on_qubit(PAULIS[circuit.measure], q, state)).real for q in circuit.measured]
    )
