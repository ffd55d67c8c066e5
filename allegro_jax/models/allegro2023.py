"""The Allegro architecture of Musaelian et al., Nat. Commun. 14, 579 (2023); allegro 0.2.

Each directed edge ij carries a latent x of invariant scalars and equivariant tensors V. A layer
couples V_ij with the environment of the centre i, Γ_i = Σ_j w_ij Y(r_ij) / √A, mixes the channels
and paths of the product linearly, and updates the latent from its scalars.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.configs import Allegro2023Config, Nonlinearity
from allegro_jax.models.base import EdgeEnergyModel, Edges
from allegro_jax.models.embedding import LatentEmbedding
from allegro_jax.nn.environment import Components, edge_environments, weight_harmonics
from allegro_jax.nn.geometry import spherical_harmonics
from allegro_jax.nn.irreps import (
    SCALAR,
    Irrep,
    Irreps,
    coupling_paths,
    harmonic_irreps,
    track_irreps,
)
from allegro_jax.nn.mlp import MLP
from allegro_jax.nn.tensor_product import path_products

Latents = Float[Array, "edges latent"]


class Allegro2023(EdgeEnergyModel):
    """The architecture of 2023: a residual latent that carries the envelope, f = 1.

    Attributes:
        config: architecture.
    """

    config: Allegro2023Config

    @property
    def _edge_sum_factor(self) -> float:
        return 1.0

    def _edge_energies(self, edges: Edges) -> Float[Array, "edges"]:
        """E_ij, times a factor of the pair of types if these are trained."""
        energies = super()._edge_energies(edges)
        if not self.config.trainable_edge_scales:
            return energies
        shape = (len(self.config.type_names),) * 2
        scales = self.param("edge_scales", nn.initializers.ones, shape, energies.dtype)
        return energies * scales[edges.types]

    def _edge_scalars(self, edges: Edges) -> list[Latents]:
        """The latent after the last update."""
        config = self.config
        dtype = jnp.dtype(config.precision.network)
        envelope = edges.envelope.astype(dtype)
        harmonics = spherical_harmonics(edges.directions, config.l_max).astype(dtype)
        embedded = LatentEmbedding(config, name="two_body")(edges.x, edges.envelope, edges.types)
        latent = envelope[:, None] * embedded
        tensors, weights = self._first_weights(latent, harmonics)
        ratios = self._update_ratios(dtype)
        for layer in range(config.num_layers):
            if layer > 0:
                weights = self._weights(layer, latent)
            environment = edge_environments(
                weights, harmonics, edges.centers, config.l_max, config.num_tensor_features
            )
            scalars, tensors = self._couple(layer, tensors, environment)
            inputs = [latent, scalars]
            update = self._mlp(config.latent_widths, config.latent_nonlinearity, f"latent_{layer}")(
                inputs
            )
            (update,) = self._with_circuit(layer, [update], inputs, (config.latent_size,))
            latent = _residual(latent, envelope[:, None] * update, ratios[layer])
        return [latent]

    def _mlp(self, widths: tuple[int, ...], nonlinearity: Nonlinearity | None, name: str) -> MLP:
        dtype = jnp.dtype(self.config.precision.network)
        return MLP(widths, nonlinearity, self.config.normalization, dtype, name=name)

    def _first_weights(self, latent: Latents, harmonics: Array) -> tuple[Components, Array]:
        """V⁰ = w Y, and the weights w' of the first environment, from one matrix."""
        channels, l_max = self.config.num_tensor_features, self.config.l_max
        half = channels * (l_max + 1)
        weights = self._mlp((2 * half,), None, "environment_embed_0")(latent)
        own, environment = jax.lax.split(weights, (half, half), axis=1)
        return weight_harmonics(own, harmonics, l_max, channels), environment

    def _weights(self, layer: int, latent: Latents) -> Float[Array, "edges weights"]:
        """The weights of the environment of a later layer."""
        outputs = self.config.num_tensor_features * (self.config.l_max + 1)
        return self._mlp((outputs,), None, f"environment_embed_{layer}")(latent)

    def _update_ratios(self, dtype: jnp.dtype) -> Float[Array, "layers"]:
        """α = sigmoid(parameter) of every update; 1/2 unless trained."""
        shape = (self.config.num_layers,)
        if not self.config.trainable_residual:
            return jnp.full(shape, 0.5, dtype)
        return jax.nn.sigmoid(self.param("residual", nn.initializers.zeros, shape, dtype))

    def _couple(
        self, layer: int, tensors: Components, environment: Components
    ) -> tuple[Float[Array, "edges scalars"], Components]:
        """All scalars of V ⊗ Γ, path by path, and the mixed tensors (none after the last layer)."""
        config = self.config
        track = track_irreps(config.l_max, config.parity, config.num_layers, never_again=True)
        irreps = (track[layer], harmonic_irreps(config.l_max), track[layer + 1])
        products = path_products(config.tensor_product, irreps, tensors, environment)
        paths = coupling_paths(*irreps)
        joined = {
            out: [
                jnp.concatenate(components, axis=-1)
                for components in zip(
                    *(t for path, t in zip(paths, products, strict=True) if path.out == out),
                    strict=True,
                )
            ]
            for out in irreps[2]
        }
        (scalars,) = joined[SCALAR]
        if layer == config.num_layers - 1:
            return scalars, tensors
        return scalars, self._mix(layer, joined, irreps[2])

    def _mix(self, layer: int, joined: dict[Irrep, list[Array]], irreps: Irreps) -> Components:
        """V'_v = Σ_{u,path} W_{path,u,v} T_path,u / √(paths · channels), one W per irrep."""
        channels = self.config.num_tensor_features
        mixed = []
        for irrep in irreps:
            fan_in, dtype = joined[irrep][0].shape[-1], joined[irrep][0].dtype
            weight = self.param(
                f"mix_{layer}_{irrep.name}",
                nn.initializers.normal(1.0),
                (fan_in, channels),
                dtype,
            )
            mixed += [component @ (weight * fan_in**-0.5) for component in joined[irrep]]
        return mixed


def _residual(latent: Latents, update: Latents, ratio: Float[Array, ""]) -> Latents:
    """(x + α y) / √(1 + α²), which keeps the variance."""
    return (latent + ratio * update) * jax.lax.rsqrt(1.0 + ratio * ratio)
