"""Choice of kernel and transform per output, by the errors that each model made.

Model ``c`` of an output predicted point j with error e_jc. Its score is the mean of abs(e) over the
last ten points that extended the front and the last few that did not; the lowest score wins, ties
go to the first in the list. Step 4 of SAMO-COBRA takes the root mean square over all points that
extended the front and the four newest. Squares let the largest error decide alone, mostly one where
the output is large and the front does not need it; one early error ranks the models for the rest of
the run; and a model that promised what did not come is back as soon as four others have.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from samo_cobra import surrogates
from samo_cobra.precision import float64_on_cpu

# Points that extended the front whose errors count.
_IMPROVING = 10
# Errors beyond this are all equally hopeless, and their squares still add up.
_LARGEST_ERROR = 1e100


def _bounded(error: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return np.clip(np.nan_to_num(error, nan=_LARGEST_ERROR), -_LARGEST_ERROR, _LARGEST_ERROR)


def prediction_errors(
    models: surrogates.Surrogates,
    point: Float[np.ndarray, " dims"],
    values: Float[np.ndarray, " outputs"],
) -> Float[np.ndarray, "models outputs"]:
    """Truth minus prediction, in original units, of models fitted before ``point`` was known."""
    with float64_on_cpu():
        predicted = np.asarray(surrogates.predict_all(models, jnp.asarray(point)))
    return _bounded(values[None] - predicted)


def improving(
    objectives: Float[np.ndarray, "points objectives"],
    feasible: Bool[np.ndarray, " points"],
    reference: Float[np.ndarray, " objectives"],
) -> Bool[np.ndarray, " points"]:
    """Marks the points that raised the hypervolume when they arrived, in order of arrival."""
    counts = feasible & np.all(objectives < reference, axis=1)
    covered = np.all(objectives[:, None] <= objectives[None], axis=2) & counts[:, None]
    earlier = np.arange(len(objectives))[:, None] < np.arange(len(objectives))[None]
    return counts & ~np.any(covered & earlier, axis=0)


def counted(improved: Bool[np.ndarray, " points"], latest: int) -> Int[np.ndarray, " counted"]:
    """Indices of the points whose errors count, in order.

    Args:
        improved: points that extended the front, of which the last ten count.
        latest: number of others that count, the last ones.
    """
    vain = np.flatnonzero(~improved)[-latest:]
    return np.sort(np.concatenate([np.flatnonzero(improved)[-_IMPROVING:], vain]))


def mean_absolute(
    errors: Float[np.ndarray, "points models outputs"],
) -> Float[np.ndarray, "models outputs"]:
    """Scores of all models by errors of predictions."""
    return np.mean(np.abs(_bounded(errors)), axis=0)


def root_mean_square(
    errors: Float[np.ndarray, "points models outputs"],
) -> Float[np.ndarray, "models outputs"]:
    """Scores of all models by leave-one-out errors."""
    return np.sqrt(np.mean(_bounded(errors) ** 2, axis=0))
