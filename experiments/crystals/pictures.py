"""Pictures of a crystal's properties, as PNG bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from experiments.crystals.equation_of_state import StateEquation
    from experiments.crystals.phonons import Phonons
    from experiments.crystals.properties import Properties


def picture(found: Properties) -> bytes:
    """Draws the equation of state and the phonon bands, as far as they are there."""
    parts = [(_state, found.state, 1.0), (_bands, found.phonons, 1.5)]
    drawn = [(draw, what, width) for draw, what, width in parts if what is not None]
    widths = [width for _, _, width in drawn]
    figure = Figure(figsize=(3.6 * sum(widths), 3.4), layout="constrained")
    panels = figure.subplots(1, len(drawn), squeeze=False, width_ratios=widths)[0]
    for axes, (draw, what, _) in zip(panels, drawn, strict=True):
        draw(axes, what)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def _state(axes: Axes, state: StateEquation) -> None:
    volumes = np.linspace(min(state.volumes), max(state.volumes), 200)
    axes.plot(volumes, 1000 * (state(volumes) - state.energy), lw=1.2)
    energies = 1000 * (np.array(state.energies) - state.energy)
    axes.plot(state.volumes, energies, "o", ms=4)
    axes.set_xlabel("volume (Å³ per atom)")
    axes.set_ylabel("energy above the minimum (meV per atom)")
    axes.set_title(f"bulk modulus {state.bulk_modulus:.0f} GPa", fontsize="medium")
    axes.grid(alpha=0.25, lw=0.5)


def _bands(axes: Axes, found: Phonons) -> None:
    x, ticks, labels = found.path.get_linear_kpoint_axis()
    axes.plot(x, found.frequencies, color="C0", lw=1.2)
    axes.axhline(0.0, color="0.3", lw=0.6)
    axes.set_xticks(*_ticks(ticks, labels))
    axes.set_xlim(x[0], x[-1])
    axes.set_ylabel("frequency (THz)")
    axes.set_title("phonons", fontsize="medium")
    axes.grid(axis="x", alpha=0.5, lw=0.5)


def _ticks(positions: np.ndarray, labels: list[str]) -> tuple[list[float], list[str]]:
    """Positions and names of special points; where the path jumps, both names in one."""
    names: dict[float, str] = {}
    for position, label in zip(positions.tolist(), labels, strict=True):
        name = label.replace("G", "Γ")
        names[position] = f"{names[position]}|{name}" if position in names else name
    return list(names), list(names.values())
