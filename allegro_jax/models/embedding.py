"""Two-body embeddings: what an edge knows before any message, from its length and its types."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from allegro_jax.configs import AllegroConfig
from allegro_jax.nn.mlp import MLP
from allegro_jax.nn.radial import bessel_basis, spline_basis


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
        basis = bessel_basis(x, self._frequencies(x.dtype)) * envelope[:, None]
        radial = MLP((config.embedding_dim,), dtype=dtype, name="radial")(basis.astype(dtype))
        shape = (len(config.type_names), config.embedding_dim // 2)
        normal = jax.nn.initializers.normal(1.0)
        tables = [self.param(name, normal, shape, dtype) for name in ("centers", "neighbors")]
        chemical = [table[index] for table, index in zip(tables, types, strict=True)]
        return jnp.concatenate(chemical, axis=-1) * radial

    def _frequencies(self, dtype: jnp.dtype) -> Float[Array, "basis"]:
        harmonics = jnp.arange(1, self.config.num_bessels + 1, dtype=dtype)
        if not self.config.bessel_trainable:
            return harmonics
        return self.param("frequencies", lambda _: harmonics).astype(dtype)


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
