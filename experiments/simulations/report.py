"""The page of a simulation: what ran, the picture, a table of its stages."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.searches.page import STYLE
from experiments.simulations.pictures import overview

if TYPE_CHECKING:
    from allegro_jax.simulation import Trajectory

_HEADER = (
    "stage",
    "frames",
    "time (ps)",
    "mean T (K)",
    "drift (meV/atom/ps)",
    "mean pressure (bar)",
    "volume (Å³/atom)",
    "neighbour lists",
    "compiled",
    "ns/day",
)


def write_report(
    folder: Path, title: str, names: Sequence[str], trajectories: Sequence[Trajectory]
) -> Path:
    """Writes `simulation.png` and `simulation.html` into a folder; returns the page."""
    picture = overview(names, trajectories)
    (folder / "simulation.png").write_bytes(picture)
    page = folder / "simulation.html"
    page.write_text(_page(title, names, trajectories, picture))
    return page


def rows(names: Sequence[str], trajectories: Sequence[Trajectory]) -> list[list[str]]:
    """The table: means over the second half of each stage."""
    return [_row(name, one) for name, one in zip(names, trajectories, strict=True)]


def _row(name: str, one: Trajectory) -> list[str]:
    half = len(one.log["step"]) // 2
    means = {column: values[half:].mean() for column, values in one.log.items()}
    periodic = bool(means["volume_A3"])
    return [
        name,
        str(len(one.log["step"])),
        f"{one.log['time_fs'][-1] / 1000.0:g}",
        f"{means['temperature_K']:.0f}",
        f"{one.drift:.3g}",
        f"{means['pressure_bar']:.0f}" if periodic else "",
        f"{means['volume_A3'] / len(one.atoms):.2f}" if periodic else "",
        str(one.cost.neighbor_lists),
        str(one.cost.compilations),
        f"{one.ns_per_day:.2f}" if one.cost.steps else "",
    ]


def _page(
    title: str, names: Sequence[str], trajectories: Sequence[Trajectory], picture: bytes
) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in _HEADER)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows(names, trajectories)
    )
    formula = html.escape(trajectories[0].atoms.get_chemical_formula())
    data = base64.b64encode(picture).decode()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>{formula}, time step "
        f"{trajectories[0].timestep_fs:g} fs. The conserved energy is that of the atoms less what "
        "thermostat and barostat gave them; means are over the second half of a stage, and so are "
        "the radial distributions. Neighbour lists, compilations and pace are those of the last "
        "call of the program.</p>"
        '<p><img alt="Temperature, drift of the conserved energy, radial distributions" '
        f'src="data:image/png;base64,{data}"></p>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div><footer>Written by experiments/simulate.py.</footer></body></html>\n"
    )
