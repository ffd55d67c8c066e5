"""Pictures of a study, as PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from jaxtyping import Float

from experiments.objectives import QUANTITIES
from experiments.reproduction import published
from experiments.reproduction.paper_tables import MILLI, NAMES
from experiments.reproduction.published import TITLES, VARIANTS
from experiments.reproduction.results import Results
from experiments.searches.figures import plain_ticks, png
from samo_cobra.plots import COLOURS
from samo_cobra.plots.style import MARKERS

mpl.use("Agg")
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Mapping[str, Float[np.ndarray, "points 2"]]


def fronts(results: Results) -> bytes:
    """Draws the counterpart of Figure 2: the published fronts above, those found here below."""
    names = list(results.found)
    figure = Figure(figsize=(3.3 * len(names), 6.4), layout="constrained")
    grid = figure.subplots(2, len(names), squeeze=False)
    for axes, name in zip(grid[0], names, strict=True):
        printed = {v: np.array(published.front(name, v)).reshape(-1, 2) for v in VARIANTS}
        _draw(axes, printed)
        axes.set_title(f"{TITLES[name]}\npaper", fontsize="medium")
    for axes, name in zip(grid[1], names, strict=True):
        found = results.found[name]
        for k, variant in enumerate(VARIANTS):
            every = [(MILLI * t.error, t.seconds) for t in found.trials[variant]]
            if every:
                axes.scatter(*zip(*every, strict=True), s=14, alpha=0.25, color=COLOURS[k])
        ours = [[(MILLI * t.error, t.seconds) for t in found.front(v)] for v in VARIANTS]
        _draw(axes, {v: np.array(r).reshape(-1, 2) for v, r in zip(VARIANTS, ours, strict=True)})
        axes.set_title("here", fontsize="medium")
        axes.set_xlabel(QUANTITIES[found.error].axis)
    grid[0][0].set_ylabel("time for the test set (s), T4")
    grid[1][0].set_ylabel("time for the test set (s)")
    handles, titles = grid[1][0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=3, frameon=False)
    return png(figure)


def _draw(axes: Axes, points: Points) -> None:
    for k, (variant, rows) in enumerate(points.items()):
        ordered = rows[np.argsort(rows[:, 0], kind="stable")]
        colour, marker = COLOURS[k], MARKERS[k]
        axes.step(ordered[:, 0], ordered[:, 1], where="post", lw=1.0, alpha=0.7, color=colour)
        axes.plot(
            ordered[:, 0], ordered[:, 1], marker, ms=6, color=colour, label=NAMES[variant],
            markeredgecolor="white", markeredgewidth=0.6,
        )  # fmt: skip
    if any(len(rows) for rows in points.values()):
        axes.set_xscale("log")
        axes.set_yscale("log")
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
        axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, lw=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def curves(results: Results) -> bytes:
    """Draws the learning curves of the long trainings of the fronts' most accurate trials."""
    names = list(results.found)
    figure = Figure(figsize=(3.3 * len(names), 3.3), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        quantity = results.found[name].error
        for k, variant in enumerate(VARIANTS):
            for training in results.promoted(name, variant):
                rows = [row for row in training.history if row["seconds"] > 0]
                seconds = [row["seconds"] for row in rows]
                errors = [MILLI * row[quantity] for row in rows]
                label = NAMES[variant] if training.job.seed == 0 else None
                axes.plot(seconds, errors, lw=1.1, alpha=0.8, color=COLOURS[k], label=label)
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
        axes.set_title(TITLES[name], fontsize="medium")
        axes.set_xlabel("training time (s)")
        axes.set_ylabel(QUANTITIES[quantity].axis, fontsize="small")
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25, lw=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    handles, titles = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, titles, loc="outside lower center", ncols=3, frameon=False)
    return png(figure)
