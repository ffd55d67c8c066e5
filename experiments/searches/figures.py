"""Pictures of a search, as PNG bytes."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import matplotlib as mpl

from experiments.objectives import QUANTITIES
from samo_cobra.pareto import non_dominated
from samo_cobra.plots import COLOURS, plot_convergence, plot_fronts

mpl.use("Agg")
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from experiments.searches.report import SearchResult

TITLES = {
    "allegro": "Allegro",
    "allegro-mlp": "Allegro+MLP",
    "allegro-qdi": "Allegro+QDI",
    "control-mlp": "MLP as large as QDI",
    "control-trigonometric": "trigonometric",
    "control-frozen": "frozen QDI",
    "control-linear": "linear",
}


def front(result: SearchResult) -> bytes:
    """Draws the fronts of the variants, dominated trials faint: a panel per pair of objectives."""
    pairs = list(itertools.combinations(range(len(result.objectives)), 2))
    figure = Figure(
        figsize=(6.4 if len(pairs) == 1 else 4.4 * len(pairs), 4.4), layout="constrained"
    )
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (i, j) in zip(panels, pairs, strict=True):
        if len(pairs) == 1:
            points = {TITLES[variant]: result.points(variant) for variant in result.records}
            plot_fronts(points, axes)
        else:
            _project(result, axes, i, j)
        axes.set_xlabel(axis_label(result, i))
        axes.set_ylabel(axis_label(result, j))
        axes.set_xscale("log")
        axes.set_yscale("log")
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
    figure.suptitle(f"{result.config.data.name}: what can be had together", fontsize="medium")
    return png(figure)


def axis_label(result: SearchResult, place: int) -> str:
    """Names an objective with its unit."""
    name = result.objectives[place]
    if name == "inference_time":
        structures = result.front[0].latency.structures
        return f"time for {structures} structures, energies and forces (s)"
    return QUANTITIES[name].axis


def _project(result: SearchResult, axes: Axes, i: int, j: int) -> None:
    """Draws two of three objectives; what is on the front by all three is strong."""
    for k, variant in enumerate(result.records):
        points = result.points(variant)
        best = non_dominated(points)
        colour = COLOURS[k % len(COLOURS)]
        axes.scatter(points[~best][:, i], points[~best][:, j], s=14, alpha=0.25, color=colour)
        label = TITLES[variant]
        axes.scatter(points[best][:, i], points[best][:, j], s=34, color=colour, label=label)
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(frameon=False)


def curves(result: SearchResult) -> bytes:
    """Draws validation error against training seconds, a panel for each variant."""
    variants = [variant for variant, trials in result.records.items() if trials]
    figure = Figure(figsize=(3.2 * len(variants), 3.0), layout="constrained")
    panels = figure.subplots(1, len(variants), sharey=True, squeeze=False)[0]
    best = {item.record.variant: item.record.number for item in reversed(result.front)}
    quantity = QUANTITIES[result.error]
    for k, (axes, variant) in enumerate(zip(panels, variants, strict=True)):
        for record in result.records[variant]:
            seconds = [row["seconds"] for row in record.history]
            errors = [quantity.shown[0] * row[result.error] for row in record.history]
            strong = record.number == best.get(variant)
            style = {"lw": 1.8, "alpha": 1.0} if strong else {"lw": 0.8, "alpha": 0.35}
            axes.plot(seconds, errors, color=COLOURS[k % len(COLOURS)], **style)
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
        axes.set_title(TITLES[variant])
        axes.set_xlabel("training time (s)")
        axes.grid(alpha=0.25, lw=0.5)
    panels[0].set_ylabel(quantity.axis)
    return png(figure)


def convergence(result: SearchResult) -> bytes:
    """Draws the hypervolume after every finished trial."""
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    curves = {TITLES[name]: curve for name, curve in result.hypervolumes().items()}
    plot_convergence(curves, figure.add_subplot(), ylabel="hypervolume (share of the box)")
    return png(figure)


def plain_ticks(axis: Axis) -> None:
    """Writes 70, 100, 150 in place of powers of ten on an axis of about one decade."""
    axis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())


def png(figure: Figure) -> bytes:
    """Returns a figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
