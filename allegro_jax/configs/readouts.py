"""Per-edge readouts: which function of the edge scalars is the edge energy."""

from dataclasses import dataclass

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
