"""Dominance, exact hypervolume, and boxes that tile the non-dominated region.

All objectives are minimised. The hypervolume of a set is the volume that it dominates inside the
box bounded above by the reference point.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from samo_cobra.padding import capacity, pad_rows
from samo_cobra.precision import float64_on_cpu

# Rows to begin with in a growing list of boxes.
_ROWS = 64


def non_dominated(
    objectives: Float[np.ndarray, "points objectives"],
) -> Bool[np.ndarray, " points"]:
    """Marks the points that no other point dominates; of equal points the first is kept.

    Example:
        >>> import numpy as np
        >>> non_dominated(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
        [True, True, False]
    """
    values = np.asarray(objectives, dtype=float)
    no_worse = np.all(values[:, None] <= values[None], axis=2)
    equal = no_worse & no_worse.T
    earlier = np.arange(len(values))[:, None] < np.arange(len(values))[None]
    beaten = np.any(no_worse & (~equal | earlier), axis=0)
    return ~beaten


def _inside(
    objectives: Float[np.ndarray, "points objectives"], reference: Float[np.ndarray, " objectives"]
) -> Float[np.ndarray, "front objectives"]:
    """Non-dominated points that lie strictly below the reference point."""
    inside = objectives[np.all(objectives < reference, axis=1)]
    return inside[non_dominated(inside)]


def hypervolume(
    objectives: Float[np.ndarray, "points objectives"],
    reference_point: Float[np.ndarray, " objectives"],
) -> float:
    """Exact hypervolume in any number of objectives.

    Two and three objectives run under jit; otherwise the dominated region is tiled with boxes
    (Lacour, Klamroth and Fonseca, Computers & Operations Research 2017).

    Args:
        objectives: points, dominated and outside ones allowed.
        reference_point: upper corner; points not strictly below it add nothing.

    Returns:
        The volume; 0 for an empty set.

    Raises:
        ValueError: if the shapes do not match or a value is NaN.

    Example:
        >>> import numpy as np
        >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([3.0, 3.0]))
        3.0
    """
    reference = np.asarray(reference_point, dtype=float)
    values = np.asarray(objectives, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(reference):
        raise ValueError(
            f"objectives must have shape (points, {len(reference)}) to match the reference point, "
            f"got {values.shape}"
        )
    if np.isnan(values).any():
        raise ValueError("objectives contain NaN; leave failed points out")
    front = _inside(values, reference)
    if len(front) == 0:
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - front[0, 0])
    if len(reference) > 3:
        lower, upper = dominated_boxes(front, reference)
        return float(np.sum(np.prod(upper - lower, axis=1)))
    # Padding sits on the reference point, where it dominates nothing.
    padded = np.broadcast_to(reference, (capacity(len(front)), len(reference))).copy()
    padded[: len(front)] = front
    exact = hypervolume_2d if len(reference) == 2 else hypervolume_3d
    with float64_on_cpu():
        return float(exact(jnp.asarray(padded), jnp.asarray(reference)))


@jax.jit
def hypervolume_2d(
    objectives: Float[Array, "points 2"], reference: Float[Array, " 2"]
) -> Float[Array, ""]:
    """Area under the staircase; points beyond the reference point add nothing."""
    clipped = jnp.minimum(objectives, reference[None])
    clipped = clipped[jnp.argsort(clipped[:, 0])]
    lowest = jax.lax.cummin(clipped[:, 1])
    widths = jnp.diff(clipped[:, 0], append=reference[:1])
    return jnp.sum(widths * (reference[1] - lowest))


@jax.jit
def hypervolume_3d(
    objectives: Float[Array, "points 3"], reference: Float[Array, " 3"]
) -> Float[Array, ""]:
    """Sum of slabs along the third axis, each with the area of the points below it."""
    clipped = jnp.minimum(objectives, reference[None])
    clipped = clipped[jnp.argsort(clipped[:, 2])]
    order = jnp.argsort(clipped[:, 0])
    x, y = clipped[order, 0], clipped[order, 1]
    widths = jnp.diff(x, append=reference[:1])
    # Row i: the points with the i + 1 lowest third coordinates, sorted by the first one.
    present = order[None, :] <= jnp.arange(len(order))[:, None]
    lowest = jax.lax.cummin(jnp.where(present, y[None, :], reference[1]), axis=1)
    areas = jnp.sum(widths[None, :] * (reference[1] - lowest), axis=1)
    return jnp.sum(areas * jnp.diff(clipped[:, 2], append=reference[2:]))


def _local_upper_bounds(
    points: Float[np.ndarray, "points objectives"], corner: Float[np.ndarray, " objectives"]
) -> tuple[np.ndarray, np.ndarray]:
    """Maximal corners of the region that ``points`` leave free below ``corner``.

    Incremental algorithm of Klamroth, Lacour and Vanderpooten (EJOR 2015).

    Returns:
        Bounds [bounds, objectives] and the points that define each of their coordinates
        [bounds, objectives, objectives].
    """
    k = len(corner)
    bounds, defining = np.empty((_ROWS, k)), np.empty((_ROWS, k, k))
    bounds[0], defining[0] = corner, -np.inf
    defining[0, np.arange(k), np.arange(k)] = corner
    used = 1
    for point in points:
        hit = np.flatnonzero(np.all(bounds[:used] > point, axis=1))
        children, parents = _split(bounds[hit], defining[hit], point)
        new = used + len(children) - len(hit)
        while new > len(bounds):
            bounds = np.concatenate([bounds, np.empty_like(bounds)])
            defining = np.concatenate([defining, np.empty_like(defining)])
        # In place, since copying everything for every point would cost the most: children take
        # the rows of their parents, then new ones; rows left over are filled from the end.
        rows = np.concatenate([hit, np.arange(used, new)])
        holes = rows[len(children) :]
        rows = rows[: len(children)]
        bounds[rows], defining[rows] = children, parents
        if len(holes):
            last = np.setdiff1d(np.arange(new, used), holes)
            into = holes[holes < new]
            bounds[into], defining[into] = bounds[last], defining[last]
        used = new
    return bounds[:used], defining[:used]


def _split(
    bounds: Float[np.ndarray, "hits objectives"],
    defining: Float[np.ndarray, "hits objectives objectives"],
    point: Float[np.ndarray, " objectives"],
) -> tuple[np.ndarray, np.ndarray]:
    """What remains of upper bounds above a new point, with their defining points."""
    k = len(point)
    others = defining.copy()
    others[:, np.arange(k), np.arange(k)] = -np.inf
    # Equal coordinates count: mirrored corners share most of theirs.
    parent, axis = np.nonzero(point >= others.max(axis=1))
    children, parents = bounds[parent], defining[parent]
    children[np.arange(len(axis)), axis] = point[axis]
    parents[np.arange(len(axis)), axis] = point
    return children, parents


def dominated_boxes(
    points: Float[np.ndarray, "points objectives"], corner: Float[np.ndarray, " objectives"]
) -> tuple[Float[np.ndarray, "boxes objectives"], Float[np.ndarray, "boxes objectives"]]:
    """Lower and upper corners of disjoint boxes that tile the dominated region."""
    bounds, defining = _local_upper_bounds(points, corner)
    lower = np.empty_like(bounds)
    upper = bounds.copy()
    lower[:, 0], upper[:, 0] = bounds[:, 0], corner[0]
    for j in range(1, len(corner)):
        lower[:, j] = defining[:, :j, j].max(axis=1)
    solid = np.all(upper > lower, axis=1)
    return lower[solid], upper[solid]


def non_dominated_boxes(
    objectives: Float[np.ndarray, "points objectives"], reference: Float[np.ndarray, " objectives"]
) -> tuple[Float[np.ndarray, "boxes objectives"], Float[np.ndarray, "boxes objectives"]]:
    """Lower and upper corners of disjoint boxes that tile what a new point can still gain.

    The gain of a point v is the sum over boxes of prod_j max(0, upper_j - max(v_j, lower_j)).
    Lower corners may be minus infinity.
    """
    front = _inside(objectives, reference)
    if len(reference) == 1:
        best = np.min(front, initial=reference[0])
        return np.array([[-np.inf]]), np.array([[best]])
    if len(reference) == 2:
        front = front[np.argsort(front[:, 0])]
        left = np.concatenate([[-np.inf], front[:, 0]])
        right = np.concatenate([front[:, 0], reference[:1]])
        top = np.concatenate([reference[1:], front[:, 1]])
        lower = np.stack([left, np.full_like(left, -np.inf)], axis=1)
        return lower, np.stack([right, top], axis=1)
    # Mirrored, the free corners are points and the gainable region is what they dominate.
    bounds, _ = _local_upper_bounds(front, reference)
    lower, upper = dominated_boxes(-bounds, np.full(len(reference), np.inf))
    return -upper, -lower


def pad_boxes(
    lower: Float[np.ndarray, "boxes objectives"],
    upper: Float[np.ndarray, "boxes objectives"],
    length: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Pads boxes with empty ones, far below everything, that never add a gain."""
    return pad_rows(lower, length, -1e300), pad_rows(upper, length, -1e300)
