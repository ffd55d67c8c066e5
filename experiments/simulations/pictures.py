"""Temperature, energy and radial distributions of a simulation as one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from experiments.simulations.distances import radial_distributions
from samo_cobra.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from allegro_jax.simulation import Trajectory

_CURVES = 6  # of radial distributions, beyond which nobody tells them apart


def overview(names: Sequence[str], trajectories: Sequence[Trajectory]) -> bytes:
    """Draws all stages: temperature and conserved energy against time, g(r) of each stage."""
    columns = max(2, len(trajectories))
    figure = Figure(figsize=(5.2 * columns, 6.4), layout="constrained")
    panels = figure.subplots(2, columns, squeeze=False)
    _in_time(panels[0, 0], names, trajectories, "temperature_K", "temperature (K)")
    _conserved(panels[0, 1], names, trajectories)
    for axes in [*panels[0, 2:], *panels[1, len(trajectories) :]]:
        axes.set_visible(False)
    highest = 0.0
    for axes, name, trajectory in zip(panels[1], names, trajectories, strict=False):
        highest = max(highest, _distances(axes, name, trajectory))
    for axes in panels[1]:
        axes.set_ylim(0.0, 1.05 * highest if highest else 1.0)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _in_time(
    axes: Axes, names: Sequence[str], trajectories: Sequence[Trajectory], column: str, label: str
) -> None:
    for k, (start, name, one) in enumerate(_started(names, trajectories)):
        times = start + one.log["time_fs"] / 1000.0
        axes.plot(times, one.log[column], color=COLOURS[k % len(COLOURS)], lw=0.9, label=name)
    _finish(axes, "time (ps)", label)


def _conserved(axes: Axes, names: Sequence[str], trajectories: Sequence[Trajectory]) -> None:
    for k, (start, name, one) in enumerate(_started(names, trajectories)):
        energies = 1000.0 * one.log["conserved_eV"] / len(one.atoms)
        label = f"{name}: {one.drift:.3g} meV/atom/ps"
        times = start + one.log["time_fs"] / 1000.0
        style = {"color": COLOURS[k % len(COLOURS)], "lw": 0.9, "label": label}
        axes.plot(times, energies - energies[0], **style)
    _finish(axes, "time (ps)", "conserved energy (meV/atom)")


def _started(
    names: Sequence[str], trajectories: Sequence[Trajectory]
) -> list[tuple[float, str, Trajectory]]:
    """Stages with the time (ps) at which they begin."""
    lengths = [one.log["time_fs"][-1] / 1000.0 for one in trajectories]
    starts = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    return list(zip(starts.tolist(), names, trajectories, strict=True))


def _distances(axes: Axes, name: str, trajectory: Trajectory) -> float:
    """Draws g(r); returns its largest value."""
    curves = radial_distributions(trajectory.frames)
    for k, (pair, (r, g)) in enumerate(list(curves.items())[:_CURVES]):
        axes.plot(r, g, color=COLOURS[k % len(COLOURS)], lw=1.2, label=pair)
    _finish(axes, "distance (Å)", "radial distribution")
    axes.set_title(name, fontsize="medium")
    return max((float(g.max()) for _, g in curves.values()), default=1.0)


def _finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(fontsize="small", frameon=False)
