"""The versions of every output that the surrogates see: plain, logarithmic and reciprocal.

Version 0 is the output itself; version 1 is :func:`plog` of it, for outputs that span decades;
version 2 is :func:`share` of its height above the least value, for outputs that have a pole, as
stresses and deflections do. Both bends are in units taken from the data, so that the choice does
not depend on the unit that the user happens to measure in. Objectives are then standardised,
constraints are divided by their range without a shift. The first two are those of SAMO-COBRA, the
third is ours.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

VERSIONS = ("plain", "logarithmic", "reciprocal")

# Smallest unit of an output, as a share of its median absolute value: below are rounding errors.
_SMALLEST_UNIT = 1e-12
# Beyond this the inverse is constant: exp(230) = 1e100 still squares without overflow.
_PLOG_LIMIT = 230.0
# Largest height over the median whose share is bent back: beyond, 1 - share is a rounding error.
_LARGEST_HEIGHT = 1e12


class Bend(NamedTuple):
    """What the bent versions of the outputs are measured from and in.

    Attributes:
        unit: the logarithmic version is ``plog(y / unit)``.
        least, half: the reciprocal version is ``share((y - least) / half)``: 0 at the least value,
            1/2 at the median of the others.
        most: the largest reciprocal version of the data, short of 1.
    """

    unit: Float[Array, " outputs"]
    least: Float[Array, " outputs"]
    half: Float[Array, " outputs"]
    most: Float[Array, " outputs"]


class Affine(NamedTuple):
    """Moments of the transformed outputs: ``transformed = (version(y) - shift) / scale``."""

    shift: Float[Array, "outputs versions"]
    scale: Float[Array, "outputs versions"]
    bend: Bend


def plog(y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Signed logarithm, ``sign(y) ln(1 + |y|)``, which compresses steep outputs."""
    return jnp.sign(y) * jnp.log1p(jnp.abs(y))


def plog_inverse(v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Inverse of :func:`plog`, ``sign(v) (exp|v| - 1)``, saturated far outside any data."""
    return jnp.sign(v) * jnp.expm1(jnp.minimum(jnp.abs(v), _PLOG_LIMIT))


def share(r: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``r / (1 + r)`` of r >= 0, which makes a pole of r an ordinary place near 1."""
    return r / (1.0 + r)


def share_inverse(
    v: Float[Array, "*shape"], most: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Inverse of :func:`share` and its slope; short of the pole at 1, from ``most`` on, straight.

    It never falls below -1: no model of a reciprocal version promises wonders.
    """
    bent = jnp.minimum(v, most)
    slope = (1.0 - bent) ** -2
    return bent / (1.0 - bent) + (v - bent) * slope, slope


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


def bends(
    values: Float[Array, "points outputs"], mask: Bool[Array, " points"], n_objectives: int
) -> Bend:
    """Origins and units of the bent versions; a constant output has ``half`` 1.

    Args:
        values: outputs, objectives first.
        mask: true for rows that hold a point.
        n_objectives: number of leading columns that are objectives.
    """
    least = jnp.min(jnp.where(mask[:, None], values, jnp.inf), axis=0)
    above = jnp.where(mask[:, None] & (values > least[None]), values - least[None], jnp.nan)
    varies = jnp.any(~jnp.isnan(above), axis=0)
    half = jnp.where(varies, jnp.nanmedian(above, axis=0), 1.0)
    highest = jnp.minimum(jnp.nanmax(above, axis=0) / half, _LARGEST_HEIGHT)
    most = jnp.where(varies, share(highest), 0.0)
    return Bend(units(values, mask, n_objectives), least, half, most)


def versions(
    values: Float[Array, "points outputs"], bend: Bend
) -> Float[Array, "points outputs versions"]:
    """Stacks all versions of every output."""
    height = (values - bend.least[None]) / bend.half[None]
    height = jnp.clip(height, 0.0, _LARGEST_HEIGHT)
    return jnp.stack([values, plog(values / bend.unit[None]), share(height)], axis=-1)


def moments(
    values: Float[Array, "points outputs"], mask: Bool[Array, " points"], n_objectives: int
) -> Affine:
    """Mean and standard deviation of objectives, zero and range of constraints.

    Args:
        values: outputs in original units, objectives first.
        mask: true for rows that hold a point.
        n_objectives: number of leading columns that are objectives.

    Returns:
        Shifts and scales of all versions, and what they are bent by; a constant output has scale 1.
    """
    bend = bends(values, mask, n_objectives)
    every = versions(values, bend)
    rows = mask[:, None, None]
    count = jnp.sum(mask)
    mean = jnp.sum(jnp.where(rows, every, 0.0), axis=0) / count
    spread = jnp.where(rows, every - mean[None], 0.0)
    std = jnp.sqrt(jnp.sum(spread**2, axis=0) / count)
    extent = jnp.max(jnp.where(rows, every, -jnp.inf), axis=0) - jnp.min(
        jnp.where(rows, every, jnp.inf), axis=0
    )
    is_objective = (jnp.arange(values.shape[1]) < n_objectives)[:, None]
    scale = jnp.where(is_objective, std, extent)
    # A spread at rounding level of the mean is noise of a constant, not a signal.
    floor = 1e-14 * jnp.maximum(jnp.abs(mean), 1e-280)
    shift = jnp.where(is_objective, mean, 0.0)
    return Affine(shift, jnp.where(scale > floor, scale, 1.0), bend)


def apply(
    values: Float[Array, "points outputs"], affine: Affine
) -> Float[Array, "points outputs versions"]:
    """Maps outputs in original units to all transformed versions."""
    return (versions(values, affine.bend) - affine.shift[None]) / affine.scale[None]


def invert(
    transformed: Float[Array, "*batch outputs versions"], affine: Affine
) -> Float[Array, "*batch outputs versions"]:
    """Maps all transformed versions back to original units."""
    lead = (1,) * (transformed.ndim - affine.shift.ndim)
    shift, scale = (a.reshape(lead + a.shape) for a in (affine.shift, affine.scale))
    raw = transformed * scale + shift
    count = transformed.shape[-2]
    every = [unbent(raw[..., k], jnp.full(count, k), affine.bend)[0] for k in range(len(VERSIONS))]
    return jnp.stack(every, axis=-1)


def unbent(
    raw: Float[Array, "*batch outputs"], version: Int[Array, " outputs"], bend: Bend
) -> tuple[Float[Array, "*batch outputs"], Float[Array, "*batch outputs"]]:
    """Maps one version of every output back to the output.

    Args:
        raw: the versions, without shift and scale.
        version: which one of :data:`VERSIONS` each is.
        bend: origins and units.

    Returns:
        The outputs, and the slopes of the map.
    """
    lead = (1,) * (raw.ndim - 1)
    version, unit, least, half, most = (a.reshape(lead + a.shape) for a in (version, *bend))
    logarithm = unit * plog_inverse(raw)
    height, steep = share_inverse(raw, most)
    plain, logarithmic = version == 0, version == 1
    return (
        jnp.where(plain, raw, jnp.where(logarithmic, logarithm, least + half * height)),
        jnp.where(plain, 1.0, jnp.where(logarithmic, unit + jnp.abs(logarithm), half * steep)),
    )
