"""Where evaluations fail: a model of the trials that ended without outputs.

A regression of the labels (failed 1, succeeded 0) with a Gaussian kernel towards success far from
all data; its width is the one of the smallest leave-one-out error. Suggestions keep to the region
where it is below 0.3: at one half every other suggestion along a border would fail.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from samo_cobra.padding import capacity, pad_rows

# Widths tried, in units of the diagonal of the cube.
_WIDTHS = (0.1, 0.2, 0.4)
# Weight of a single trial: labels contradict each other where failures are random.
_NUGGET = 0.05
_BORDER = 0.3


class Model(NamedTuple):
    """Weights of the regression."""

    points: Float[Array, "points dims"]
    weights: Float[Array, " points"]
    width: Float[Array, ""]


def fit(
    successes: Float[np.ndarray, "successes dims"], failures: Float[np.ndarray, "failures dims"]
) -> Model | None:
    """Fits the model; None without failures.

    Args:
        successes: places of trials with outputs, on [-1, 1]^d.
        failures: places of failed trials.
    """
    if len(failures) == 0:
        return None
    points = np.concatenate([successes, failures])
    labels = np.concatenate([np.zeros(len(successes)), np.ones(len(failures))])
    squared = np.sum((points[:, None] - points[None]) ** 2, axis=2)
    best = None
    for share in _WIDTHS:
        width = share * 2.0 * np.sqrt(points.shape[1])
        inverse = np.linalg.inv(np.exp(-squared / width**2) + _NUGGET * np.eye(len(points)))
        weights = inverse @ labels
        error = float(np.mean((weights / np.diag(inverse)) ** 2))
        if best is None or error < best[0]:
            best = (error, width, weights)
    assert best is not None
    size = capacity(len(points))
    return Model(
        jnp.asarray(pad_rows(points, size)),
        jnp.asarray(pad_rows(best[2], size)),
        jnp.asarray(best[1]),
    )


def excess_risk(
    model: Model, z: Float[Array, "candidates dims"]
) -> tuple[Float[Array, " candidates"], Float[Array, "candidates dims"]]:
    """Predicted label minus the bound, positive where failure is to be feared, and its gradient."""
    difference = z[:, None, :] - model.points[None]
    pull = jnp.exp(-jnp.sum(difference**2, axis=2) / model.width**2) * model.weights[None]
    slope = -2.0 / model.width**2 * jnp.einsum("sp,spd->sd", pull, difference)
    return jnp.sum(pull, axis=1) - _BORDER, slope
