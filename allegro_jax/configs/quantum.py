"""Quantum circuits as parts of a model: layers and readouts."""

from dataclasses import dataclass, field
from typing import Literal

from allegro_jax.configs.checks import (
    Nonlinearity,
    freeze,
    is_integer,
    is_number,
    is_positive,
    require,
    require_nonlinearity,
    require_widths,
)
from allegro_jax.quantum.registry import registered_circuit


@dataclass(frozen=True)
class CircuitOptions:
    """What goes into any circuit, and how its weights start.

    Attributes:
        input_scale: factor of all angles before they are encoded.
        train_input_scale: make that factor, which starts at `input_scale`, a parameter.
        learn_frequency: multiply every feature by a parameter of its own, which starts at 1.
        initialization: "uniform" (any angle is as likely as any other), "normal"
            (of standard deviation `initial_std`, near the circuit without trainable rotations) or
            "zeros".
        initial_std: standard deviation of "normal" (radians).
    """

    input_scale: float = field(default=1.0, kw_only=True)
    train_input_scale: bool = field(default=False, kw_only=True)
    learn_frequency: bool = field(default=False, kw_only=True)
    initialization: Literal["uniform", "normal", "zeros"] = field(default="uniform", kw_only=True)
    initial_std: float = field(default=0.1, kw_only=True)

    def __post_init__(self) -> None:
        require(is_number(self.input_scale), self, "input_scale", "a finite number")
        for name in ("train_input_scale", "learn_frequency"):
            require(isinstance(getattr(self, name), bool), self, name, "True or False")
        choices = ("uniform", "normal", "zeros")
        require(self.initialization in choices, self, "initialization", f"one of {choices}")
        require(is_positive(self.initial_std), self, "initial_std", "a positive number")


@dataclass(frozen=True)
class QDIOptions(CircuitOptions):
    """A quantum depth-infused circuit; see `allegro_jax.quantum.circuits` for its gates.

    Attributes:
        features: numbers encoded into the circuit, a multiple of `n_qubits`.
        n_qubits: width of the circuit.
        depth: entangling layers per trainable block.
        entangling: "strong" (three angles per qubit) or "basic" (one angle).
        rotation: axis of the rotations that encode the features.
        measure: Pauli operator whose expectation is read.
        ranges: distance of the CNOTs of every layer, `depth` integers, or None for PennyLane's.
        measurement_mode: "none" (every qubit is read), "even" (0, 2, 4, ...) or "single" (qubit 0,
            after CNOTs from all others onto it).
        drop_dead_weights: leave out the weights whose gradient is exactly zero; the same function.
        simulator: "unitaries" (matrices of whole blocks), "layers" (layer by layer on all edges),
            "qnode" (PennyLane's own simulation, gate by gate), or "auto", the faster of the first
            two; all compute the same function.
    """

    features: int = 4
    n_qubits: int = 4
    depth: int = 1
    entangling: Literal["strong", "basic"] = "strong"
    rotation: Literal["X", "Y", "Z"] = "Z"
    measure: Literal["X", "Y", "Z"] = "Y"
    ranges: tuple[int, ...] | None = field(default=None, kw_only=True)
    measurement_mode: Literal["none", "even", "single"] = field(default="none", kw_only=True)
    drop_dead_weights: bool = field(default=False, kw_only=True)
    simulator: Literal["auto", "unitaries", "layers", "qnode"] = field(default="auto", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "ranges", freeze(self.ranges))
        for name in ("n_qubits", "features", "depth"):
            require(is_integer(getattr(self, name), 1), self, name, "an integer >= 1")
        require(self.features % self.n_qubits == 0, self, "features", self._fitting_features())
        self._check_choices()
        self._check_ranges()

    def _fitting_features(self) -> str:
        """Which numbers of features would do."""
        below = self.features // self.n_qubits * self.n_qubits
        fitting = [str(n) for n in (below, below + self.n_qubits) if n]
        return f"a multiple of n_qubits = {self.n_qubits}, such as {' or '.join(fitting)}"

    def _check_choices(self) -> None:
        choices = {
            "entangling": ("strong", "basic"),
            "rotation": ("X", "Y", "Z"),
            "measure": ("X", "Y", "Z"),
            "measurement_mode": ("none", "even", "single"),
            "drop_dead_weights": (True, False),
            "simulator": ("auto", "unitaries", "layers", "qnode"),
        }
        for name, allowed in choices.items():
            require(getattr(self, name) in allowed, self, name, f"one of {allowed}")

    def _check_ranges(self) -> None:
        if self.ranges is None:
            return
        fits = isinstance(self.ranges, tuple) and len(self.ranges) == self.depth
        fits = fits and all(is_integer(r, 1) and r % self.n_qubits for r in self.ranges)
        expected = f"None, or for strong entangling {self.depth} integers (the depth) >= 1"
        expected += f" that are no multiples of n_qubits = {self.n_qubits}"
        require(fits and self.entangling == "strong", self, "ranges", expected)


@dataclass(frozen=True)
class QDILayer(QDIOptions):
    """A QDI circuit inside a model; `ModelConfig.latent_circuit` takes one."""


@dataclass(frozen=True)
class CircuitHead:
    """What is before, beside and after the circuits of a quantum readout.

    E_ij = u(r_ij) Linear(β + Linear([C(z); MLP(z; parallel_widths)])), z = MLP(h_ij; hidden; F).

    Attributes:
        hidden: widths of the perceptron before the circuit.
        final_width: channels between the circuit and the edge energy.
        activation: nonlinearity of the classical parts.
        n_circuits: circuits in sequence, each with weights of its own; a linear map takes the
            outputs of one to the features of the next.
        parallel_widths: widths of a perceptron beside the circuits, on the same features; empty
            for none.
    """

    hidden: tuple[int, ...] = (32,)
    final_width: int = field(default=16, kw_only=True)
    activation: Nonlinearity | None = field(default="silu", kw_only=True)
    n_circuits: int = field(default=1, kw_only=True)
    parallel_widths: tuple[int, ...] = field(default=(), kw_only=True)

    def check_head(self) -> None:
        """Raises a ValueError that names the field that is out of range."""
        for name in ("hidden", "parallel_widths"):
            object.__setattr__(self, name, freeze(getattr(self, name)))
            require_widths(self, name)
        for name in ("final_width", "n_circuits"):
            require(is_integer(getattr(self, name), 1), self, name, "an integer >= 1")
        require_nonlinearity(self, "activation")


@dataclass(frozen=True)
class QDIReadout(QDIOptions, CircuitHead):
    """Allegro+QDI: a quantum depth-infused circuit between two linear maps of the edge scalars.

    E_ij = u(r_ij) Linear(Linear(QDI(MLP(h_ij; hidden; features)); final_width); 1), and the
    deeper hybrids of `CircuitHead`. Attributes are those of `CircuitHead`, `QDIOptions` and
    `CircuitOptions`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_head()


@dataclass(frozen=True)
class CircuitReadout(CircuitOptions, CircuitHead):
    """The readout through a circuit of your own; see `allegro_jax.quantum.register_circuit`.

    Attributes:
        circuit: name under which the circuit was registered. Only names are stored with a model, so
            a program that loads it must register the circuit first.

    The other attributes are those of `CircuitHead` and `CircuitOptions`.
    """

    circuit: str = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_head()
        require(isinstance(self.circuit, str), self, "circuit", "the name of a registered circuit")
        registered_circuit(self.circuit)
