"""Errors of all readouts with error bars: a column per data set, a row per quantity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.readouts import tables
from experiments.readouts.runs import Record
from samo_cobra.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

QUANTUM, CLASSICAL = COLOURS[1], COLOURS[0]


def draw(path: Path, records: Sequence[Record], baseline: str = "qdi") -> None:
    """Writes a PNG: every seed, mean ± standard deviation, and a line at the baseline's mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    names, readouts = tables.datasets_of(records), tables.readouts_of(records)
    quantities = tables.quantities_of(records)
    size = (1.1 + 3.1 * len(names), 0.4 + len(quantities) * (0.9 + 0.28 * len(readouts)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(quantities), len(names), sharey=True, squeeze=False)
    for row, quantity in zip(grid, quantities, strict=True):
        for axes, dataset in zip(row, names, strict=True):
            _panel(axes, tables.chosen(records, dataset=dataset), readouts, quantity, baseline)
    for axes, dataset in zip(grid[0], names, strict=True):
        axes.set_title(dataset, fontsize=10)
    figure.legend(handles=_legend(baseline), loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)


def _legend(baseline: str) -> list[Line2D]:
    from matplotlib.lines import Line2D

    point = {"marker": "o", "ls": ""}
    return [
        Line2D([], [], color=QUANTUM, label="with a circuit: mean ± sd", **point),
        Line2D([], [], color=CLASSICAL, label="without: mean ± sd", **point),
        Line2D([], [], color="0.4", mfc="none", ms=4, label="one seed", **point),
        Line2D([], [], color="0.5", lw=0.8, ls="--", label=f"mean of {baseline}"),
    ]


def _panel(
    axes: Axes, runs: Sequence[Record], readouts: Sequence[str], quantity: str, baseline: str
) -> None:
    for place, readout in enumerate(readouts):
        values = tables.errors(tables.chosen(runs, readout=readout), quantity)
        if not len(values):
            continue
        colour = QUANTUM if readout.startswith("qdi") else CLASSICAL
        offsets = place + np.linspace(-0.22, 0.22, len(values) + 2)[1:-1]
        axes.plot(values, offsets, "o", ms=3.5, mfc="none", mew=0.8, color=colour, alpha=0.6)
        spread = values.std(ddof=1) if len(values) > 1 else None
        axes.errorbar(values.mean(), place, xerr=spread, fmt="o", ms=5.5, capsize=3, color=colour)
        if readout == baseline:
            axes.axvline(values.mean(), color="0.5", lw=0.8, ls="--", zorder=0)
    label, unit = tables.QUANTITIES[quantity]
    axes.set_xlabel(f"test {label} ({unit})", fontsize=9)
    axes.set_yticks(range(len(readouts)), readouts)
    axes.set_ylim(len(readouts) - 0.5, -0.5)
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", alpha=0.25, lw=0.5)
    axes.spines[["top", "right"]].set_visible(False)
