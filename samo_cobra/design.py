"""Scrambled low-discrepancy points: the initial design and the starts of the inner search."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc


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
