"""Parts that the configs of models are made of: precision, perceptrons, splines, repulsion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from allegro_jax.configs.checks import (
    Nonlinearity,
    build,
    is_integer,
    is_number,
    is_positive,
    require,
    require_nonlinearity,
)


@dataclass(frozen=True)
class Precision:
    """Which part of the model runs in which floating-point type.

    Attributes:
        geometry: edge vectors, lengths, radial basis, envelope and spherical harmonics.
        network: weights, scalar and tensor features.
        energy: sums of edge energies, scales, shifts and pair terms.
    """

    geometry: str = "float32"
    network: str = "float32"
    energy: str = "float32"

    def __post_init__(self) -> None:
        for field in ("geometry", "network", "energy"):
            choices = ("bfloat16", "float32", "float64")
            require(getattr(self, field) in choices, self, field, f"one of {choices}")

    @property
    def needs_x64(self) -> bool:
        """Whether any part asks for float64, which JAX gives only where x64 is enabled."""
        return "float64" in (self.geometry, self.network, self.energy)

    @property
    def needs_master(self) -> bool:
        """Whether training keeps parameters in float32 that the model sees in bfloat16."""
        return "bfloat16" in (self.geometry, self.network, self.energy)


@dataclass(frozen=True)
class MLPConfig:
    """Hidden layers of a bias-free perceptron; depth 0 leaves one matrix.

    Attributes:
        depth: number of hidden layers.
        width: channels of each of them.
        nonlinearity: "silu", "mish", "gelu", or None for a product of matrices.
    """

    depth: int = 1
    width: int = 64
    nonlinearity: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        require(is_integer(self.depth, 0), self, "depth", "an integer >= 0")
        require(is_integer(self.width, 1), self, "width", "an integer >= 1")
        require_nonlinearity(self, "nonlinearity")


@dataclass(frozen=True)
class SplineBasis:
    """Radial basis of squared raised cosines with one set of coefficients per pair of types."""

    num_splines: int = 16
    span: int = 12

    def __post_init__(self) -> None:
        require(is_integer(self.num_splines, 1), self, "num_splines", "an integer >= 1")
        within = f"an integer between 0 and num_splines - 1 = {self.num_splines - 1}"
        require(is_integer(self.span, 0) and self.span < self.num_splines, self, "span", within)


@dataclass(frozen=True)
class ZBL:
    """Screened nuclear repulsion added to the model (eV, Å), with its own envelope exponent.

    Attributes:
        polynomial_cutoff_p: exponent p of the envelope u_p, with which it vanishes.
        cutoff: where it vanishes. None is the cutoff of the edge, as nequip has it; "covalent" the
            sum of the covalent radii of the two elements (Cordero et al., Dalton Trans. 2832
            (2008)), about the length of a bond; a number is one distance (Å) for all pairs. The
            cutoff of the edge is never exceeded.
    """

    polynomial_cutoff_p: float = 6.0
    cutoff: float | Literal["covalent"] | None = None

    def __post_init__(self) -> None:
        ok = is_number(self.polynomial_cutoff_p) and self.polynomial_cutoff_p >= 2
        require(ok, self, "polynomial_cutoff_p", "a number >= 2")
        ok = self.cutoff in (None, "covalent") or is_positive(self.cutoff)
        require(ok, self, "cutoff", "a positive length in Å, 'covalent' or None")


def as_pair_potential(value: Any) -> Any:
    """Returns a pair potential for the names that users give it; anything else as it is.

    Args:
        value: "zbl", "zbl-covalent", or a mapping of the fields of `ZBL`.

    Raises:
        ValueError: another name, or other fields.
    """
    if isinstance(value, Mapping):
        return build(ZBL, value)
    if not isinstance(value, str):
        return value
    named = {"zbl": ZBL(), "zbl-covalent": ZBL(cutoff="covalent")}
    if value.lower() not in named:
        raise ValueError(
            f"pair_potential must be 'zbl', 'zbl-covalent', a ZBL or None; got {value!r}."
        )
    return named[value.lower()]
