"""How much memory a circuit needs, known before any of it is allocated.

A state holds 2**n_qubits complex amplitudes per edge. For energies and forces, which differentiate
in the features alone, a program keeps some states per encoding, and one per layer where layers act
on edges; the matrix of a block holds (2 · 2**n_qubits)² real numbers. How many of each are alive at
a time was read from XLA's plans for CPUs (`pytest
tests/allegro_jax/quantum/test_memory.py` compares them). Training on forces differentiates in the
weights too, and takes two to four times as much.
"""

import jax.numpy as jnp
from jax.typing import DTypeLike

from allegro_jax.memory import available_bytes, gigabytes
from allegro_jax.quantum.circuits import QDICircuit

TRAINING = 4.0
"""Memory of training on forces over that of the forces themselves, at most."""


def estimated_bytes(
    circuit: QDICircuit, edges: int, simulator: str, dtype: DTypeLike = jnp.float32
) -> int:
    """Memory that energies and forces of a circuit need.

    Args:
        circuit: The circuit.
        edges: Edges that are evaluated at a time.
        simulator: "unitaries", "layers" or "qnode".
        dtype: float32 or float64.

    Example:
        >>> estimated_bytes(QDICircuit(10, 10, 4), edges=2000, simulator="layers") // 10**6
        114
    """
    n, encodings, itemsize = circuit.n_qubits, circuit.n_encodings, jnp.dtype(dtype).itemsize
    gates = circuit.depth * (encodings + 1) * 2 * n + circuit.n_features
    states = {
        "unitaries": 2 * encodings + 1,
        "layers": (circuit.depth + 2) * encodings + 1,
        "qnode": gates // 3 + 6,
    }[simulator]
    matrices = 2 * encodings if simulator == "unitaries" else 0
    eigenvalues = 8 * n * 2**n
    return itemsize * (2 * states * 2**n * edges + matrices * 4 ** (n + 1)) + eigenvalues


def check_memory(
    circuit: QDICircuit, edges: int, simulator: str, dtype: DTypeLike = jnp.float32
) -> None:
    """Refuses what cannot fit, before anything is allocated.

    Raises:
        ValueError: Energies and forces need more than the memory of the device.
    """
    if not isinstance(edges, int):
        return  # a program is exported for any number of edges
    needed, available = estimated_bytes(circuit, edges, simulator, dtype), available_bytes()
    if available is None or needed <= available:
        return
    raise ValueError(
        f"a circuit of {circuit.n_qubits} qubits and depth {circuit.depth} on {edges} edges at a "
        f"time needs about {gigabytes(needed)} with simulator={simulator!r} (training up "
        f"to {TRAINING:.0f} times that), and this device has {gigabytes(available)}; use "
        f"{_advice(circuit, edges, simulator, dtype, available)}"
    )


def _advice(
    circuit: QDICircuit, edges: int, simulator: str, dtype: DTypeLike, available: int
) -> str:
    """What would fit."""
    if simulator != "layers" and estimated_bytes(circuit, edges, "layers", dtype) <= available:
        return "simulator='layers' or fewer qubits"
    none, one = (estimated_bytes(circuit, number, "layers", dtype) for number in (0, 1))
    if one <= available:
        fitting = (available - none) // (one - none)
        return f"fewer qubits, smaller batches (at most {fitting} edges), or less depth"
    return "fewer qubits, each of which halves the need"
