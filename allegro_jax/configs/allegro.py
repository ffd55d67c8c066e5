"""The current architecture: nequip-allegro 0.5 to 0.8."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from allegro_jax.configs.base import ModelConfig, Normalization
from allegro_jax.configs.checks import is_integer, is_positive, require
from allegro_jax.configs.parts import MLPConfig, SplineBasis


@dataclass(frozen=True)
class AllegroConfig(ModelConfig):
    """Everything that fixes the shape and the constants of an Allegro model.

    Attributes:
        num_scalar_features: channels of each block of the scalar track.
        radial_chemical_embed_dim: channels of the two-body embedding, even for Bessel functions;
            None takes `num_scalar_features`.
        splines: `SplineBasis` instead of the Bessel functions, or None.
        per_edge_type_cutoff: cutoffs [centre type][neighbour type] (Å), at most `cutoff` each.
        scalar_embed_mlp: perceptron after the two-body embedding.
        allegro_mlp: perceptron of every layer.
        forward_normalize: scale weights by their fan-in (else by their fan-out).
        tp_path_channel_coupling: a tensor-product weight per path and channel (else per path).
        weight_individual_irreps: environment weights per irrep and channel (else per channel).

    The other attributes, from `type_names` and `cutoff` to `precision`, are those of
    `ModelConfig`.
    """

    num_scalar_features: int = 64
    radial_chemical_embed_dim: int | None = None
    splines: SplineBasis | None = None
    per_edge_type_cutoff: tuple[tuple[float, ...], ...] | None = None
    scalar_embed_mlp: MLPConfig = MLPConfig()
    allegro_mlp: MLPConfig = MLPConfig()
    forward_normalize: bool = True
    tp_path_channel_coupling: bool = True
    weight_individual_irreps: bool = True

    architecture: ClassVar[str] = "2025"
    part_types: ClassVar[Mapping[str, type]] = {
        **ModelConfig.part_types,
        "scalar_embed_mlp": MLPConfig,
        "allegro_mlp": MLPConfig,
        "splines": SplineBasis,
    }

    def _check_sizes(self) -> None:
        super()._check_sizes()
        ok = is_integer(self.num_scalar_features, 1)
        require(ok, self, "num_scalar_features", "an integer >= 1")

    def _check_radial(self) -> None:
        super()._check_radial()
        dim = self.embedding_dim
        if not is_integer(dim, 1) or (self.splines is None and dim % 2):
            raise ValueError(
                "AllegroConfig.radial_chemical_embed_dim (num_scalar_features where it is None) "
                f"must be a positive even number, half for each atom of the edge; got {dim!r}."
            )
        if self.per_edge_type_cutoff is not None:
            self._check_edge_cutoffs(self.per_edge_type_cutoff)

    def _check_edge_cutoffs(self, table: tuple[tuple[float, ...], ...]) -> None:
        n = len(self.type_names)
        square = len(table) == n and all(isinstance(row, tuple) and len(row) == n for row in table)
        ok = square and all(is_positive(r) and r <= self.cutoff for row in table for r in row)
        expected = f"{n} rows of {n} lengths between 0 and cutoff = {self.cutoff} Å, or None"
        require(ok, self, "per_edge_type_cutoff", expected)

    @property
    def embedding_dim(self) -> int:
        """Channels of the two-body embedding."""
        dim = self.radial_chemical_embed_dim
        return self.num_scalar_features if dim is None else dim

    @property
    def normalization(self) -> Normalization:
        """How the weights of the perceptrons are scaled; see `allegro_jax.nn.mlp.MLP`."""
        return "fan_in" if self.forward_normalize else "fan_out"
