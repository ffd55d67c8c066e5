"""Parallel coordinates: every trial a line through its parameters and objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from samo_cobra.plots import style
from samo_cobra.space import Categorical, Integer, Ordinal, Parameter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from samo_cobra.optimizer import Optimizer

# Where lines pass a parameter that does not exist, below its axis.
ABSENT = -0.12
_MOST_CHOICES = 12
_LINES = {
    "infeasible": {"color": "0.8", "lw": 0.7},
    "partly measured": {"color": "0.6", "lw": 0.8, "ls": "--"},
    "failed": {"color": "black", "lw": 0.7, "ls": ":", "alpha": 0.6},
    "feasible": {"color": "0.55", "lw": 0.8},
}
# Labels closer than this share of an axis would overlap.
_APART = 0.06


def plot_parallel_coordinates(
    optimizer: Optimizer, axes: Axes | None = None, *, names: Sequence[str] | None = None
) -> Axes:
    """Draws every trial as a line through its parameters and objectives.

    Lines of the front are coloured by the first objective, the others are grey. Logarithmic and
    ordered parameters have the scale on which they are searched; a parameter that does not exist
    at a trial is passed below its axis. Objectives span the feasible trials.

    Args:
        optimizer: whose trials.
        axes: where to draw; a new figure by default.
        names: names of the objectives, with units.

    Returns:
        The axes.
    """
    parameters = optimizer.space.parameters
    labels = [p.name for p in parameters] + style.objective_names(optimizer, names)
    axes = style.axes_or_new(axes, figsize=(max(6.4, 1.25 * len(labels) + 1.5), 4.6))
    kinds = style.kinds(optimizer)
    span = _span(optimizer, kinds)
    heights = np.array([_heights(optimizer, trial, span) for trial in optimizer.trials])
    for kind, look in _LINES.items():
        rows = [heights[i] for i, k in enumerate(kinds) if k == kind]
        _lines(axes, rows, kind, **look)
    _front_lines(axes, optimizer, heights, kinds, labels[len(parameters)])
    for place, parameter in enumerate(parameters):
        _scale(axes, place, _ticks(parameter), conditional=parameter.when is not None)
    for j, (low, high) in enumerate(span.T):
        ticks = [((v - low) / (high - low), f"{v:g}") for v in _round_values(low, high)]
        _scale(axes, len(parameters) + j, ticks, conditional=False)
    _dress(axes, labels, len(parameters))
    axes.set_ylim(-0.2 if any(p.when for p in parameters) else -0.06, 1.06)
    return axes


def _span(optimizer: Optimizer, kinds: Sequence[str]) -> Float[np.ndarray, "2 objectives"]:
    """Lowest and highest objectives of the feasible trials, or of all measured ones."""
    good = [k in ("on the front", "feasible") for k in kinds]
    rows = np.array([t.objectives for t in optimizer.trials], dtype=float)
    rows = rows.reshape(-1, optimizer.statement.n_objectives)
    rows = rows[good] if any(good) else rows
    spans = []
    for column in rows.T:
        known = column[np.isfinite(column)]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
        spans.append((low, high if high > low else low + 1.0))
    return np.array(spans).T


def _heights(
    optimizer: Optimizer, trial: Any, span: Float[np.ndarray, "2 objectives"]
) -> list[float]:
    """Where the line of a trial passes each axis; NaN where nothing was measured."""
    heights = []
    for parameter in optimizer.space.parameters:
        value = trial.x.get(parameter.name)
        present = parameter.name in trial.x
        heights.append(height(parameter, value) if present else ABSENT)
    low, high = span
    objectives = np.array(trial.objectives, dtype=float)
    return [*heights, *((objectives - low) / (high - low)).tolist()]


def height(parameter: Parameter, value: Any) -> float:
    """Place of a value on the axis of its parameter, from 0 to 1."""
    if isinstance(parameter, Categorical | Ordinal):
        return parameter.index_of(value) / (len(parameter.choices) - 1)
    if isinstance(parameter, Integer):
        # From the first to the last value, not to the edges of their cells.
        ends = parameter.to_unit(parameter.low)[0], parameter.to_unit(parameter.high)[0]
        return (parameter.to_unit(value)[0] - ends[0]) / (ends[1] - ends[0])
    return parameter.to_unit(value)[0]


def _ticks(parameter: Parameter) -> list[tuple[float, str]]:
    """Heights and labels along the axis of a parameter."""
    if isinstance(parameter, Categorical | Ordinal):
        every = -(-len(parameter.choices) // _MOST_CHOICES)
        return [(height(parameter, c), str(c)) for c in parameter.choices[::every]]
    low, high = parameter.low, parameter.high
    between = _decades(low, high) if parameter.log else _round_values(low, high)
    if isinstance(parameter, Integer):
        between = [round(v) for v in between if v == round(v)]
    ticks = {height(parameter, v): f"{v:g}" for v in (low, high)}
    for v in between:
        at = height(parameter, v)
        if min(abs(at - other) for other in ticks) > _APART:
            ticks[at] = f"{v:g}"
    return list(ticks.items())


def _round_values(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(5).tick_values(low, high)
    return [float(v) for v in values if low <= v <= high]


def _decades(low: float, high: float) -> list[float]:
    first, last = np.ceil(np.log10(low)), np.floor(np.log10(high))
    return [float(10.0**e) for e in np.arange(first, last + 1.0)]


def _lines(axes: Axes, rows: Sequence[Any], label: str, **look: Any) -> None:
    from matplotlib.collections import LineCollection

    if not len(rows):
        return
    segments = [
        np.column_stack([np.arange(len(r)), r])[np.isfinite(r)] for r in map(np.array, rows)
    ]
    linestyle = look.pop("ls", "-")
    lines = LineCollection(segments, linestyles=linestyle, label=f"{label} ({len(rows)})", **look)
    axes.add_collection(lines, autolim=False)


def _front_lines(
    axes: Axes,
    optimizer: Optimizer,
    heights: Float[np.ndarray, "trials places"],
    kinds: Sequence[str],
    label: str,
) -> None:
    from matplotlib.collections import LineCollection

    best = [i for i, kind in enumerate(kinds) if kind == "on the front"]
    if not best:
        return
    segments = [np.column_stack([np.arange(heights.shape[1]), heights[i]]) for i in best]
    values = np.array([optimizer.trials[i].objectives[0] for i in best], dtype=float)
    # No legend: the colour bar is one.
    lines = LineCollection(segments, array=values, cmap=style.colour_map(), lw=1.7, zorder=3)
    axes.add_collection(lines, autolim=False)
    axes.figure.colorbar(lines, ax=axes, label=f"{label}, on the front ({len(best)})", pad=0.02)


def _scale(
    axes: Axes, place: int, ticks: Sequence[tuple[float, str]], *, conditional: bool
) -> None:
    """One vertical axis with its labels."""
    axes.plot([place, place], [0.0, 1.0], color="black", lw=1.0, zorder=4)
    box: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
    text: dict[str, Any] = {"fontsize": 8, "va": "center", "zorder": 5, "bbox": box}
    for at, label in ticks:
        axes.plot([place, place + 0.05], [at, at], color="black", lw=0.8, zorder=4)
        axes.text(place + 0.07, at, label, **text)
    if conditional:
        axes.plot([place], [ABSENT], marker="_", ms=8, color="black", zorder=4)
        axes.text(place + 0.07, ABSENT, "absent", style="italic", **text)


def _dress(axes: Axes, labels: Sequence[str], n_parameters: int) -> None:
    axes.set_xlim(-0.2, len(labels) - 0.4)
    axes.set_xticks(range(len(labels)), labels, rotation=25, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    axes.axvline(n_parameters - 0.5, color="0.6", lw=0.8, ls="--")
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
