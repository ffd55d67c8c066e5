"""Joint batches: all points of a batch moved in turn while their common gain grows."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from samo_cobra import pareto
from samo_cobra.history import History
from samo_cobra.infill import Found

# Rounds over the batch; later ones change little.
_ROUNDS = 2
_WORTH = 1e-9

Search: TypeAlias = Callable[[History, np.ndarray], Found]
"""Finds the best point given a history with believed points, starting from some rows too."""


def improve(
    batch: Sequence[Found],
    history: History,
    reference: Float[np.ndarray, " objectives"],
    search: Search,
) -> list[Found]:
    """Moves every point of a batch in turn to where the batch as a whole gains most.

    Each move maximises HV(front + batch), the criterion of Multi-Point SAMO-COBRA (GECCO 2022),
    over one point with the others held: block coordinate ascent instead of one search in all
    coordinates at once, with the same machinery for any number of objectives.

    Args:
        batch: a good first batch.
        history: trials, without the batch.
        reference: reference point, objectives minimised.
        search: finds the best single point of a history.

    Returns:
        The batch, never of smaller predicted gain.
    """
    points = list(batch)
    for _ in range(_ROUNDS):
        before = [p.z for p in points]
        for i in range(len(points)):
            others = _with(history, [p for j, p in enumerate(points) if j != i])
            found = search(others, points[i].z[None])
            old, new = (_gain(others, p, reference) for p in (points[i], found))
            if new > (1.0 + _WORTH) * old:
                points[i] = found
        if all(np.array_equal(a, p.z) for a, p in zip(before, points, strict=True)):
            break
    return points


def _with(history: History, points: Sequence[Found]) -> History:
    """The history as if the points had come out as predicted."""
    if not points:
        return history
    return history.extended(np.array([p.z for p in points]), np.array([p.outputs for p in points]))


def _gain(history: History, point: Found, reference: Float[np.ndarray, " objectives"]) -> float:
    """Hypervolume to expect of a point beside a front; none if it is predicted infeasible."""
    k = history.objectives.shape[1]
    if np.any(point.outputs[k:] > 0.0):
        return 0.0
    front = history.objectives[history.front()]
    together = np.concatenate([front, point.outputs[None, :k]])
    added = pareto.hypervolume(together, reference) - pareto.hypervolume(front, reference)
    return point.chance * added
