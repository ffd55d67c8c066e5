"""The two versions of every output that the surrogates see: plain and logarithmic.

Version 0 is the output itself, version 1 is ``plog`` of the output in a unit of its own, so that
the choice between the two does not depend on the unit that the user happens to measure in.
Objectives are then standardised, constraints are divided by their range without a shift, so that
zero stays zero.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Smallest unit of an output, as a share of its median absolute value: below are rounding errors.
_SMALLEST_UNIT = 1e-12
# Beyond this the inverse is constant: exp(230) = 1e100 still squares without overflow.
_PLOG_LIMIT = 230.0


class Affine(NamedTuple):
    """Moments of the transformed outputs: ``transformed = (version(y) - shift) / scale``.

    The logarithmic version is ``plog(y / unit)``.
    """

    shift: Float[Array, "outputs 2"]
    scale: Float[Array, "outputs 2"]
    unit: Float[Array, " outputs"]


def plog(y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Signed logarithm, ``sign(y) ln(1 + |y|)``, which compresses steep outputs."""
    return jnp.sign(y) * jnp.log1p(jnp.abs(y))


def plog_inverse(v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Inverse of :func:`plog`, ``sign(v) (exp|v| - 1)``, saturated far outside any data."""
    return jnp.sign(v) * jnp.expm1(jnp.minimum(jnp.abs(v), _PLOG_LIMIT))


def units(
    values: Float[Array, "points outputs"], mask: Bool[Array, " points"], n_objectives: int
) -> Float[Array, " outputs"]:
    """Units in which the logarithms of the outputs are taken.

    The smallest absolute value of an objective of one sign, whose logarithmic version is then its
    logarithm; the median absolute value of an objective that crosses zero and of a constraint,
    which stay close to linear around zero. Zeros do not count.

    Args:
        values: outputs, objectives first.
        mask: true for rows that hold a point.
        n_objectives: number of leading columns that are objectives.

    Returns:
        Positive units; 1 for an output that is zero everywhere.
    """
    counts = mask[:, None] & (values != 0.0)
    size = jnp.where(counts, jnp.abs(values), jnp.nan)
    positive, negative = (jnp.any(counts & s, axis=0) for s in (values > 0.0, values < 0.0))
    is_objective = jnp.arange(values.shape[1]) < n_objectives
    one_signed = is_objective & ~(positive & negative)
    median = jnp.nanmedian(size, axis=0)
    smallest = jnp.maximum(jnp.nanmin(size, axis=0), _SMALLEST_UNIT * median)
    unit = jnp.where(one_signed, smallest, median)
    return jnp.where(jnp.any(counts, axis=0), unit, 1.0)


def versions(
    values: Float[Array, "points outputs"], unit: Float[Array, " outputs"]
) -> Float[Array, "points outputs 2"]:
    """Stacks the plain and the logarithmic version of every output."""
    return jnp.stack([values, plog(values / unit[None])], axis=-1)


def moments(
    values: Float[Array, "points outputs"], mask: Bool[Array, " points"], n_objectives: int
) -> Affine:
    """Mean and standard deviation of objectives, zero and range of constraints.

    Args:
        values: outputs in original units, objectives first.
        mask: true for rows that hold a point.
        n_objectives: number of leading columns that are objectives.

    Returns:
        Shifts and scales of both versions, and units; a constant output has scale 1.
    """
    unit = units(values, mask, n_objectives)
    both = versions(values, unit)
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
    shift = jnp.where(is_objective, mean, 0.0)
    return Affine(shift, jnp.where(scale > floor, scale, 1.0), unit)


def apply(
    values: Float[Array, "points outputs"], affine: Affine
) -> Float[Array, "points outputs 2"]:
    """Maps outputs in original units to both transformed versions."""
    return (versions(values, affine.unit) - affine.shift[None]) / affine.scale[None]


def invert(transformed: Float[Array, "*batch outputs 2"], affine: Affine) -> Array:
    """Maps both transformed versions back to original units (shape kept)."""
    lead = (1,) * (transformed.ndim - 2)
    shift, scale, unit = (a.reshape(lead + a.shape) for a in affine)
    raw = transformed * scale + shift
    return jnp.stack([raw[..., 0], unit * plog_inverse(raw[..., 1])], axis=-1)
