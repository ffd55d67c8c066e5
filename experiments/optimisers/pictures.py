"""Convergence of all methods, one panel per problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.optimisers import report
from experiments.optimisers.curves import Curve
from samo_cobra.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
_STYLES = ("-", "--")


def draw(path: Path, curves: Sequence[Curve], best_known: Mapping[str, float | None]) -> None:
    """Writes a PNG of median hypervolumes; bands reach from the worst to the best seed."""
    import matplotlib.pyplot as plt

    problems, names = report.problems_of(curves), report.methods_of(curves)
    n_rows = -(-len(problems) // COLUMNS)
    size = (3.2 * COLUMNS, 2.4 * n_rows + 0.5)
    figure, grid = plt.subplots(n_rows, COLUMNS, figsize=size, squeeze=False)
    for axes, problem in zip(grid.flat, problems, strict=False):
        _panel(axes, curves, problem, names, best_known.get(problem))
    for axes in grid.flat[len(problems) :]:
        axes.set_visible(False)
    handles = [plt.Line2D([], [], label=name, **_style(k)) for k, name in enumerate(names)]
    figure.legend(handles=handles, loc="lower center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0.5 / size[1], 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _style(k: int) -> dict[str, str]:
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": _STYLES[k // len(COLOURS) % 2]}


def _panel(
    axes: Axes,
    curves: Sequence[Curve],
    problem: str,
    names: Sequence[str],
    known: float | None,
) -> None:
    for k, name in enumerate(names):
        values = np.array([c.hypervolumes for c in report.runs_of(curves, problem, name)])
        if not values.size:
            continue
        evaluations = np.arange(1, values.shape[1] + 1)
        axes.plot(evaluations, np.median(values, axis=0), lw=1.3, **_style(k))
        low, high = values.min(axis=0), values.max(axis=0)
        axes.fill_between(evaluations, low, high, color=_style(k)["color"], alpha=0.12, lw=0)
    start = min(c.initial_points for c in curves if c.job.problem == problem)
    axes.axvline(start, color="0.6", lw=0.8, ls=":")
    if known is not None:
        axes.axhline(known, color="0.4", lw=0.8)
    axes.set_title(problem, fontsize=9)
    axes.set_xlabel("evaluations", fontsize=8)
    axes.set_ylabel("hypervolume", fontsize=8)
    axes.tick_params(labelsize=7)
