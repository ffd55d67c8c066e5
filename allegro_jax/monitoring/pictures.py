"""Pictures of a finished training as PNG: learning curves, and predictions against labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from allegro_jax.committee import Committee
from allegro_jax.datasets import Dataset
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import GraphStore
from allegro_jax.monitoring.quantities import QUANTITIES, Quantity
from allegro_jax.potential import Potential

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_LOSS = Quantity("training loss", "", factor=1.0)
_STRUCTURES = 1000
_ELEMENTS = 7
_POINTS = 20_000  # of one panel; beyond, a picture only becomes slower to draw


@dataclasses.dataclass(frozen=True)
class Predicted:
    """Labels and predictions of the same entries.

    Attributes:
        label: Energies per atom less the atomic references (eV), or force components (eV/Å).
        predicted: The same by the potential.
        numbers: Atomic number of every row, or zeros for energies.
    """

    label: Float[np.ndarray, "rows columns"]
    predicted: Float[np.ndarray, "rows columns"]
    numbers: np.ndarray

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.predicted - self.label).mean())

    def labelled(self) -> Predicted:
        """Returns the rows that have a label; a missing one is NaN."""
        return self.select(np.isfinite(self.label).all(axis=1))

    def select(self, rows: np.ndarray) -> Predicted:
        """Returns some rows."""
        return Predicted(self.label[rows], self.predicted[rows], self.numbers[rows])


def save_learning_curves(
    path: Path,
    history: Sequence[Mapping[str, float]],
    best: Mapping[str, float],
    test: Mapping[str, float],
) -> None:
    """Draws validation errors and training loss against time and epochs, all axes logarithmic.

    Args:
        path: The PNG.
        history: Rows of the training.
        best: The row of the parameters that were kept, marked.
        test: Test errors, dashed.
    """
    names = [name for name in ("forces_mae", "energy_per_atom_mae", "stress_mae") if name in best]
    rows = [*names, "loss"]
    figure = Figure(figsize=(8.0, 2.4 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 2, sharex="col", sharey="row", squeeze=False)
    for axes_of_row, name in zip(panels, rows, strict=True):
        quantity = QUANTITIES.get(name, _LOSS)
        for axes, x, factor in zip(axes_of_row, ("seconds", "epoch"), (1 / 60, 1.0), strict=True):
            _curve(axes, history, best, test, name, quantity, x, factor)
        label = f"{quantity.label} MAE ({quantity.unit})" if quantity.unit else quantity.label
        axes_of_row[0].set_ylabel(label)
        _plain_ticks(axes_of_row[0].yaxis)
        if name != "loss":
            axes_of_row[0].legend(fontsize="small")
    for axes in panels[-1]:
        _plain_ticks(axes.xaxis)
    panels[-1, 0].set_xlabel("training time (min)")
    panels[-1, 1].set_xlabel("epoch")
    figure.savefig(path, dpi=150)


def _curve(
    axes: Axes,
    history: Sequence[Mapping[str, float]],
    best: Mapping[str, float],
    test: Mapping[str, float],
    name: str,
    quantity: Quantity,
    x: str,
    factor: float,
) -> None:
    where = [factor * row[x] for row in history]
    label = "training" if name == "loss" else "validation"
    values = [quantity.factor * row[name] for row in history]
    marker = "." if len(where) < 30 else ""
    axes.plot(
        where, values, marker=marker, lw=1.2, color="C1" if name == "loss" else "C0", label=label
    )
    if name != "loss":
        axes.plot(factor * best[x], quantity.factor * best[name], "o", color="C3", label="kept")
    if name in test:
        error = quantity.factor * test[name]
        axes.axhline(error, color="0.4", ls="--", lw=1, label=f"test: {error:.3g} {quantity.unit}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(which="both", alpha=0.25, lw=0.5)


def _plain_ticks(axis: Axis) -> None:
    """Writes 20, 50, 100 in place of powers of ten, as many as there is room for."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    wide, narrow = (1.0,), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    steps = narrow if decades < 1 else (1.0, 2.0, 5.0) if decades < 3 else wide
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())


