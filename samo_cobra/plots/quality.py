"""How good the models were: predictions against outcomes, and which kernels were chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from samo_cobra import surrogates
from samo_cobra.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from samo_cobra.optimizer import Optimizer

_EXACT = "exact"
# How marks of models of the three versions are filled.
_FILLED = {"plain": "full", "logarithmic": "none", "reciprocal": "left"}
# Largest ratio of positive values that a linear scale still shows.
_LINEAR_WITHIN = 50.0
# Ratio of the largest value to nine tenths of all, from which on the large ones are drawn nearer.
_FAR_OFF = 4.0
# Marks along an axis for which a panel has room.
_TICKS = 5


def plot_model_quality(
    optimizer: Optimizer,
    axes: Sequence[Axes] | None = None,
    *,
    objectives: Sequence[str] | None = None,
    constraints: Sequence[str] | None = None,
) -> list[Axes]:
    """Draws predicted against measured values of every modelled output, and the chosen kernels.

    Each suggestion of the models was made with a prediction (:attr:`Optimizer.records`), which
    its outcome puts to the test. Inexpensive outputs have no models and no panel.

    Args:
        optimizer: with some trials beyond the initial design.
        axes: where to draw, one for every modelled output and one for the kernels; a new figure
            by default.
        objectives: names of the objectives, with units.
        constraints: names of the constraints.

    Returns:
        The axes.

    Raises:
        ValueError: if the models have suggested nothing yet, or the number of axes is wrong.
    """
    if not optimizer.records:
        raise ValueError(
            f"the models have suggested nothing yet: {len(optimizer.trials)} trials, of which the "
            f"first {optimizer.initial_points} are the initial design"
        )
    names = style.objective_names(optimizer, objectives)
    names += style.constraint_names(optimizer, constraints)
    modelled = [i for i, kernel in enumerate(optimizer.records[0].kernels) if kernel != _EXACT]
    panels = _panels(len(modelled) + 1) if axes is None else list(axes)
    if len(panels) != len(modelled) + 1:
        raise ValueError(
            f"expected {len(modelled) + 1} axes, one for each modelled output and one for the "
            f"kernels, got {len(panels)}"
        )
    for panel, output in zip(panels, modelled, strict=False):
        _draw_predictions(panel, *predictions(optimizer, output), names[output])
    _draw_kernels(panels[-1], optimizer, {i: names[i] for i in modelled})
    return panels


def predictions(
    optimizer: Optimizer, output: int
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Predicted and measured values of one output, in the order of the suggestions."""
    outcomes = {t.id: (t.objectives + t.constraints)[output] for t in optimizer.trials}
    pairs = [(r.predicted[output], outcomes.get(r.id)) for r in optimizer.records]
    known = [(p, value) for p, value in pairs if value is not None]
    predicted, measured = np.array(known, dtype=float).reshape(-1, 2).T
    return predicted, measured


def summary(predicted: Float[np.ndarray, " n"], measured: Float[np.ndarray, " n"]) -> str:
    """Rank correlation, and the median error in percent of the standard deviation measured."""
    from scipy import stats

    if len(measured) < 3 or np.ptp(measured) == 0.0 or np.ptp(predicted) == 0.0:
        return f"{len(measured)} trials"
    rank = stats.spearmanr(predicted, measured).statistic
    error = np.median(np.abs(predicted - measured)) / np.std(measured)
    return f"rank correlation {rank:.2f}, error {100 * error:.1f} %"


def _panels(n: int) -> list[Axes]:
    columns = min(3, n)
    rows = -(-n // columns)
    figure = style.new_figure(figsize=(4.3 * columns, 3.6 * rows))
    grid = figure.add_gridspec(rows, columns)
    panels = [figure.add_subplot(grid[i // columns, i % columns]) for i in range(n - 1)]
    # The last panel takes the rest of its row.
    panels.append(figure.add_subplot(grid[rows - 1, (n - 1) % columns :]))
    return panels


def _draw_predictions(
    axes: Axes,
    predicted: Float[np.ndarray, " n"],
    measured: Float[np.ndarray, " n"],
    name: str,
) -> None:
    """Early suggestions pale, late ones dark; on the diagonal the model was right."""
    order = np.arange(len(measured))
    axes.scatter(
        predicted,
        measured,
        c=order,
        cmap=style.colour_map().reversed(),
        s=28,
        edgecolors="0.3",
        linewidths=0.5,
    )
    _set_scale(axes, np.concatenate([predicted, measured]))
    ends = np.quantile(measured, (0.0, 1.0)) if len(measured) else np.zeros(2)
    if ends[0] < ends[1]:
        axes.axline(*ends[:, None].repeat(2, axis=1), color="0.5", lw=0.8, zorder=1)
    axes.set_xlabel("predicted (pale: early, dark: late)")
    axes.set_ylabel("measured")
    axes.set_title(f"{name}\n{summary(predicted, measured)}", fontsize=9)
    style.finish(axes)


def _set_scale(axes: Axes, values: Float[np.ndarray, " n"]) -> None:
    """Logarithmic where values span decades; linear near zero only where a few lie far off."""
    if len(values) and values.min() > 0.0 and values.max() > _LINEAR_WITHIN * values.min():
        axes.set_xscale("log")
        axes.set_yscale("log")
        return
    bulk = float(np.quantile(np.abs(values), 0.9)) if len(values) else 0.0
    if bulk > 0.0 and np.max(np.abs(values)) > _FAR_OFF * bulk:
        from matplotlib.ticker import SymmetricalLogLocator

        # A whole decade, so that its mark is not drawn into that of zero.
        linear = 10.0 ** np.ceil(np.log10(bulk))
        axes.set_xscale("symlog", linthresh=linear)
        axes.set_yscale("symlog", linthresh=linear)
        for axis in (axes.xaxis, axes.yaxis):
            marks = SymmetricalLogLocator(base=10.0, linthresh=linear)
            marks.set_params(numticks=_TICKS)
            axis.set_major_locator(marks)
    else:
        axes.locator_params(nbins=_TICKS)


def _draw_kernels(axes: Axes, optimizer: Optimizer, outputs: dict[int, str]) -> None:
    """A row per output, a mark per suggestion, filled by what the model is one of."""
    for k, kernel in enumerate(surrogates.KERNELS):
        colour, marker = style.COLOURS[k % 6], style.MARKERS[k % 6]
        for version, filled in _FILLED.items():
            places = [
                (record.id, row)
                for record in optimizer.records
                for row, output in enumerate(outputs)
                if (record.kernels[output], record.versions[output]) == (kernel, version)
            ]
            if places:
                label = kernel.replace("_", " ") + ("" if version == "plain" else f", {version}")
                look: dict[str, Any] = {
                    "marker": marker,
                    "ms": 5.5,
                    "color": colour,
                    "fillstyle": filled,
                }
                axes.plot(*np.array(places).T, ls="none", label=label, **look)
    axes.set_yticks(range(len(outputs)), outputs.values())
    axes.set_ylim(len(outputs) - 0.5, -0.5)
    axes.set_xlabel("trial")
    axes.set_title("chosen kernels", fontsize=9)
    style.finish(axes)
    axes.legend(frameon=False, fontsize=7, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.2))
