"""Exported programs, run by a small simulator of their own."""

import re

import numpy as np
import pennylane as qml
import pytest

from allegro_jax.quantum import register_circuit, registry
from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics import of_circuit, of_qdi, sample_circuit
from allegro_jax.quantum.hardware import to_openqasm

NUMBER = r"-?\d+\.?\d*(?:e-?\d+)?"
GATE = rf"^(\w+)(?:\(({NUMBER})\))? (q[^;>]*);$"
PAULI = {
    "x": np.array([[0, 1], [1, 0]]),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1, -1]),
}
FIXED = {"h": np.array([[1, 1], [1, -1]]) / np.sqrt(2), "s": np.diag([1, 1j]), **PAULI}


def gate(name, angle):
    if angle is None:
        return FIXED[name]
    return np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * PAULI[name[1]]


def run(program):
    """Probabilities of the outcomes c[0] c[1] ... of an OpenQASM 2.0 program."""
    n = int(re.search(r"qreg q\[(\d+)\]", program)[1])
    state = np.zeros((2,) * n, complex)
    state[(0,) * n] = 1
    for name, angle, wires in re.findall(GATE, program, re.MULTILINE):
        if name == "qreg":
            continue
        qubits = [int(q) for q in re.findall(r"\d+", wires)]
        if name == "cx":
            matrix = np.eye(4)[[0, 1, 3, 2]].reshape(2, 2, 2, 2)
        else:
            matrix = gate(name, float(angle) if angle else None)
        axes = (range(len(qubits), 2 * len(qubits)), qubits)
        state = np.moveaxis(np.tensordot(matrix, state, axes), range(len(qubits)), qubits)
    measured = re.findall(r"measure q\[(\d+)\] -> c\[(\d+)\]", program)
    assert measured == [(str(q), str(q)) for q in range(n)]
    return np.abs(state.ravel()) ** 2


@pytest.mark.parametrize(
    "circuit",
    [
        QDICircuit(4),
        QDICircuit(6, 3, 2, "basic", "X", "Z"),
        QDICircuit(4, 2, 1, "strong", "Y", "X"),
        QDICircuit(3, 3, 2, "strong", "Z", "Y", (2, 1), "single"),
        QDICircuit(4, 4, 1, "strong", "Z", "X", (3,), "even"),
    ],
    ids=lambda circuit: (
        f"{circuit.entangling} {circuit.rotation} {circuit.measure} {circuit.measurement_mode}"
    ),
)
def test_the_exported_program_gives_the_expectation_values(circuit):
    assert_exported(of_qdi(circuit))


def assert_exported(function):
    samples = sample_circuit(function, 1, 1)
    program = to_openqasm(function, samples.features[0], samples.weights[0])
    _, eigenvalues = function.require_state("a test")
    np.testing.assert_allclose(eigenvalues @ run(program), samples.outputs[0, 0], atol=1e-12)


def test_words_on_the_same_qubits_of_a_circuit_of_the_user_are_read_together():
    """Each qubit is turned once, in whatever order and under whatever names."""

    @qml.qnode(qml.device("default.qubit", wires=["a", "b"]), diff_method="backprop")
    def qnode(features, weights):
        qml.AngleEmbedding(features, wires=["a", "b"])
        qml.BasicEntanglerLayers(weights, wires=["a", "b"])
        return [qml.expval(qml.X("b")), qml.expval(qml.Y("a") @ qml.X("b"))]

    circuit = register_circuit("exported", qnode, n_features=2, weight_shape=(1, 2))
    registry._CIRCUITS.pop("exported")
    assert_exported(of_circuit(circuit))


def test_the_program_of_the_paper_has_its_gates():
    program = to_openqasm(of_qdi(QDICircuit(4)), np.zeros(4), np.ones(24))
    counts = [program.count(f"\n{name}") for name in ("rz", "ry", "cx")]
    assert counts == [4 * 2 * 2 + 4, 8, 8]


def test_angles_can_be_rounded():
    program = to_openqasm(of_qdi(QDICircuit(2, 2)), np.zeros(2), np.full(12, 1 / 3), precision=3)
    assert "rz(0.333)" in program
    assert "0.3333" not in program


def test_features_of_many_edges_are_refused():
    with pytest.raises(ValueError, match=r"one edge"):
        to_openqasm(of_qdi(QDICircuit(4)), np.zeros((3, 4)), np.zeros(24))