def save_parity(
    path: Path, potential: Potential | Committee, dataset: Dataset | GraphStore
) -> None:
    """Draws predictions against labels: energies per atom, and forces by element.

    Of large sets 1,000 structures, evenly taken, are drawn.

    Args:
        path: The PNG.
        potential: What predicts.
        dataset: Labelled structures.
    """
    drawn = np.unique(np.linspace(0, len(dataset) - 1, _STRUCTURES).astype(int))
    energies, forces = predicted(potential, [dataset[k] for k in drawn])
    panels = [(f"energy, {len(drawn):,} structures", energies, "meV/atom")]
    for name, own in ({} if forces is None else by_element(forces)).items():
        panels.append((f"forces on {name}", own, "meV/Å"))
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.7 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, data, unit) in zip(places, panels, strict=False):
        if len(data.label) == 0:
            axes.set_title(f"{name}: no labels", fontsize="medium")
            continue
        _scatter(axes, data, f"{name}\nMAE {1e3 * data.mae:.3g} {unit}")
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    places[0].set_xlabel("label, less atomic references (eV/atom)")
    places[0].set_ylabel("prediction (eV/atom)")
    for axes in places[1 : len(panels)]:
        axes.set_xlabel("label (eV/Å)")
        axes.set_ylabel("prediction (eV/Å)")
    figure.savefig(path, dpi=150)


def by_element(forces: Predicted) -> dict[str, Predicted]:
    """Takes forces apart by chemical symbol, the seven most frequent ones and "others"."""
    numbers, counts = np.unique(forces.numbers, return_counts=True)
    first = numbers[np.argsort(-counts, kind="stable")][:_ELEMENTS]
    chosen = {chemical_symbols[number]: forces.numbers == number for number in first}
    if len(numbers) > _ELEMENTS:
        chosen["others"] = ~np.isin(forces.numbers, first)
    return {name: forces.select(rows) for name, rows in chosen.items()}


def predicted(
    potential: Potential | Committee, structures: Sequence[Structure]
) -> tuple[Predicted, Predicted | None]:
    """Returns labels and predictions of energies per atom, and of forces where labelled."""
    results = potential(structures)
    label = np.array([np.nan if s.energy is None else s.energy for s in structures])
    energy = np.array([result.energy for result in results])
    references = np.array([_reference(potential, structure) for structure in structures])
    n_atoms = np.array([len(structure.numbers) for structure in structures])
    energies = Predicted(
        ((label - references) / n_atoms)[:, None],
        ((energy - references) / n_atoms)[:, None],
        np.zeros(len(structures), int),
    ).labelled()
    forces = [result.forces for result in results]
    rows = [
        Predicted(structure.forces, guessed, structure.numbers)
        for structure, guessed in zip(structures, forces, strict=True)
        if structure.forces is not None
    ]
    return energies, _joined(rows).labelled() if rows else None


def _joined(parts: Sequence[Predicted]) -> Predicted:
    columns = zip(*((part.label, part.predicted, part.numbers) for part in parts), strict=True)
    return Predicted(*(np.concatenate(column) for column in columns))


def _reference(potential: Potential | Committee, structure: Structure) -> float:
    symbols = (chemical_symbols[number] for number in structure.numbers)
    return sum(potential.atomic_energies[symbol] for symbol in symbols)


def _scatter(axes: Axes, data: Predicted, title: str) -> None:
    label, guess = data.label.ravel(), data.predicted.ravel()
    drawn = slice(None, None, -(-label.size // _POINTS))
    axes.plot(label[drawn], guess[drawn], ".", ms=3, alpha=0.4, mew=0, rasterized=True)
    ends = [min(label.min(), guess.min()), max(label.max(), guess.max())]
    axes.plot(ends, ends, color="0.3", lw=0.8)
    axes.set_title(title, fontsize="medium")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.25, lw=0.5)
