"""Sums over the neighbours of an atom: weighted harmonics, environments, energies."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from allegro_jax.nn.irreps import harmonic_irreps


def sum_to_centers(
    values: Float[Array, "edges *shape"], receivers: Int[Array, "edges"], num_atoms: int
) -> Float[Array, "atoms *shape"]:
    """Σ_j of the values of the edges ij, for every centre i; `receivers` must ascend."""
    return jax.ops.segment_sum(values, receivers, num_atoms, indices_are_sorted=True)


def weight_harmonics(
    weights: Float[Array, "edges weights"],
    harmonics: Float[Array, "components edges"],
    l_max: int,
    channels: int,
) -> Float[Array, "components edges channels"]:
    """w_{l,u} Y_lm, with the weights irrep-major: channels of l = 0, then of l = 1, ...

    With weights for a single irrep, all irreps share them.
    """
    degrees = [irrep.l for irrep in harmonic_irreps(l_max) for _ in range(irrep.dim)]
    blocks = jax.lax.split(weights, (channels,) * (weights.shape[1] // channels), axis=1)
    spread = jnp.stack([blocks[degree if len(blocks) > 1 else 0] for degree in degrees])
    return spread * harmonics[:, :, None]


def edge_environments(
    weighted: Float[Array, "components edges channels"],
    receivers: Int[Array, "edges"],
    normalization: Float[Array, "atoms"],
) -> Float[Array, "components edges channels"]:
    """Γ_i = 1/√A_i Σ_j w_ij Y(r_ij), gathered back to the edges of i.

    Args:
        weighted: w_ij Y(r_ij), see `weight_harmonics`.
        receivers: centre i of every edge, ascending.
        normalization: 1/√A_i.
    """
    sums = sum_to_centers(jnp.moveaxis(weighted, 0, 1), receivers, normalization.shape[0])
    sums = sums * normalization[:, None, None]
    return jnp.moveaxis(sums[receivers], 1, 0)
