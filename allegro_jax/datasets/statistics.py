"""What training needs to know of a data set: reference energies, force scale, energy spread."""

import dataclasses

import numpy as np
from jaxtyping import Float

from allegro_jax.datasets.dataset import Dataset


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


def statistics(dataset: Dataset) -> Statistics:
    """Computes reference energies by least squares, and the scales left after removing them.

    Labels that are NaN are left out; an element without any energy gets the reference zero.

    The atomic energies minimise `sum_k (E_k - sum_Z n_kZ E_Z)^2` over total energies, in float64.
    Where the compositions do not determine them (all frames of one molecule share one), the
    solution of least norm is taken: its sum over a molecule is still the mean energy.

    Example:
        >>> from allegro_jax import datasets
        >>> round(datasets.statistics(datasets.load("li")).atomic_energies[3], 2)
        -1.81
    """
    counts, known = _composition(dataset), ~np.isnan(dataset.energy)
    counts, energy, n_atoms = counts[known], dataset.energy[known], dataset.n_atoms[known]
    solution, *_ = np.linalg.lstsq(counts, energy)
    residual = (energy - counts @ solution) / n_atoms
    forces = dataset.forces
    return Statistics(
        atomic_energies=dict(zip(dataset.elements, solution.tolist(), strict=True)),
        per_atom_energy_std=float(residual.std()) if known.any() else 0.0,
        force_rms=None if forces is None else float(np.sqrt(np.nanmean(forces**2))),
        n_structures=len(dataset),
        n_atoms=int(dataset.n_atoms.sum()),
    )


def _composition(dataset: Dataset) -> Float[np.ndarray, "structures elements"]:
    """Returns how many atoms of each of `dataset.elements` each structure has."""
    is_element = dataset.numbers[:, None] == np.array(dataset.elements)
    return np.add.reduceat(is_element.astype(np.float64), dataset.offsets[:-1])
