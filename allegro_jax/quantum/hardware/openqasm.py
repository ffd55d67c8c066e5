"""A circuit with its numbers filled in as an OpenQASM 2.0 program, by PennyLane's own writer."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from allegro_jax.quantum.diagnostics.circuit_function import (
    CircuitFunction,
    circuit_tape,
    reading_gates,
    wires_of,
)
from allegro_jax.quantum.pennylane_compat import import_pennylane


def to_openqasm(
    circuit: CircuitFunction,
    features: Float[np.ndarray, "features"],
    weights: Float[np.ndarray, "*shape"],
    precision: int | None = None,
) -> str:
    """Writes a circuit for one vector of features.

    The gates that turn the measured Pauli operators into Z come last, so that <P_q> is the mean of
    (-1)**c[q] over the shots, and the mean of a Pauli word that of the product over its qubits. All
    qubits are measured.

    Args:
        circuit: made of a QNode.
        features: angles of one edge.
        weights: of the circuit.
        precision: significant digits of the angles; None for all.

    Raises:
        ValueError: No circuit, or arrays of other sizes.

    Example:
        >>> import numpy as np
        >>> from allegro_jax.quantum.circuits import QDICircuit
        >>> from allegro_jax.quantum.diagnostics import of_qdi
        >>> text = to_openqasm(of_qdi(QDICircuit(2, 2)), np.ones(2), np.ones((2, 1, 2, 3)))
        >>> text.splitlines()[0], text.count("cx")
        ('OPENQASM 2.0;', 4)
    """
    qml = import_pennylane()
    qnode = circuit.require_qnode("OpenQASM")
    features, weights = np.asarray(features, np.float64), np.asarray(weights, np.float64)
    if features.shape != (circuit.n_features,) or weights.size != circuit.n_weights:
        raise ValueError(
            f"expected features of shape ({circuit.n_features},) and {circuit.n_weights} weights, "
            f"got {features.shape} and {weights.size}; give the angles of one edge"
        )
    tape = circuit_tape(qnode, features, weights.reshape(circuit.weight_shape))
    wires = qml.wires.Wires(wires_of(qnode, tape))
    # PennyLane's own rotations turn a qubit once for every word that it is in.
    gates = [*tape.operations, *reading_gates(tape)]
    turned = tape.copy(operations=gates, measurements=[qml.probs(wires=wires)])
    return qml.to_openqasm(turned, wires=wires, rotations=False, precision=precision)
