"""Controls of the QDI readout: something else in the place of the trained circuit.

A quantum readout that beats a smaller classical one says nothing about the circuit. With
z = MLP(h_ij; hidden; features), each class here takes one thing away from
E_ij = u(r_ij) Linear(β + Linear(QDI(z))):

* `MLPControl`: the circuit, the number of parameters being kept (`models.capacity.equal_mlp`);
* `TrigonometricControl`: that it is a circuit, the frequencies being kept;
* `FrozenQDIReadout`: that it is trained;
* `LinearControl`: that it is nonlinear.

All are multiplied with the envelope, as QDI is.
"""

from dataclasses import dataclass
from typing import Self

from allegro_jax.configs.checks import (
    Nonlinearity,
    freeze,
    is_integer,
    require,
    require_nonlinearity,
    require_widths,
)
from allegro_jax.configs.quantum import QDIReadout

MAX_FREQUENCIES = 3**7
"""Largest spectrum that a trigonometric control takes whole."""


@dataclass(frozen=True)
class MLPControl:
    """A perceptron with biases in place of the circuit and its linear maps.

    E_ij = u(r_ij) Linear(φ(β_k + W_k ... φ(β_1 + W_1 z)); 1).

    Attributes:
        hidden: widths of the perceptron that makes z.
        features: length of z.
        final_hidden: widths of the layers with biases.
        activation: nonlinearity everywhere.
    """

    hidden: tuple[int, ...] = (32,)
    features: int = 4
    final_hidden: tuple[int, ...] = (20,)
    activation: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        for field in ("hidden", "final_hidden"):
            object.__setattr__(self, field, freeze(getattr(self, field)))
            require_widths(self, field)
        require(is_integer(self.features, 1), self, "features", "an integer >= 1")
        require_nonlinearity(self, "activation")


def _widths(qdi: QDIReadout) -> tuple[tuple[int, ...], int, int, int]:
    """Widths of a QDI readout that has one circuit and nothing beside it."""
    if qdi.n_circuits > 1 or qdi.parallel_widths:
        raise ValueError(
            "this control stands for one circuit alone; got a QDI readout with "
            f"n_circuits={qdi.n_circuits} and parallel_widths={qdi.parallel_widths}"
        )
    n = qdi.n_qubits
    outputs = {"none": n, "even": (n + 1) // 2, "single": 1}[qdi.measurement_mode]
    return qdi.hidden, qdi.features, outputs, qdi.final_width


@dataclass(frozen=True)
class LinearControl:
    """A linear bottleneck: E_ij = u(r_ij) Linear(β + Linear(Linear(z; outputs); final_width); 1).

    Attributes:
        hidden: widths of the perceptron that makes z.
        features: length of z.
        outputs: numbers that come out in place of the expectation values.
        final_width: channels between them and the edge energy.
        activation: nonlinearity of the perceptron that makes z.
    """

    hidden: tuple[int, ...] = (32,)
    features: int = 4
    outputs: int = 4
    final_width: int = 16
    activation: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", freeze(self.hidden))
        require_widths(self, "hidden")
        for field in ("features", "outputs", "final_width"):
            require(is_integer(getattr(self, field), 1), self, field, "an integer >= 1")
        require_nonlinearity(self, "activation")

    @classmethod
    def of(cls, qdi: QDIReadout) -> Self:
        """Returns the control of a QDI readout: the same widths everywhere.

        Raises:
            ValueError: The readout has several circuits or a perceptron beside them.
        """
        return cls(*_widths(qdi), qdi.activation)


@dataclass(frozen=True)
class TrigonometricControl(LinearControl):
    """A trained trigonometric polynomial: the linear bottleneck behind cos(ω·z) and sin(ω·z).

    A QDI circuit that encodes every feature once by a Pauli rotation is such a polynomial with the
    frequencies ω in {-1, 0, 1}^features (Schuld, Sweke and Meyer, Phys. Rev. A 103, 032430, 2021):
    81 for the paper's four features. Here all coefficients are free; the circuit ties them to a few
    angles. ω = 0 is the bias β, and of ω and -ω one is enough.

    Attributes:
        frequencies: how many of the frequencies but zero, up to sign, to draw; None takes all
            (3^features - 1) / 2, as long as the spectrum has no more than `MAX_FREQUENCIES`.
        seed: of the draw.
    """

    frequencies: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_integer(self.seed, 0), self, "seed", "an integer >= 0")
        largest = (3**self.features - 1) // 2
        if self.frequencies is None:
            expected = (
                f"at most {largest}, for {self.features} features have more than the "
                f"{MAX_FREQUENCIES} frequencies that are taken whole: say how many to draw"
            )
            require(3**self.features <= MAX_FREQUENCIES, self, "frequencies", expected)
            return
        ok = is_integer(self.frequencies, 1) and self.frequencies <= largest
        require(ok, self, "frequencies", f"an integer from 1 to {largest}, or None for all")

    @property
    def n_frequencies(self) -> int:
        """Frequencies but zero, up to sign."""
        return (3**self.features - 1) // 2 if self.frequencies is None else self.frequencies

    @classmethod
    def of(cls, qdi: QDIReadout, frequencies: int | None = None, seed: int = 0) -> Self:
        """Returns the control of a QDI readout: same widths, and frequencies of the circuit."""
        return cls(*_widths(qdi), qdi.activation, frequencies, seed)


@dataclass(frozen=True)
class FrozenQDIReadout(QDIReadout):
    """QDI whose circuit keeps the random weights it starts from; all else is trained.

    The weights are parameters like any others, drawn by the seed of the training and saved with
    the potential. Their gradient is stopped, so that it is exactly zero.
    """

    @classmethod
    def of(cls, qdi: QDIReadout) -> Self:
        """Returns the control of a QDI readout: equal but for the training of the circuit."""
        return cls(**{name: getattr(qdi, name) for name in qdi.__dataclass_fields__})
