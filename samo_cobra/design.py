"""Scrambled low-discrepancy points: the initial design and the starts of the inner search."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import pdist
from scipy.stats import qmc

_TRIED = 32


def low_discrepancy(
    n: int, dims: int, seed: int, method: Literal["sobol", "halton"] = "sobol"
) -> Float[np.ndarray, "n dims"]:
    """Returns the first ``n`` points of a scrambled sequence on the unit cube.

    The first ``n`` points of a longer request with the same seed are the same points, so workers
    that share a seed share one design without talking to each other.

    Args:
        n: number of points.
        dims: dimension of the cube.
        seed: seed of the scrambling.
        method: ``"sobol"`` (Owen scrambling) or ``"halton"`` (permuted digits).

    Returns:
        Points in [0, 1).

    Raises:
        ValueError: if ``method`` is unknown.
    """
    if method == "sobol":
        engine = qmc.Sobol(dims, scramble=True, seed=seed)
        # Whole powers of two keep the balance that the sequence promises.
        return engine.random_base2(max(1, math.ceil(math.log2(max(n, 2)))))[:n]
    if method == "halton":
        return qmc.Halton(dims, scramble=True, seed=seed).random(n)
    raise ValueError(f"method must be 'sobol' or 'halton', got {method!r}")


def spread_out_seed(n: int, dims: int, seed: int) -> int:
    """Returns the seed of a scrambling whose first ``n`` points are far from each other.

    A design of d + 1 points is too small for a scrambled sequence to be even by itself: of
    several scramblings the one of the largest least distance is taken.

    Args:
        n: size of the design.
        dims: dimension of the cube.
        seed: decides which scramblings are tried.
    """
    tried = [int(s) for s in np.random.default_rng([seed, n, dims]).integers(2**31, size=_TRIED)]
    if n < 2:
        return tried[0]
    least = [pdist(low_discrepancy(n, dims, s)).min() for s in tried]
    return tried[int(np.argmax(least))]
