"""Lengths, directions and spherical harmonics of edge vectors, safe on padding edges."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class EdgeGeometry(NamedTuple):
    """Lengths (Å) and unit vectors of the edges."""

    lengths: Float[Array, "edges"]
    directions: Float[Array, "edges 3"]


def edge_geometry(
    vectors: Float[Array, "edges 3"], cutoff: float, edge_mask: Bool[Array, "edges"] | None = None
) -> EdgeGeometry:
    """Measures edge vectors; padding is moved beyond the cutoff.

    Zero-length vectors, and those that `edge_mask` excludes, are replaced by a constant vector
    twice as long as the cutoff before anything is computed from them. The envelope is then
    exactly zero on them and every derivative is finite, which norms at zero are not.

    Args:
        vectors: edge vectors (Å).
        cutoff: cutoff (Å).
        edge_mask: False on padding edges.
    """
    is_real = jnp.sum(vectors * vectors, axis=-1) > 0.0
    if edge_mask is not None:
        is_real &= edge_mask
    far = jnp.asarray([0.0, 2.0 * cutoff, 0.0], vectors.dtype)
    vectors = jnp.where(is_real[:, None], vectors, far[None, :])
    lengths = jnp.sqrt(jnp.sum(vectors * vectors, axis=-1))
    return EdgeGeometry(lengths, vectors / lengths[:, None])


def spherical_harmonics(
    directions: Float[Array, "edges 3"], l_max: int
) -> Float[Array, "components edges"]:
    """Real harmonics 0e+1o+2e+... of unit vectors, y polar, |Y_l|² = 2l+1, component first."""
    import e3nn_jax as e3nn  # here: two seconds that only models need

    harmonics = e3nn.spherical_harmonics(
        e3nn.Irreps.spherical_harmonics(l_max),
        directions,
        normalize=False,
        normalization="component",
        # Of the algorithms with a second derivative this is the quickest on CPU.
        algorithm=("recursive", "sparse"),
    )
    return harmonics.array.T
