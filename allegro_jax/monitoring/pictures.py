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

from allegro_jax.datasets import Dataset
from allegro_jax.monitoring.quantities import QUANTITIES, Quantity
from allegro_jax.potential import Potential

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOSS = Quantity("training loss", "eV², Å", factor=1.0)
_STRUCTURES = 1000
_POINTS = 20_000  # of one colour; beyond, a picture only becomes slower to draw


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
        kind = "" if name == "loss" else " MAE"
        axes_of_row[0].set_ylabel(f"{quantity.label}{kind} ({quantity.unit})")
    panels[0, 0].legend(fontsize="small")
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
    style = {"color": "C1" if name == "loss" else "C0", "marker": "." if len(where) < 30 else None}
    axes.plot(where, [quantity.factor * row[name] for row in history], label=label, lw=1.2, **style)
    if name != "loss":
        axes.plot(factor * best[x], quantity.factor * best[name], "o", color="C3", label="kept")
    if name in test:
        error = quantity.factor * test[name]
        axes.axhline(error, color="0.4", ls="--", lw=1, label=f"test: {error:.3g} {quantity.unit}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(which="both", alpha=0.25, lw=0.5)


def save_parity(path: Path, potential: Potential, dataset: Dataset) -> None:
    """Draws predictions against labels: energies per atom, and forces by element.

    Of large sets 1,000 structures, evenly taken, are drawn.

    Args:
        path: The PNG.
        potential: What predicts.
        dataset: Labelled structures.
    """
    if len(dataset) > _STRUCTURES:
        dataset = dataset.select(np.linspace(0, len(dataset) - 1, _STRUCTURES).astype(int))
    energies, forces = predicted(potential, dataset)
    panels = 1 if forces is None else 2
    figure = Figure(figsize=(4.4 * panels, 4.4), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    title = f"energy, {len(dataset):,} structures"
    _scatter(axes[0], energies, f"{title}\nMAE {1e3 * energies.mae:.3g} meV/atom")
    axes[0].set_xlabel("label, less atomic references (eV/atom)")
    axes[0].set_ylabel("prediction (eV/atom)")
    if forces is not None:
        _scatter(axes[1], forces, f"force components\nMAE {1e3 * forces.mae:.3g} meV/Å")
        axes[1].set_xlabel("label (eV/Å)")
        axes[1].set_ylabel("prediction (eV/Å)")
    figure.savefig(path, dpi=150)


def predicted(potential: Potential, dataset: Dataset) -> tuple[Predicted, Predicted | None]:
    """Returns labels and predictions of energies per atom, and of forces where labelled."""
    results = potential(dataset)
    n_atoms = dataset.n_atoms
    symbols = [chemical_symbols[number] for number in dataset.numbers]
    atomic = np.array([potential.atomic_energies[symbol] for symbol in symbols])
    references = np.add.reduceat(atomic, dataset.offsets[:-1])
    energy = np.array([result.energy for result in results])
    energies = Predicted(
        ((dataset.energy - references) / n_atoms)[:, None],
        ((energy - references) / n_atoms)[:, None],
        np.zeros(len(dataset), int),
    )
    if dataset.forces is None:
        return energies, None
    forces = np.concatenate([result.forces for result in results])
    return energies, Predicted(dataset.forces, forces, dataset.numbers)


def _scatter(axes: Axes, data: Predicted, title: str) -> None:
    numbers = np.unique(data.numbers)
    by_count = sorted(numbers, key=lambda number: -(data.numbers == number).sum())
    for k, number in enumerate(by_count):
        own = data.numbers == number
        label, guess = data.label[own], data.predicted[own]
        step = -(-label.size // _POINTS)
        name = None
        if number:
            error = 1e3 * np.abs(guess - label).mean()
            name = f"{chemical_symbols[number]}: {error:.3g} meV/Å"
        x, y = label.ravel()[::step], guess.ravel()[::step]
        axes.plot(x, y, ".", ms=3, alpha=0.5, mew=0, color=f"C{k}", label=name, rasterized=True)
    ends = [
        min(data.label.min(), data.predicted.min()),
        max(data.label.max(), data.predicted.max()),
    ]
    axes.plot(ends, ends, color="0.3", lw=0.8)
    axes.set_title(title, fontsize="medium")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.25, lw=0.5)
    if numbers.any():
        axes.legend(fontsize="small", markerscale=3)
