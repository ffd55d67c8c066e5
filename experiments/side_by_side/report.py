"""What the comparison shows: a table, the curves as CSV, and as a picture."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl

from experiments.benchmarks import table
from experiments.side_by_side.result import Result

mpl.use("Agg")
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

HEADER = (
    "row", "settings", "parameters", "cores", "minutes", "epochs", "structures/s", "compile s",
    "valid F meV/Å", "test F meV/Å", "test E meV", "test F, by itself",
)  # fmt: skip
_COLOURS = {"allegro_jax": "C0", "nequip": "C1"}
_DASHES = {"allegro_jax": {"preset": "-", "published": "--"},
           "nequip": {"preset": "--", "published": "-"}}  # fmt: skip
_SAME = 1e-3  # relative difference of two measurements of one error
_EQUAL = 0.01  # relative difference of numbers of parameters


def cells(result: Result) -> tuple[str, ...]:
    """Returns a row of the table; errors in meV and meV/Å."""
    own = result.own_test
    return (
        result.name,
        result.settings,
        f"{result.parameters}",
        f"{result.cores}",
        f"{result.seconds / 60:.1f}",
        f"{result.epochs:.1f}",
        f"{result.structures / result.seconds:.1f}",
        f"{result.compile_s:.1f}",
        f"{1e3 * result.best['forces_mae']:.2f}",
        f"{1e3 * result.test['forces_mae']:.2f}",
        f"{1e3 * result.test['energy_mae']:.2f}",
        "" if own is None else f"{1e3 * own['forces_mae']:.2f}",
    )


def doubts(results: Sequence[Result]) -> list[str]:
    """Returns what would make the comparison unfair or wrong, in sentences; mostly nothing."""
    found = []
    sizes = [result.parameters for result in results]
    if max(sizes) > (1 + _EQUAL) * min(sizes):
        found.append(f"the models differ in size: {sizes} parameters")
    if len({result.cores for result in results}) > 1:
        found.append("the rows were trained on different numbers of cores")
    for result in results:
        own = result.own_test or result.test
        ours, theirs = result.test["forces_mae"], own["forces_mae"]
        if abs(ours - theirs) > _SAME * theirs:
            found.append(
                f"{result.name}: its own test gives a force MAE of {1e3 * theirs:.4g} meV/Å, ours "
                f"of the same weights {1e3 * ours:.4g}"
            )
    return found


def report(results: Sequence[Result], workdir: Path) -> str:
    """Writes `table.md`, `curves.csv` and `curves.png`; returns the table for a terminal."""
    rows = [cells(result) for result in results]
    notes = doubts(results)
    page = [table.markdown(HEADER, rows), *notes]
    (workdir / "table.md").write_text("\n\n".join(page) + "\n")
    save_curves(workdir / "curves.csv", results)
    draw(workdir / "curves.png", results)
    return "\n".join([table.text(HEADER, rows), *(f"warning: {note}" for note in notes)])


def save_curves(path: Path, results: Sequence[Result]) -> None:
    """Writes validation errors (eV, Å) against minutes of training, a row per validation."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "epoch", "step", "minutes", "forces_mae", "energy_mae"))
        writer.writerows(_lines(results))


def _lines(results: Sequence[Result]) -> Iterator[tuple[str | float, ...]]:
    for result in results:
        for row in result.curve:
            minutes = row["seconds"] / 60
            errors = row["forces_mae"], row["energy_mae"]
            yield (result.name, int(row["epoch"]), int(row["step"]), minutes, *errors)


def draw(path: Path, results: Sequence[Result]) -> None:
    """Draws the validation errors of forces against minutes of training, both logarithmic.

    A program with its own settings has a solid line, with the other's a dashed one; points mark
    the parameters that were kept, crosses their test errors.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for result in results:
        minutes = [row["seconds"] / 60 for row in result.curve]
        errors = [1e3 * row["forces_mae"] for row in result.curve]
        colour = _COLOURS[result.program]
        dashes = _DASHES[result.program][result.settings]
        test = 1e3 * result.test["forces_mae"]
        label = f"{result.name}: test {test:.3g} meV/Å"
        axes.plot(minutes, errors, dashes, color=colour, lw=1.4, label=label)
        axes.plot(result.best["seconds"] / 60, 1e3 * result.best["forces_mae"], "o", color=colour)
        axes.plot(result.seconds / 60, test, "x", color=colour)
    axes.set(xscale="log", yscale="log", xlabel="training time (min)")
    axes.set_ylabel("validation force MAE (meV/Å)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="both", alpha=0.25, lw=0.5)
    axes.set_title(f"{results[0].request['dataset']}: {results[0].parameters:,} parameters each")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)
