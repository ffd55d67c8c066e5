"""What training needs to know of a data set: reference energies, force scale, energy spread."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Num

from allegro_jax.datasets.dataset import Dataset

_DIRECT = 20_000_000  # entries of a composition that are solved for at once: 160 MB
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Statistics of a training set.

    Attributes:
        atomic_energies: reference energy per atomic number, eV (see `statistics`).
        per_atom_energy_std: standard deviation of (energy - reference energies) / atoms, eV.
        force_rms: root mean square force component, eV/Å; None without forces.
        n_structures: how many structures.
        n_atoms: how many atoms in all.
    """

    atomic_energies: dict[int, float]
    per_atom_energy_std: float
    force_rms: float | None
    n_structures: int
    n_atoms: int


@runtime_checkable
class Summarised(Protocol):
    """A set that knows its statistics without a pass over its structures."""

    def statistics(self) -> Statistics:
        """Returns the statistics."""


def statistics(dataset: Dataset | Summarised) -> Statistics:
    """Computes reference energies by least squares, and the scales left after removing them.

    Labels that are NaN are left out; an element without any energy gets the reference zero.

    The atomic energies minimise `sum_k (E_k - sum_Z n_kZ E_Z)^2` over total energies, in float64.
    Where the compositions do not determine them (all frames of one molecule share one), the
    solution of least norm is taken: its sum over a molecule is still the mean energy.

    Args:
        dataset: A data set, or a store.

    Example:
        >>> from allegro_jax import datasets
        >>> round(datasets.statistics(datasets.load("li")).atomic_energies[3], 2)
        -1.81
    """
    if isinstance(dataset, Summarised):
        return dataset.statistics()
    forces = dataset.forces
    force_rms = None if forces is None else float(np.sqrt(np.nanmean(forces**2)))
    counts = dataset.composition(dataset.elements)
    return summary(dataset.elements, counts, dataset.energy, dataset.n_atoms, force_rms)


def summary(
    elements: Sequence[int],
    composition: Num[np.ndarray, "structures elements"],
    energy: Float[np.ndarray, "structures"],
    n_atoms: Int[np.ndarray, "structures"],
    force_rms: float | None,
) -> Statistics:
    """Returns the statistics of structures of known composition.

    Args:
        elements: Atomic numbers of the columns of `composition`.
        composition: Atoms of each element.
        energy: eV; NaN where unknown.
        n_atoms: Atoms per structure.
        force_rms: eV/Å, or None.
    """
    known = ~np.isnan(energy)
    counts, labels = composition[known], energy[known]
    if counts.size <= _DIRECT:
        solution, *_ = np.linalg.lstsq(counts.astype(np.float64), labels)
    else:
        equations = NormalEquations(len(elements))
        for start in range(0, len(labels), _BLOCK):
            equations.add(counts[start : start + _BLOCK], labels[start : start + _BLOCK])
        solution = equations.solution()
    residual = (labels - counts @ solution) / n_atoms[known]
    return Statistics(
        atomic_energies=dict(zip(elements, solution.tolist(), strict=True)),
        per_atom_energy_std=float(residual.std()) if known.any() else 0.0,
        force_rms=force_rms,
        n_structures=len(energy),
        n_atoms=int(n_atoms.sum()),
    )


class NormalEquations:
    """Least squares for atomic energies from blocks of structures: `(N^T N) E_Z = N^T E`.

    Args:
        elements: How many.
    """

    def __init__(self, elements: int) -> None:
        self._gram, self._moment = np.zeros((elements, elements)), np.zeros(elements)

    def add(
        self,
        composition: Num[np.ndarray, "structures elements"],
        energy: Float[np.ndarray, "structures"],
    ) -> None:
        """Adds structures."""
        counts = composition.astype(np.float64)
        self._gram += counts.T @ counts
        self._moment += counts.T @ energy

    def solution(self) -> Float[np.ndarray, "elements"]:
        """Returns the atomic energies, eV; of least norm where they are not determined."""
        # Eigenvalues are squares of singular values, and so is the tolerance.
        solution, *_ = np.linalg.lstsq(self._gram, self._moment, rcond=1e-12)
        return np.asarray(solution)
