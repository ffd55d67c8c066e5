"""Fronts: of one optimiser with everything it tried, or of several sets of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from samo_cobra.pareto import non_dominated
from samo_cobra.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from samo_cobra.optimizer import Optimizer

# The view reaches behind the front by this share of its extent.
_BEHIND, _BEFORE = 0.8, 0.25
# The reference point is in view up to this many extents behind the front.
_REFERENCE_WITHIN = 1.5


def plot_fronts(
    objectives: Mapping[str, Float[np.ndarray, "points 2"]],
    axes: Axes | None = None,
    *,
    xlabel: str = "objective 1",
    ylabel: str = "objective 2",
) -> Axes:
    """Draws the front of each named set of points as a staircase, dominated points faint.

    Args:
        objectives: Minimised pairs of each set.
        axes: Where to draw; a new figure by default.
        xlabel: First objective, with its unit.
        ylabel: Second objective, with its unit.

    Returns:
        The axes.
    """
    axes = style.axes_or_new(axes)
    for k, (name, points) in enumerate(objectives.items()):
        if len(points) == 0:
            continue
        colour = style.COLOURS[k % len(style.COLOURS)]
        marker = style.MARKERS[k % len(style.MARKERS)]
        best = np.asarray(non_dominated(points))
        worse: dict[str, Any] = {
            "s": 18,
            "alpha": 0.25,
            "linewidths": 0,
            "color": colour,
            "marker": marker,
        }
        axes.scatter(points[~best][:, 0], points[~best][:, 1], **worse)
        front = points[best][np.argsort(points[best][:, 0], kind="stable")]
        axes.step(front[:, 0], front[:, 1], where="post", lw=1.2, alpha=0.7, color=colour)
        edge: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.7}
        axes.plot(
            front[:, 0], front[:, 1], marker, ms=7, color=colour, label=name, zorder=3, **edge
        )
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    style.finish(axes)
    axes.legend(frameon=False)
    return axes


def plot_front(
    optimizer: Optimizer, axes: Axes | None = None, *, names: Sequence[str] | None = None
) -> Axes:
    """Draws all trials of an optimiser in the plane of its first two objectives.

    A third objective is the colour of the front. The view is that of the front; the legend
    counts what lies outside of it. A trial of which one objective was measured is a mark on that
    axis.

    Args:
        optimizer: two or three objectives.
        axes: where to draw; a new figure by default.
        names: names of the objectives, with units.

    Returns:
        The axes.

    Raises:
        ValueError: if there are not two or three objectives.
    """
    n = optimizer.statement.n_objectives
    if n not in (2, 3):
        raise ValueError(
            f"plot_front draws 2 or 3 objectives, got {n}; plot_parallel_coordinates draws any "
            "number, and plot_convergence shows the progress of one"
        )
    axes = style.axes_or_new(axes, figsize=(7.0, 4.4 if n == 2 else 5.0))
    labels = style.directed(optimizer, names)
    _set_view(axes, optimizer)
    for kind in ("partly measured", "infeasible", "failed", "feasible"):
        _draw_kind(axes, optimizer, kind)
    front = optimizer.front().objectives
    if n == 2:
        _draw_staircase(axes, optimizer, front)
    else:
        _draw_coloured(axes, front, labels[2])
    _draw_reference(axes, optimizer)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    style.finish(axes)
    style.legend_beside(axes)
    return axes


def _draw_kind(axes: Axes, optimizer: Optimizer, kind: str) -> None:
    """Trials of one kind; a mark on the axis where only one objective is known."""
    trials = [t for t, k in zip(optimizer.trials, style.kinds(optimizer), strict=True) if k == kind]
    if not trials:
        return
    rows = np.array([t.objectives[:2] for t in trials], dtype=float)
    both = rows[np.all(np.isfinite(rows), axis=1)]
    look = style.LOOKS[kind]
    label = f"{kind} ({len(trials)}{_unseen(axes, rows)})"
    axes.plot(both[:, 0], both[:, 1], ls="none", label=label, **look)
    only_x = rows[np.isnan(rows[:, 1]) & np.isfinite(rows[:, 0]), 0]
    only_y = rows[np.isnan(rows[:, 0]) & np.isfinite(rows[:, 1]), 1]
    marks = {**look, "ls": "none", "clip_on": False}
    if len(only_x):
        axes.plot(only_x, np.zeros(len(only_x)), transform=axes.get_xaxis_transform(), **marks)
    if len(only_y):
        axes.plot(np.zeros(len(only_y)), only_y, transform=axes.get_yaxis_transform(), **marks)


def _unseen(axes: Axes, rows: Float[np.ndarray, "trials 2"]) -> str:
    """Says how many trials have no place in the view."""
    low, high = np.sort(np.array([axes.get_xlim(), axes.get_ylim()]), axis=1).T
    outside = np.any((rows < low) | (rows > high), axis=1)
    unmeasured = np.all(np.isnan(rows), axis=1)
    parts = [(int(outside.sum()), "outside the view"), (int(unmeasured.sum()), "without values")]
    return "".join(f", {n} {what}" for n, what in parts if n)


def _draw_staircase(axes: Axes, optimizer: Optimizer, front: Float[np.ndarray, "front 2"]) -> None:
    if len(front) == 0:
        return
    ordered = front[np.argsort(front[:, 0], kind="stable")]
    # The corners lie on the dominated side, which the first direction decides.
    where: Literal["post", "pre"] = "post" if optimizer.statement.signs[0] > 0 else "pre"
    colour = style.LOOKS["on the front"]["color"]
    axes.step(ordered[:, 0], ordered[:, 1], where=where, lw=1.0, alpha=0.6, color=colour)
    axes.plot(
        ordered[:, 0],
        ordered[:, 1],
        ls="none",
        label=f"on the front ({len(ordered)})",
        zorder=3,
        **style.LOOKS["on the front"],
    )


def _draw_coloured(axes: Axes, front: Float[np.ndarray, "front 3"], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    if len(front) == 0:
        return
    points = axes.scatter(
        front[:, 0],
        front[:, 1],
        c=front[:, 2],
        cmap=style.colour_map(),
        s=45,
        edgecolors="white",
        linewidths=0.7,
        zorder=3,
        label=f"on the front ({len(front)})",
    )
    axes.figure.colorbar(
        points, ax=axes, label=label, location="top", aspect=40, ticks=MaxNLocator(4)
    )


def _draw_reference(axes: Axes, optimizer: Optimizer) -> None:
    reference = optimizer.reference_point
    if reference is None:
        return
    outside = _unseen(axes, reference[None, :2])
    numbers = ", ".join(f"{r:.6g}" for r in reference)
    label = f"reference point\n({numbers}){outside.replace(', 1', ',')}"
    axes.axvline(reference[0], color="0.5", lw=0.8, ls=":")
    axes.axhline(reference[1], color="0.5", lw=0.8, ls=":")
    axes.plot(*reference[:2], marker="*", ms=11, ls="none", color=style.COLOURS[2], label=label)


def _set_view(axes: Axes, optimizer: Optimizer) -> None:
    """Limits around the front, and the reference point if it is near; else around all there is."""
    front = optimizer.front().objectives[:, :2]
    if len(front) < 2 or np.any(np.ptp(front, axis=0) == 0.0):
        front = _measured(optimizer)
    if len(front) == 0:
        return
    signs, reference = optimizer.statement.signs[:2], optimizer.reference_point
    limits = []
    for axis in range(2):
        values = signs[axis] * front[:, axis]
        extent = float(np.ptp(values)) or 1.0
        low, high = values.min() - _BEFORE * extent, values.max() + _BEHIND * extent
        if reference is not None:
            corner = signs[axis] * reference[axis]
            if corner < values.max() + _REFERENCE_WITHIN * extent:
                high = max(high, corner + _BEFORE * extent)
        limits.append(sorted((float(signs[axis] * low), float(signs[axis] * high))))
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _measured(optimizer: Optimizer) -> Float[np.ndarray, "trials 2"]:
    rows = np.array([t.objectives[:2] for t in optimizer.trials], dtype=float).reshape(-1, 2)
    return rows[np.all(np.isfinite(rows), axis=1)]
