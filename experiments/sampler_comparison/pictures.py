"""Convergence of the samplers: a line per seed, the mean strong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.sampler_comparison.tables import Curves
from samo_cobra.plots import COLOURS

TITLES = {
    "samo": "SAMO-COBRA",
    "tpe": "TPE",
    "random": "random",
    "nsga2": "NSGA-II",
    "gp": "Gaussian process",
}


def draw(path: Path, found: Curves, initial_trials: int) -> None:
    """Writes a PNG of hypervolume against trials."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for k, (sampler, runs) in enumerate(found.items()):
        colour = COLOURS[k % len(COLOURS)]
        for curve in runs.values():
            numbers = np.arange(1, len(curve) + 1)
            axes.step(numbers, curve, where="post", lw=0.7, alpha=0.35, color=colour)
        shortest = min(map(len, runs.values()))
        mean = np.mean([curve[:shortest] for curve in runs.values()], axis=0)
        title = TITLES.get(sampler, sampler)
        numbers = np.arange(1, shortest + 1)
        axes.step(numbers, mean, where="post", lw=1.9, color=colour, label=title)
    axes.axvspan(0.5, initial_trials + 0.5, color="0.93", lw=0, zorder=0, label="shared design")
    axes.set_xlabel("finished trials")
    axes.set_ylabel("hypervolume (share of all searches' front)")
    axes.grid(alpha=0.25, lw=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
