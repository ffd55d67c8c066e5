"""Hypervolume after every trial, of one optimiser or of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from samo_cobra import pareto
from samo_cobra.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from samo_cobra.optimizer import Optimizer


def plot_convergence(
    runs: Optimizer | Mapping[str, Float[np.ndarray, " trials"]],
    axes: Axes | None = None,
    *,
    ylabel: str = "hypervolume",
) -> Axes:
    """Draws the hypervolume after every trial.

    Of an optimiser also what each trial was, in a row below the curve, and where the initial
    design ends. All values are with respect to its present reference point.

    Args:
        runs: an optimiser, or the curves of named runs.
        axes: where to draw; a new figure by default.
        ylabel: what the curves are.

    Returns:
        The axes.
    """
    if isinstance(runs, Mapping):
        axes = style.axes_or_new(axes)
        for k, (name, curve) in enumerate(runs.items()):
            _step(axes, curve, style.COLOURS[k % len(style.COLOURS)], name)
    else:
        axes = style.axes_or_new(axes, figsize=(7.4, 3.8))
        _step(axes, hypervolumes(runs), style.COLOURS[0], None)
        _mark_design(axes, runs)
        _mark_kinds(axes, runs)
    axes.set_xlabel("finished trials")
    axes.set_ylabel(ylabel)
    style.finish(axes)
    if isinstance(runs, Mapping):
        axes.legend(frameon=False)
    else:
        style.legend_beside(axes)
    return axes


def hypervolumes(optimizer: Optimizer) -> Float[np.ndarray, " trials"]:
    """Hypervolume after every trial with respect to the present reference point."""
    reference = optimizer.reference_point
    signs = optimizer.statement.signs
    curve = np.zeros(len(optimizer.trials))
    front = np.zeros((0, len(signs)))
    for i, (trial, kind) in enumerate(zip(optimizer.trials, style.kinds(optimizer), strict=True)):
        curve[i] = curve[i - 1] if i else 0.0
        if kind in ("on the front", "feasible") and reference is not None:
            point = signs * np.array([trial.objectives], dtype=float)
            joined = np.concatenate([front, point])
            joined = joined[pareto.non_dominated(joined)]
            if not np.array_equal(joined, front):
                front = joined
                curve[i] = pareto.hypervolume(front, signs * reference)
    return curve


def _step(axes: Axes, curve: Float[np.ndarray, " trials"], colour: str, name: str | None) -> None:
    axes.step(np.arange(1, len(curve) + 1), curve, where="post", color=colour, label=name)


def _mark_design(axes: Axes, optimizer: Optimizer) -> None:
    end = min(optimizer.initial_points, len(optimizer.trials)) + 0.5
    axes.axvspan(0.5, end, color="0.92", lw=0, zorder=0, label="initial design")
    axes.set_xlim(0.5, max(len(optimizer.trials), 1) + 0.5)


def _mark_kinds(axes: Axes, optimizer: Optimizer) -> None:
    """A row of marks under the curve, one per trial."""
    kinds = np.array(style.kinds(optimizer))
    height = axes.get_xaxis_transform()
    for kind, look in style.LOOKS.items():
        numbers = np.flatnonzero(kinds == kind) + 1
        if len(numbers):
            row = np.full(len(numbers), 0.03)
            axes.plot(numbers, row, ls="none", transform=height, label=kind, **look)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.08 * (high - low), high)
