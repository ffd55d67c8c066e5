"""Pictures of a search: fronts with the dominated points behind them, and convergence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from samo_cobra.pareto import non_dominated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's colours, told apart by colour-blind readers too."""

MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_fronts(
    axes: Axes,
    objectives: Mapping[str, Float[np.ndarray, "points 2"]],
    xlabel: str,
    ylabel: str,
) -> None:
    """Draws the front of each named set of points as a staircase, dominated points faint.

    Args:
        axes: Where to draw.
        objectives: Minimised pairs of each set.
        xlabel: First objective, with its unit.
        ylabel: Second objective, with its unit.
    """
    for k, (name, points) in enumerate(objectives.items()):
        if len(points) == 0:
            continue
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        best = np.asarray(non_dominated(points))
        axes.scatter(
            points[~best][:, 0],
            points[~best][:, 1],
            s=18,
            alpha=0.25,
            linewidths=0,
            color=colour,
            marker=marker,
        )
        front = points[best][np.argsort(points[best][:, 0], kind="stable")]
        axes.step(front[:, 0], front[:, 1], where="post", lw=1.2, alpha=0.7, color=colour)
        axes.plot(
            front[:, 0],
            front[:, 1],
            marker,
            ms=7,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.7,
            label=name,
            zorder=3,
        )
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(frameon=False)


def plot_convergence(
    axes: Axes, hypervolumes: Mapping[str, Float[np.ndarray, " evaluations"]], ylabel: str
) -> None:
    """Draws the hypervolume after every evaluation of each named run."""
    for k, (name, curve) in enumerate(hypervolumes.items()):
        evaluations = np.arange(1, len(curve) + 1)
        axes.step(evaluations, curve, where="post", color=COLOURS[k % len(COLOURS)], label=name)
    axes.set_xlabel("finished trials")
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(frameon=False)
