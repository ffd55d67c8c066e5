"""The comparison in lines and as a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from experiments.repulsion.comparison import Outcome

DEEP = 1.0
"""eV; a hole that thermal motion does not explain."""


def table(outcomes: list[Outcome]) -> str:
    """Says for every training how accurate it is, and how deep its holes are."""
    head = (
        f"{'repulsion':14}{'seed':>5}{'forces meV/Å':>14}{'energy meV':>12}"
        f"{f'holes > {DEEP:g} eV':>15}{'deepest eV':>12}{'at Å':>7}{'barrier eV':>12}  pair"
    )
    lines = [head]
    for outcome in outcomes:
        pair, hole = outcome.worst
        count, tried = outcome.with_holes(DEEP)
        lines.append(
            f"{outcome.repulsion:14}{outcome.seed:5}{1000 * outcome.forces_mae:14.1f}"
            f"{1000 * outcome.energy_mae:12.1f}{f'{count} of {tried}':>15}{hole.depth:12.2f}"
            f"{hole.distance:7.2f}{hole.barrier:12.2f}  {pair}"
        )
    pairs = list(outcomes[0].holes)
    lines += ["", "least energy at the closest distance, eV"]
    lines.append(f"{'repulsion':14}{'seed':>5}" + "".join(f"{pair:>9}" for pair in pairs))
    for outcome in outcomes:
        walls = "".join(f"{outcome.walls[pair]:9.1f}" for pair in pairs)
        lines.append(f"{outcome.repulsion:14}{outcome.seed:5}{walls}")
    return "\n".join(lines)


def picture(outcomes: list[Outcome]) -> bytes:
    """Draws the energies of the first structure against distance, a panel for every pair."""
    pairs = list(outcomes[0].curves)
    figure = Figure(figsize=(3.0 * min(len(pairs), 3), 2.7 * -(-len(pairs) // 3)))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(-(-len(pairs) // 3), min(len(pairs), 3), squeeze=False).ravel()
    colours = {"none": "C3", "zbl": "C0", "zbl-covalent": "C2"}
    for axes, pair in zip(panels, pairs, strict=False):
        for outcome in outcomes:
            label = outcome.repulsion if outcome.seed == 0 else None
            axes.plot(*outcome.curves[pair], color=colours[outcome.repulsion], lw=1.1, label=label)
        axes.set_yscale("symlog", linthresh=1.0)
        axes.axhline(0.0, color="0.3", lw=0.6)
        axes.set_title(pair, fontsize="medium")
        axes.grid(alpha=0.25, lw=0.5)
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize="small")
    figure.supxlabel("distance (Å)", fontsize="medium")
    figure.supylabel("energy (eV), logarithmic beyond ±1", fontsize="medium")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
