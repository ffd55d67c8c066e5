"""Two-body embeddings: what an edge knows before any message, from its length and its types."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from allegro_jax.configs import Allegro2023Config, AllegroConfig
from allegro_jax.nn.mlp import MLP
from allegro_jax.nn.radial import (
    bessel_basis,
    bessel_statistics,
    harmonic_bessel_basis,
    spline_basis,
)


class BesselEmbedding(nn.Module):
    """h = [C[type_i]; N[type_j]] ⊙ Linear(b(x) u_p(x)), product of chemistry and distance."""

    config: AllegroConfig

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "edges"],
        envelope: Float[Array, "edges"],
        types: tuple[Int[Array, "edges"], Int[Array, "edges"]],
    ) -> Float[Array, "edges channels"]:
        """Embeds edges; `types` are the species of centre and neighbour."""
        config = self.config
        dtype = jnp.dtype(config.precision.network)
        basis = _bessels(self, x, envelope)
        radial = MLP((config.embedding_dim,), dtype=dtype, name="radial")(basis.astype(dtype))
        shape = (len(config.type_names), config.embedding_dim // 2)
        normal = jax.nn.initializers.normal(1.0)
        tables = [self.param(name, normal, shape, dtype) for name in ("centers", "neighbors")]
        chemical = [table[index] for table, index in zip(tables, types, strict=True)]
        return jnp.concatenate(chemical, axis=-1) * radial


class LatentEmbedding(nn.Module):
    """x = MLP([1hot(type_i); 1hot(type_j); (b(r) - mean) / std u_p]), architecture of 2023.

    Without the envelope as a factor, since types alone would not vanish at the cutoff.
    """

    config: Allegro2023Config

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "edges"],
        envelope: Float[Array, "edges"],
        types: tuple[Int[Array, "edges"], Int[Array, "edges"]],
    ) -> Float[Array, "edges latent"]:
        """Embeds edges; `types` are the species of centre and neighbour."""
        config = self.config
        dtype = jnp.dtype(config.precision.network)
        mean, std = bessel_statistics(config.num_bessels)
        basis = (_bessels(self, x, jnp.ones_like(x)) - mean.astype(x.dtype)[None, :]) / std.astype(
            x.dtype
        )[None, :]
        basis = (basis * envelope[:, None]).astype(dtype)
        one_hot = [jax.nn.one_hot(index, len(config.type_names), dtype=dtype) for index in types]
        options = (config.two_body_nonlinearity, config.normalization, dtype)
        mlp = MLP(config.two_body_widths, *options, name="mlp")
        return mlp(jnp.concatenate([*one_hot, basis], axis=-1))


class SplineEmbedding(nn.Module):
    """h_c = Σ_q W[type_i, type_j]_cq φ_q(x): a radial function per pair of types and channel."""

    config: AllegroConfig

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "edges"],
        envelope: Float[Array, "edges"],  # noqa: ARG002 - the splines end at the cutoff anyway
        types: tuple[Int[Array, "edges"], Int[Array, "edges"]],
    ) -> Float[Array, "edges channels"]:
        """Embeds edges; `types` are the species of centre and neighbour."""
        config = self.config
        splines = config.splines
        assert splines is not None
        dtype = jnp.dtype(config.precision.network)
        num_types = len(config.type_names)
        bound = (3.0 / splines.span) ** 0.5 if splines.span else 3.0**0.5
        shape = (num_types**2, config.embedding_dim, splines.num_splines)
        weights = self.param(
            "weights", lambda key: jax.random.uniform(key, shape, dtype, -bound, bound)
        )
        basis = spline_basis(x, splines.num_splines, splines.span).astype(dtype)
        pair = types[0] * num_types + types[1]
        return jnp.einsum("ecq,eq->ec", weights[pair], basis)


def _bessels(
    module: BesselEmbedding | LatentEmbedding,
    x: Float[Array, "edges"],
    factor: Float[Array, "edges"],
) -> Float[Array, "edges basis"]:
    """Bessel functions times a factor, with frequencies 1, 2, ... or trained ones."""
    number = module.config.num_bessels
    if not module.config.bessel_trainable:
        return harmonic_bessel_basis(x, number, factor)
    start = jnp.arange(1, number + 1, dtype=x.dtype)
    frequencies = module.param("frequencies", lambda _: start).astype(x.dtype)
    return bessel_basis(x, frequencies) * factor[:, None]
