"""Choice of kernel and transform per output, by the errors that each model made so far.

Model ``c`` of an output predicted point j before j was evaluated, with error e_jc. Its score is
the root mean square of e over the points that extended the front and the latest ones (step 4 of
SAMO-COBRA), of these the last ten: without a window one large early error, from the time of fewer
points than tail coefficients, ranks the models for the rest of the run. The lowest score wins;
ties go to the first in the list.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from samo_cobra import surrogates
from samo_cobra.precision import float64_on_cpu

_WINDOW = 10
# Errors beyond this are all equally hopeless, and their squares still add up.
_LARGEST_ERROR = 1e100


def prediction_errors(
    models: surrogates.Surrogates,
    point: Float[np.ndarray, " dims"],
    values: Float[np.ndarray, " outputs"],
) -> Float[np.ndarray, "models outputs"]:
    """Absolute errors, in original units, of models fitted before ``point`` was known."""
    with float64_on_cpu():
        predicted = np.asarray(surrogates.predict_all(models, jnp.asarray(point)))
    error = np.abs(predicted - values[None])
    return np.minimum(np.nan_to_num(error, nan=_LARGEST_ERROR), _LARGEST_ERROR)


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


def choose(
    errors: Float[np.ndarray, "points models outputs"],
    improved: Bool[np.ndarray, " points"],
    latest: int,
) -> Int[np.ndarray, " outputs"]:
    """Returns the number of the winning model for every output.

    Args:
        errors: absolute errors; zero for points of the initial design.
        improved: points that extended the front.
        latest: number of last points that count in any case.

    Returns:
        Model numbers ``2 * kernel + transform``.
    """
    counted = improved.copy()
    counted[max(0, len(counted) - latest) :] = True
    scores = np.sqrt(np.mean(errors[counted][-_WINDOW:] ** 2, axis=0))
    return np.argmin(scores, axis=0)
