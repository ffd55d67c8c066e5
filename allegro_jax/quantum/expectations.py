"""Expectation values of any circuit, by the simulator that suits it.

=============  ====================================  =======================================
simulator      what it does for every edge           cost of an edge
=============  ====================================  =======================================
``unitaries``  a phase and a matrix per encoding     4**n_qubits, whatever the depth
``layers``     two half-sized matrices per layer     2**(1.5 n_qubits) times the depth
``qnode``      PennyLane's simulation, gate by gate  2**n_qubits times the number of gates
=============  ====================================  =======================================

All compute the same function. ``auto`` takes matrices of blocks unless the circuit is wide and
shallow, `LAYER_COST` · depth < 2**n_qubits (measured: docs/quantum.md).
"""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.quantum.circuits import QDICircuit, check_shapes, qdi_expectations
from allegro_jax.quantum.layers import expectations_by_layers
from allegro_jax.quantum.memory import check_memory
from allegro_jax.quantum.unitaries import expectations_by_unitaries

SIMULATORS: Mapping[str, Callable[..., Array]] = {
    "unitaries": expectations_by_unitaries,
    "layers": expectations_by_layers,
    "qnode": qdi_expectations,
}

LAYER_COST = 250
"""Amplitudes per layer at which both cost the same: measured at 8 qubits of depth 1 (a draw) and 4
(matrices win by 2.5), and at 10 qubits of depth 4 (layers win by 1.3)."""


def chosen_simulator(circuit: QDICircuit, simulator: str = "auto") -> str:
    """The simulator that "auto" stands for; any other as it is.

    Raises:
        ValueError: There is no such simulator.
    """
    if simulator == "auto":
        shallow = LAYER_COST * circuit.depth < 2**circuit.n_qubits
        return "layers" if shallow else "unitaries"
    if simulator not in SIMULATORS:
        raise ValueError(
            f"simulator must be one of auto, {', '.join(SIMULATORS)}; got {simulator!r}"
        )
    return simulator


def expectations(
    features: Float[Array, "edges features"],
    weights: Float[Array, "*shape"],
    circuit: QDICircuit,
    simulator: str = "auto",
) -> Float[Array, "edges outputs"]:
    """Expectation values of a QDI circuit on every edge.

    Args:
        features: Rotation angles in radians, ``[edges, n_features]``, float32 or float64.
        weights: Trainable angles in radians, ``circuit.weight_shape``.
        circuit: The circuit.
        simulator: One of `SIMULATORS`, or "auto".

    Returns:
        Values in [-1, 1], ``[edges, n_outputs]``, in the dtype of ``features``.

    Raises:
        ValueError: A shape does not fit the circuit, or the circuit not the memory.

    Example:
        >>> import jax.numpy as jnp
        >>> circuit = QDICircuit(n_features=6, n_qubits=3, depth=2, measurement_mode="even")
        >>> expectations(jnp.zeros((10, 6)), jnp.ones(circuit.weight_shape), circuit).shape
        (10, 2)
    """
    features = jnp.asarray(features)
    check_shapes(features, weights, circuit)
    name = chosen_simulator(circuit, simulator)
    check_memory(circuit, features.shape[0], name, features.dtype)
    return SIMULATORS[name](features, jnp.asarray(weights, features.dtype), circuit)
