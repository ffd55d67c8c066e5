"""Sums over the neighbours of an atom: weighted harmonics, environments, energies."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from allegro_jax.nn.irreps import harmonic_irreps

Components = Sequence[Float[Array, "edges channels"]]
"""A tensor feature of every edge, one array for each of its components."""


class Centers(NamedTuple):
    """Which edges belong to which centre, for sums over neighbours and the way back.

    Attributes:
        receivers: centre i of every edge, ascending.
        normalization: 1/√A_i of every atom, in network precision.
        one_hot: 1 where the atom (row) owns the edge (column). With it sums over edges and the way
            back are matrix products, which for a few atoms take less time than scatter and
            gather, forward and backward. None where there are many atoms: the cost per edge grows
            with them.
    """

    receivers: Int[Array, "edges"]
    normalization: Float[Array, "atoms"]
    one_hot: Float[Array, "atoms edges"] | None

    @classmethod
    def build(
        cls, receivers: Int[Array, "edges"], normalization: Float[Array, "atoms"], channels: int
    ) -> "Centers":
        """Takes a one-hot matrix where it is smaller than a feature of so many channels."""
        num_atoms = normalization.shape[0]
        if num_atoms > channels:
            return cls(receivers, normalization, None)
        owns = jnp.arange(num_atoms)[:, None] == receivers[None, :]
        return cls(receivers, normalization, owns.astype(normalization.dtype))


def sum_to_centers(
    values: Float[Array, "edges *shape"], receivers: Int[Array, "edges"], num_atoms: int
) -> Float[Array, "atoms *shape"]:
    """Σ_j of the values of the edges ij, for every centre i.

    `receivers` must ascend and be rows of the result: nothing checks them, since XLA would do so
    again for every number of an edge.
    """
    return jax.ops.segment_sum(
        values, receivers, num_atoms, indices_are_sorted=True, mode="promise_in_bounds"
    )


def weight_harmonics(
    weights: Float[Array, "edges weights"],
    harmonics: Float[Array, "components edges"],
    l_max: int,
    channels: int,
) -> list[Float[Array, "edges channels"]]:
    """w_{l,u} Y_lm, with the weights irrep-major: channels of l = 0, then of l = 1, ...

    With weights for a single irrep, all irreps share them. Y_00 = 1 is not multiplied by.
    """
    scalar, *others = _weights_of_components(weights, l_max, channels)
    rows = jax.lax.split(harmonics, (1,) * harmonics.shape[0], axis=0)[1:]
    # The product with a row of ones is a broadcast. Its transpose, the sum over the channels,
    # stays a matrix product, faster on CPU than the reduction that a broadcast leads to.
    ones = jnp.ones((1, channels), harmonics.dtype)
    return [
        scalar,
        *(w * jnp.dot(y.reshape(-1, 1), ones) for w, y in zip(others, rows, strict=True)),
    ]


def edge_environments(
    weights: Float[Array, "edges weights"],
    harmonics: Float[Array, "components edges"],
    centers: Centers,
    l_max: int,
    channels: int,
) -> list[Float[Array, "edges channels"]]:
    """Γ_i = 1/√A_i Σ_j w_ij Y(r_ij), brought back to the edges of i.

    Args:
        weights: w_ij, laid out as in `weight_harmonics`.
        harmonics: Y(r_ij).
        centers: who owns which edge.
        l_max: highest degree of the harmonics.
        channels: channels of the weights of one degree.
    """
    if centers.one_hot is None:
        weighted = weight_harmonics(weights, harmonics, l_max, channels)
        columns = jnp.concatenate(weighted, axis=1)
        sums = sum_to_centers(columns, centers.receivers, centers.normalization.shape[0])
        sums = sums * centers.normalization[:, None]
        spread = sums.at[centers.receivers].get(mode="promise_in_bounds", indices_are_sorted=True)
    else:
        sums = _one_hot_sums(weights, harmonics, centers.one_hot, l_max, channels)
        sums = sums * centers.normalization[:, None]
        spread = jnp.einsum("ae,ac->ec", centers.one_hot, sums)
    return list(jax.lax.split(spread, (channels,) * harmonics.shape[0], axis=1))


def _one_hot_sums(
    weights: Array, harmonics: Array, one_hot: Array, l_max: int, channels: int
) -> Float[Array, "atoms columns"]:
    """Σ_j w_ij Y(r_ij), components and channels in one axis.

    The harmonics are multiplied into the one-hot matrix, so that w Y is never formed.
    """
    ones = jnp.ones((one_hot.shape[0], 1), harmonics.dtype)  # as in `weight_harmonics`
    rows = jax.lax.split(harmonics, (1,) * harmonics.shape[0], axis=0)
    matrices = [one_hot, *(one_hot * jnp.dot(ones, row) for row in rows[1:])]
    blocks = _weights_of_components(weights, l_max, channels)
    sums: list[Array] = []
    for degree in range(l_max + 1):
        of_degree = slice(degree**2, (degree + 1) ** 2)
        stacked = jnp.concatenate(matrices[of_degree], axis=0) @ blocks[degree**2]
        sums += jax.lax.split(stacked, (one_hot.shape[0],) * (2 * degree + 1), axis=0)
    return jnp.concatenate(sums, axis=1)


def _weights_of_components(weights: Array, l_max: int, channels: int) -> list[Array]:
    """For every component lm of the harmonics, the weights of its degree."""
    blocks = jax.lax.split(weights, (channels,) * (weights.shape[1] // channels), axis=1)
    degrees = [irrep.l for irrep in harmonic_irreps(l_max) for _ in range(irrep.dim)]
    return [blocks[degree if len(blocks) > 1 else 0] for degree in degrees]
