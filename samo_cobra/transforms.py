"""The two versions of every output that the surrogates see: plain and logarithmic.

Version 0 is the output itself, version 1 is ``plog``. Objectives are then standardised,
constraints are divided by their range without a shift, so that zero stays zero.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Beyond this the inverse is constant: exp(230) = 1e100 still squares without overflow.
_PLOG_LIMIT = 230.0


class Affine(NamedTuple):
    """Moments of the transformed outputs: ``transformed = (version(y) - shift) / scale``."""

    shift: Float[Array, "outputs 2"]
    scale: Float[Array, "outputs 2"]


def plog(y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Signed logarithm, ``sign(y) ln(1 + |y|)``, which compresses steep outputs."""
    return jnp.sign(y) * jnp.log1p(jnp.abs(y))


def plog_inverse(v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Inverse of :func:`plog`, ``sign(v) (exp|v| - 1)``, saturated far outside any data."""
    return jnp.sign(v) * jnp.expm1(jnp.minimum(jnp.abs(v), _PLOG_LIMIT))


def versions(values: Float[Array, "points outputs"]) -> Float[Array, "points outputs 2"]:
    """Stacks the plain and the logarithmic version of every output."""
    return jnp.stack([values, plog(values)], axis=-1)


def moments(
    values: Float[Array, "points outputs"], mask: Bool[Array, " points"], n_objectives: int
) -> Affine:
    """Mean and standard deviation of objectives, zero and range of constraints.

    Args:
        values: outputs in original units, objectives first.
        mask: true for rows that hold a point.
        n_objectives: number of leading columns that are objectives.

    Returns:
        Shifts and scales of both versions; a constant output has scale 1.
    """
    both = versions(values)
    rows = mask[:, None, None]
    count = jnp.sum(mask)
    mean = jnp.sum(jnp.where(rows, both, 0.0), axis=0) / count
    spread = jnp.where(rows, both - mean[None], 0.0)
    std = jnp.sqrt(jnp.sum(spread**2, axis=0) / count)
    extent = jnp.max(jnp.where(rows, both, -jnp.inf), axis=0) - jnp.min(
        jnp.where(rows, both, jnp.inf), axis=0
    )
    is_objective = (jnp.arange(values.shape[1]) < n_objectives)[:, None]
    scale = jnp.where(is_objective, std, extent)
    # A spread at rounding level of the mean is noise of a constant, not a signal.
    floor = 1e-14 * jnp.maximum(jnp.abs(mean), 1e-280)
    return Affine(jnp.where(is_objective, mean, 0.0), jnp.where(scale > floor, scale, 1.0))


def apply(
    values: Float[Array, "points outputs"], affine: Affine
) -> Float[Array, "points outputs 2"]:
    """Maps outputs in original units to both transformed versions."""
    return (versions(values) - affine.shift[None]) / affine.scale[None]


def invert(transformed: Float[Array, "*batch outputs 2"], affine: Affine) -> Array:
    """Maps both transformed versions back to original units (shape kept)."""
    lead = (1,) * (transformed.ndim - 2)
    shift, scale = (a.reshape(lead + a.shape) for a in affine)
    raw = transformed * scale + shift
    return jnp.stack([raw[..., 0], plog_inverse(raw[..., 1])], axis=-1)
