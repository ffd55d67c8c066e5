"""Paired differences between two readouts: over seeds, and over test structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

LEVEL = 0.95
RESAMPLES = 9999


class Difference(NamedTuple):
    """Mean of paired differences, in the unit of what was compared.

    Attributes:
        mean: Ours minus the baseline.
        low: Lower end of the 95 % confidence interval.
        high: Upper end.
        p: Two-sided p-value of no difference, for this comparison alone.
        pairs: Number of pairs.
    """

    mean: float
    low: float
    high: float
    p: float
    pairs: int


def over_seeds(
    ours: Float[np.ndarray, "seeds"], baseline: Float[np.ndarray, "seeds"]
) -> Difference | None:
    """Paired t-test over seeds (`scipy.stats.ttest_rel`): is another training likely to agree?

    Args:
        ours: Error of every seed.
        baseline: Error of the same seeds with the readout compared with.

    Returns:
        None with fewer than two seeds.
    """
    if len(ours) < 2:
        return None
    result = stats.ttest_rel(ours, baseline)
    low, high = result.confidence_interval(LEVEL)
    mean = float(np.mean(ours - baseline))
    return Difference(mean, float(low), float(high), float(result.pvalue), len(ours))


def over_structures(
    ours: Float[np.ndarray, "seeds structures"], baseline: Float[np.ndarray, "seeds structures"]
) -> Difference | None:
    """Paired bootstrap over structures (`scipy.stats.bootstrap`): is another test set to agree?

    Errors are averaged over seeds first, so this says nothing about other trainings. Structures
    count as independent; frames of one trajectory are not, which makes intervals too narrow.

    Args:
        ours: Error of every seed and structure.
        baseline: The same for the readout compared with.

    Returns:
        None with fewer than two structures.
    """
    differences = np.mean(ours - baseline, axis=0)
    if len(differences) < 2:
        return None
    result = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=1000,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(0),
    )
    means = result.bootstrap_distribution
    beyond = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    p = min(1.0, 2 * (beyond + 1) / (RESAMPLES + 1))
    low, high = map(float, result.confidence_interval)
    return Difference(float(differences.mean()), low, high, p, len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts the p-values of a family of tests (Holm, Scand. J. Stat. 6, 65, 1979).

    At most a share α of families has a true hypothesis whose adjusted value is below α, however
    the tests depend on each other.

    Example:
        >>> from experiments.readouts.paired import holm
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    ascending = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(ascending, 1.0)
    return adjusted.tolist()
