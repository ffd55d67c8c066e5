"""The simulators of a quantum circuit against PennyLane's QNode, in training's double backward.

`python -m experiments.benchmarks.circuits REQUEST` measures one of them: value and gradient in the
weights of the sum of squared input gradients, g(w) = Σ_edges |∂/∂x Σ_q <P_q>(x, w)|².
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from typing import Any

SIMULATORS = ("auto", "unitaries", "layers", "qnode")


@dataclasses.dataclass(frozen=True)
class CircuitCase:
    """A circuit on a number of edges; as many features as qubits.

    Attributes:
        qubits: Width.
        depth: Entangling layers of every trainable block.
        edges: Size of the batch.
    """

    qubits: int
    depth: int = 2
    edges: int = 2000

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields, for a JSON line."""
        return {"circuit": dataclasses.asdict(self)}

    @property
    def name(self) -> str:
        """A few words, for tables."""
        return f"circuit {self.qubits} qubits depth {self.depth}, double backward"


def measure(case: CircuitCase, simulator: str, seconds: float) -> dict[str, Any]:
    """Compiles and times a simulator in this process."""
    import jax

    from allegro_jax.quantum.circuits import QDICircuit
    from allegro_jax.quantum.expectations import expectations
    from experiments.benchmarks.measuring import jax_program

    circuit = QDICircuit(n_features=case.qubits, n_qubits=case.qubits, depth=case.depth)

    def squared_gradients(weights: jax.Array, features: jax.Array) -> jax.Array:
        gradient = jax.grad(lambda x: expectations(x, weights, circuit, simulator).sum())(features)
        return (gradient**2).sum()

    keys = jax.random.split(jax.random.key(0))
    weights = jax.random.uniform(keys[0], circuit.weight_shape, maxval=6.28)
    features = jax.random.normal(keys[1], (case.edges, case.qubits))
    function = jax.value_and_grad(squared_gradients)
    result, _ = jax_program.measure(function, (weights, features), seconds)
    packages = ("jax", "pennylane")
    return {
        **result,
        "parameters": weights.size,
        "edges": case.edges,
        "padded_edges": case.edges,
        "platform": jax.default_backend(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def main() -> None:
    """Answers the request file that the first argument names."""
    from experiments.benchmarks.measuring import stopwatch

    request = stopwatch.request()
    case = CircuitCase(**request["circuit"])
    stopwatch.answer(**measure(case, request["simulator"], request["seconds"]))


if __name__ == "__main__":
    main()
