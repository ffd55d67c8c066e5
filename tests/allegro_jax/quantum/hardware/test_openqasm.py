"""Exported programs, run by a small simulator of their own."""

import re

import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics import of_qdi, sample_circuit
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
    """The means of (-1)**c[q] of an OpenQASM 2.0 program."""
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
    probabilities = np.abs(state) ** 2
    ones = [probabilities.take(1, axis=q).sum() for q in range(n)]
    measured = re.findall(r"measure q\[(\d+)\] -> c\[(\d+)\]", program)
    assert measured == [(str(q), str(q)) for q in range(n)]
    return 1 - 2 * np.array(ones)


@pytest.mark.parametrize(
    "circuit",
    [
        QDICircuit(4),
        QDICircuit(6, 3, 2, "basic", "X", "Z"),
        QDICircuit(4, 2, 1, "strong", "Y", "X"),
    ],
    ids=lambda circuit: f"{circuit.entangling} {circuit.rotation} {circuit.measure}",
)
def test_the_exported_program_gives_the_expectation_values(circuit):
    function = of_qdi(circuit)
    samples = sample_circuit(function, 1, 1)
    program = to_openqasm(function, samples.features[0], samples.weights[0])
    np.testing.assert_allclose(run(program), samples.outputs[0, 0], atol=1e-12)


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
