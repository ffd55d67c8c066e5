"""Allowed points of a restricted space, spread as evenly as the restrictions permit."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from samo_cobra import design
from samo_cobra.space.restrictions import Linear, Restrictions

MAX_TRIES = 10_000
# Points of the first look.
_FIRST = 64
# Points that are looked at again to say which restriction rejects most.
_EXAMINED = 256


def sample_allowed(
    restrictions: Restrictions,
    n: int,
    seed: int,
    method: Literal["sobol", "halton"] = "sobol",
    max_tries: int = MAX_TRIES,
) -> Float[np.ndarray, "n dims"]:
    """Returns the first ``n`` allowed points of a low-discrepancy sequence.

    The first ``n`` of a longer request with the same seed are the same. Points of discrete spaces
    may repeat. Without restrictions these are the snapped points of the sequence itself.

    Args:
        restrictions: the restrictions and their space.
        n: number of points.
        seed: seed of the scrambling.
        method: the sequence, see :func:`samo_cobra.design.low_discrepancy`.
        max_tries: points of the sequence to look at for each allowed one, on average.

    Returns:
        Snapped points of the unit cube.

    Raises:
        ValueError: if fewer than one in ``max_tries`` points is allowed, or a function of the
            restrictions returns NaN or no number.

    Example:
        >>> from samo_cobra import Linear, Real, Restrictions, Space, sample_allowed
        >>> space = Space([Real("x", 0.0, 1.0), Real("y", 0.0, 1.0)])
        >>> triangle = Restrictions(space, [Linear({"x": 1, "y": 1}, upper=1)])
        >>> bool((sample_allowed(triangle, 10, seed=0).sum(axis=1) <= 1.0).all())
        True
    """
    space = restrictions.space
    found = np.zeros((0, space.dims))
    seen = 0
    while len(found) < n:
        limit = max_tries * (len(found) + 1)
        if seen >= limit:
            raise ValueError(_too_few(restrictions, len(found), seen, seed, method))
        length = min(max(n, _FIRST, 2 * seen), limit)
        rows = space.snap(design.low_discrepancy(length, space.dims, seed, method)[seen:])
        found = np.concatenate([found, rows[restrictions.allowed(rows)]])
        seen = length
    return found[:n]


def _too_few(
    restrictions: Restrictions,
    found: int,
    seen: int,
    seed: int,
    method: Literal["sobol", "halton"],
) -> str:
    """Says how many points each restriction takes away from those before it."""
    space = restrictions.space
    rows = space.snap(design.low_discrepancy(_EXAMINED, space.dims, seed, method))
    # In the order in which they are applied.
    order = sorted(restrictions.items, key=lambda item: not isinstance(item, Linear))
    left = [int(Restrictions(space, order[:k]).allowed(rows).sum()) for k in range(len(order) + 1)]
    names = Restrictions(space, order).names
    steps = [f"{name} leaves {k}" for name, k in zip(names, left[1:], strict=True)]
    return (
        f"{found} of the first {seen} points of the space are allowed; relax the restrictions or "
        f"describe the space closer to what they allow. Of {_EXAMINED} points, "
        f"{', then '.join(steps)}"
    )
