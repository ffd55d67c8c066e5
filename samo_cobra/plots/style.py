"""What all pictures share: colours, markers, axes to draw on, names of the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from samo_cobra.optimizer import Optimizer
    from samo_cobra.trials import Trial

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's colours, told apart by colour-blind readers too."""

MARKERS = ("o", "s", "^", "D", "v", "P")

_BLUE, _ORANGE = COLOURS[:2]
_OPEN = {"markerfacecolor": "none"}
LOOKS: dict[str, dict[str, Any]] = {
    "on the front": {"marker": "o", "ms": 6.5, "color": _BLUE, "markeredgecolor": "white"},
    "feasible": {"marker": "o", "ms": 4.5, "color": _BLUE, "alpha": 0.6, **_OPEN},
    "infeasible": {"marker": "v", "ms": 5, "color": _ORANGE, "alpha": 0.7, **_OPEN},
    "failed": {"marker": "x", "ms": 5.5, "color": "black"},
    "partly measured": {"marker": "d", "ms": 5, "color": "0.4", **_OPEN},
}
"""How trials are marked. Every trial is exactly one of these kinds."""


def new_figure(**options: Any) -> Figure:
    """An empty figure that notebooks and ``plt.show()`` display.

    Raises:
        ImportError: if matplotlib is missing.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            'pictures need matplotlib: pip install matplotlib, or the extra "samo-cobra[plots]"'
        ) from error
    return plt.figure(layout="constrained", **options)


def axes_or_new(axes: Axes | None, **options: Any) -> Axes:
    """The caller's axes, or those of a new figure."""
    return new_figure(**options).add_subplot() if axes is None else axes


def colour_map() -> Any:
    """Values from dark to light, in the order of lightness; never so light as to fade on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis"](np.linspace(0.0, 0.88, 256)))


def legend_beside(axes: Axes) -> None:
    """A legend to the right of the axes, where it hides nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def finish(axes: Axes) -> None:
    """A quiet grid, and no frame where there are no data."""
    axes.grid(alpha=0.25, lw=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def kinds(optimizer: Optimizer) -> list[str]:
    """Which of :data:`LOOKS` each trial is."""
    front = set(optimizer.front().ids)
    return [_kind(trial, trial.id in front) for trial in optimizer.trials]


def _kind(trial: Trial, on_front: bool) -> str:
    if trial.failed:
        return "failed"
    if not trial.complete:
        return "partly measured"
    if on_front:
        return "on the front"
    feasible = all(g is not None and g <= 0.0 for g in trial.constraints)
    return "feasible" if feasible else "infeasible"


def objective_names(optimizer: Optimizer, names: Sequence[str] | None) -> list[str]:
    """The given names of the objectives, or numbers."""
    return _named("objective", optimizer.statement.n_objectives, names)


def constraint_names(optimizer: Optimizer, names: Sequence[str] | None) -> list[str]:
    """The given names of the constraints, or numbers."""
    return _named("constraint", optimizer.statement.n_constraints, names)


def _named(kind: str, n: int, names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [f"{kind} {i + 1}" for i in range(n)]
    if len(names) != n:
        raise ValueError(f"expected names of {n} {kind}s, got {list(names)!r}")
    return list(names)


def directed(optimizer: Optimizer, names: Sequence[str] | None) -> list[str]:
    """Names of the objectives, with an arrow along the axis towards what is better."""
    pairs = zip(objective_names(optimizer, names), optimizer.statement.directions, strict=True)
    return [f"← {n} (minimized)" if d == "minimize" else f"{n} (maximized) →" for n, d in pairs]
