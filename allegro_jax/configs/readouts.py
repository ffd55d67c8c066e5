"""Per-edge readouts: which function of the edge scalars is the edge energy."""

from dataclasses import dataclass
from typing import Literal

from allegro_jax.configs.checks import (
    Nonlinearity,
    freeze,
    is_integer,
    require,
    require_nonlinearity,
    require_widths,
)


@dataclass(frozen=True)
class MLPReadout:
    """Plain Allegro: E_ij = MLP(h_ij; hidden; 1), without biases."""

    hidden: tuple[int, ...] = (32,)
    activation: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", freeze(self.hidden))
        require_widths(self, "hidden")
        require_nonlinearity(self, "activation")


@dataclass(frozen=True)
class StackedMLPReadout:
    """Allegro+MLP: E_ij = MLP(MLP(h_ij; hidden; features); final_hidden; 1), without biases."""

    hidden: tuple[int, ...] = (32,)
    features: int = 16
    final_hidden: tuple[int, ...] = (64, 64)
    activation: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", freeze(self.hidden))
        object.__setattr__(self, "final_hidden", freeze(self.final_hidden))
        require_widths(self, "hidden")
        require(is_integer(self.features, 1), self, "features", "an integer >= 1")
        require_widths(self, "final_hidden")
        require_nonlinearity(self, "activation")


@dataclass(frozen=True)
class QDIReadout:
    """Allegro+QDI: a quantum depth-infused circuit between two linear maps of the edge scalars.

    E_ij = u(r_ij) Linear(Linear(QDI(MLP(h_ij; hidden; features)); final_width); 1).

    Attributes:
        hidden: widths of the perceptron before the circuit.
        features: numbers encoded into the circuit, a multiple of `n_qubits`.
        n_qubits: width of the circuit.
        depth: entangling layers per trainable block.
        entangling: "strong" (three angles per qubit) or "basic" (one angle).
        rotation: axis of the rotations that encode the features.
        measure: Pauli operator whose expectation is read on every qubit.
        final_width: channels between the circuit and the edge energy.
        activation: nonlinearity of the classical parts.
        simulator: "unitaries" (exact, at nearly classical speed) or "qnode" (PennyLane's own
            state-vector simulation, gate by gate); both compute the same function.
    """

    hidden: tuple[int, ...] = (32,)
    features: int = 4
    n_qubits: int = 4
    depth: int = 1
    entangling: Literal["strong", "basic"] = "strong"
    rotation: Literal["X", "Y", "Z"] = "Z"
    measure: Literal["X", "Y", "Z"] = "Y"
    final_width: int = 16
    activation: Nonlinearity | None = "silu"
    simulator: Literal["unitaries", "qnode"] = "unitaries"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", freeze(self.hidden))
        require_widths(self, "hidden")
        for field in ("n_qubits", "features", "depth", "final_width"):
            require(is_integer(getattr(self, field), 1), self, field, "an integer >= 1")
        multiple = f"a multiple of n_qubits = {self.n_qubits}"
        require(self.features % self.n_qubits == 0, self, "features", multiple)
        require(self.entangling in ("strong", "basic"), self, "entangling", "'strong' or 'basic'")
        for field in ("rotation", "measure"):
            require(getattr(self, field) in ("X", "Y", "Z"), self, field, "'X', 'Y' or 'Z'")
        ok = self.simulator in ("unitaries", "qnode")
        require(ok, self, "simulator", "'unitaries' or 'qnode'")
        require_nonlinearity(self, "activation")
