"""From models and history to the arrays of one inner search."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from samo_cobra import criterion, feasibility, pareto
from samo_cobra.exact import ExactOutputs
from samo_cobra.history import History
from samo_cobra.modelling import Modelled
from samo_cobra.padding import capacity, pad_rows
from samo_cobra.precision import float64_on_cpu


def problem(
    modelled: Modelled,
    exact: ExactOutputs,
    reference: Float[np.ndarray, " objectives"],
) -> criterion.InfillProblem:
    """Collects the padded arrays of one infill search.

    Objectives are measured in units of the extent of the front, so that the search sees numbers
    of order one; scaling an axis scales every gain alike.
    """
    history = modelled.history
    front = history.objectives[history.front()]
    front = front[np.all(front < reference, axis=1)]
    centre, width = _units(history.objectives, front)
    front, corner = (front - centre) / width, (reference - centre) / width
    lower, upper = pareto.non_dominated_boxes(front, corner)
    lower = np.maximum(lower, (_floor(history.objectives, reference) - centre) / width)
    n, boxes = capacity(len(history.taken)), capacity(len(lower))
    if len(reference) <= 2:
        boxes = n + 1
    lower, upper = pareto.pad_boxes(lower, upper, boxes)
    with float64_on_cpu():
        return criterion.InfillProblem(
            model=modelled.model,
            order=jnp.asarray(exact.order, dtype=int),
            centre=jnp.asarray(centre),
            width=jnp.asarray(width),
            optimism=jnp.asarray(history.objectives.std(axis=0)),
            reference=jnp.asarray(corner),
            # Padding of the front dominates nothing, that of the places is in nobody's way.
            front=jnp.asarray(pad_rows(front, n, 1e300)),
            lower=jnp.asarray(lower),
            upper=jnp.asarray(upper),
            constraint_range=jnp.asarray(history.ranges()),
            margin=jnp.asarray(modelled.margins.by_outcomes),
            margin_rate=jnp.asarray(modelled.margins.rate),
            measured=jnp.asarray(np.arange(len(modelled.model.mask)) < modelled.n_measured),
            taken=jnp.asarray(pad_rows(history.taken, n, 1e3)),
            clearance=jnp.asarray(pad_rows(history.clearances(), n, 1.0)),
            failures=feasibility.fit(history.z[history.eligible], history.failed),
        )


def _units(
    objectives: Float[np.ndarray, "points objectives"],
    front: Float[np.ndarray, "front objectives"],
) -> tuple[Float[np.ndarray, " objectives"], Float[np.ndarray, " objectives"]]:
    """Origin and extent of the front, or of all points where the front has none."""
    basis = front if len(front) else objectives
    everything = np.ptp(objectives, axis=0)
    extent = np.ptp(basis, axis=0)
    extent = np.where(extent > 1e-6 * everything, extent, everything)
    return basis.min(axis=0), np.where(extent > 0.0, extent, 1.0)


def _floor(
    objectives: Float[np.ndarray, "points objectives"], reference: Float[np.ndarray, " objectives"]
) -> Float[np.ndarray, " objectives"]:
    """Values below which an objective gains nothing more.

    What is predicted further below all that was seen than all of it spreads is extrapolation gone
    wild, mostly of a logarithm mapped back. What lies beyond the reference point and the median
    does not count as spread: one huge value is no reason to believe in a tiny one.
    """
    best = objectives.min(axis=0)
    most = np.maximum(reference, np.median(objectives, axis=0))
    cut = np.where(best < reference, np.minimum(objectives, most), objectives)
    return best - np.ptp(cut, axis=0)


def reachable_reference(
    history: History, reference: Float[np.ndarray, " objectives"]
) -> Float[np.ndarray, " objectives"]:
    """A reference point that the best points so far lie below, at least the given one."""
    best = history.front()
    objectives = history.objectives[best] if best else history.objectives
    spread = np.ptp(history.objectives, axis=0)
    return np.maximum(reference, objectives.max(axis=0) + 0.1 * np.where(spread > 0, spread, 1.0))
