"""The Allegro architecture, as in nequip-allegro 0.5 to 0.8 (after Musaelian et al. 2023).

Each directed edge ij carries scalars s and equivariant tensors V. A layer couples V_ij with the
environment of the centre i, Γ_i = Σ_j w_ij Y(r_ij) / √A, and feeds the invariants of the product
back to the scalars. The energy of an atom is the sum over its edges of a readout of all scalars.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.configs import AllegroConfig
from allegro_jax.models.base import EdgeEnergyModel, Edges, EdgeTypes
from allegro_jax.models.embedding import BesselEmbedding, SplineEmbedding
from allegro_jax.nn.environment import Components, edge_environments, weight_harmonics
from allegro_jax.nn.geometry import spherical_harmonics
from allegro_jax.nn.irreps import coupling_paths, harmonic_irreps, track_irreps
from allegro_jax.nn.mlp import MLP, uniform_unit_variance
from allegro_jax.nn.tensor_product import tensor_product


class Allegro(EdgeEnergyModel):
    """The current architecture: a dense scalar track [s⁰; s¹; ...; s^L], f = 1/√2.

    Attributes:
        config: architecture.
    """

    config: AllegroConfig

    @property
    def _edge_sum_factor(self) -> float:
        return np.sqrt(0.5).item()

    def _cutoffs(self, types: EdgeTypes, dtype: jnp.dtype) -> Array | float:
        table = self.config.per_edge_type_cutoff
        if table is None:
            return self.config.cutoff
        return jnp.asarray(table, dtype)[types]

    def _mlp(self, outputs: int, name: str) -> MLP:
        config, mlp = self.config, self.config.allegro_mlp
        widths = (*(mlp.width,) * mlp.depth, outputs)
        dtype = jnp.dtype(config.precision.network)
        return MLP(widths, mlp.nonlinearity, config.normalization, dtype, name=name)

    def _edge_scalars(self, edges: Edges) -> list[Float[Array, "edges features"]]:
        """All blocks of the scalar track, [s⁰; s¹; ...; s^L]."""
        config = self.config
        dtype = jnp.dtype(config.precision.network)
        num_scalars = config.num_scalar_features
        embedded = self._two_body(edges)
        harmonics = spherical_harmonics(edges.directions, config.l_max).astype(dtype)
        tensors = self._initial_tensors(embedded, harmonics)
        first = MLP((num_scalars + self._num_weights,), dtype=dtype, name="environment_embed")
        sizes: tuple[int, ...] = (num_scalars, self._num_weights)
        block, *weights = first.in_parts(embedded, sizes)
        scalars = [block]
        for layer in range(config.num_layers):
            environment = edge_environments(
                weights[0], harmonics, edges.centers, config.l_max, config.num_tensor_features
            )
            tensors = self._couple(layer, tensors, environment)
            sizes = (num_scalars,) if layer == config.num_layers - 1 else sizes  # no more weights
            inputs = [*scalars, tensors[0]]
            latent = self._mlp(sum(sizes), f"latent_{layer}").in_parts(inputs, sizes)
            block, *weights = self._with_circuit(layer, latent, inputs, sizes)
            scalars.append(block)
        return scalars

    def _two_body(self, edges: Edges) -> Float[Array, "edges features"]:
        config = self.config
        kind = BesselEmbedding if config.splines is None else SplineEmbedding
        embedded = kind(config, name="two_body")(edges.x, edges.envelope, edges.types)
        mlp = config.scalar_embed_mlp
        widths = (*(mlp.width,) * mlp.depth, config.num_scalar_features)
        options = (mlp.nonlinearity, config.normalization, embedded.dtype)
        return MLP(widths, *options, name="scalar_embed")(embedded)

    @property
    def _num_weights(self) -> int:
        """Environment weights of an edge: per channel, and per irrep unless these share them."""
        irreps = self.config.l_max + 1 if self.config.weight_individual_irreps else 1
        return irreps * self.config.num_tensor_features

    def _initial_tensors(
        self, embedded: Float[Array, "edges features"], harmonics: Float[Array, "components edges"]
    ) -> Components:
        """V⁰_{u,lm} = w_{u,l} Y_lm."""
        l_max, channels = self.config.l_max, self.config.num_tensor_features
        options = (None, self.config.normalization, embedded.dtype)
        weights = MLP(((l_max + 1) * channels,), *options, name="tensor_embed")(embedded)
        return weight_harmonics(weights, harmonics, l_max, channels)

    def _couple(self, layer: int, tensors: Components, environment: Components) -> Components:
        """V' = Σ_paths c_path V ⊗ Γ; after the last layer only the scalar component."""
        config = self.config
        track = track_irreps(config.l_max, config.parity, config.num_layers)
        irreps = (track[layer], harmonic_irreps(config.l_max), track[layer + 1])
        channels = config.num_tensor_features if config.tp_path_channel_coupling else 1
        weights = self.param(
            f"tensor_product_{layer}",
            uniform_unit_variance,
            (len(coupling_paths(*irreps)), channels),
            tensors[0].dtype,
        )
        return tensor_product(config.tensor_product, irreps)(tensors, environment, weights)
