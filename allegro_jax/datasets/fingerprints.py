"""Short vectors that tell structures apart: equal for the same atoms in another order or place."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from allegro_jax.datasets.dataset import Structure

LENGTH = 16
"""Components of a fingerprint, Å."""

_MOST_ATOMS = 64  # of which all pairs are looked at; of larger structures, as many evenly
_BLOCK = 500_000  # distances at a time


class Structures(Protocol):
    """A `Dataset`, a `GraphStore`, or what else holds structures by number."""

    def __len__(self) -> int:
        """Returns how many there are."""

    def __getitem__(self, index: int) -> Structure:
        """Returns structure `index`."""


def compositions(
    structures: Structures, rows: Sequence[int] | Int[np.ndarray, "rows"]
) -> Int[np.ndarray, "rows"]:
    """Returns a number per structure, the same where the elements are the same."""
    keys: dict[bytes, int] = {}
    sorted_numbers = (np.sort(structures[int(k)].numbers).astype(np.uint8).tobytes() for k in rows)
    return np.array([keys.setdefault(key, len(keys)) for key in sorted_numbers])


def fingerprints(
    structures: Structures, rows: Sequence[int] | Int[np.ndarray, "rows"]
) -> Float[np.ndarray, "rows components"]:
    """Returns 16 of the sorted interatomic distances of each structure, evenly spaced.

    Before they are sorted, distances are stretched by up to a fifth according to the two elements,
    so that structures that differ by an exchange of elements differ. Through periodic boundaries
    the nearest image counts, and the volume of the cell joins in. Two structures whose atoms
    differ by displacements of at most d have fingerprints that differ by at most 2.4 d in each
    component.

    Args:
        structures: Where they come from.
        rows: Which.
    """
    result = np.zeros((len(rows), LENGTH))
    by_size: dict[tuple[int, bool], list[int]] = {}
    items = [structures[int(k)] for k in rows] if len(rows) < 10_000 else None
    for place, k in enumerate(rows):
        item = structures[int(k)] if items is None else items[place]
        by_size.setdefault((len(item.numbers), bool(item.pbc.any())), []).append(place)
    for (n_atoms, _), places in by_size.items():
        step = max(_BLOCK // min(n_atoms, _MOST_ATOMS) ** 2, 1)
        for start in range(0, len(places), step):
            chosen = places[start : start + step]
            group = [structures[int(rows[p])] if items is None else items[p] for p in chosen]
            result[chosen] = _of_one_size(group)
    return result


def _of_one_size(items: list[Structure]) -> Float[np.ndarray, "structures components"]:
    """Fingerprints of structures with the same number of atoms, all periodic or none."""
    kept = _some_atoms(items[0], _MOST_ATOMS)
    first, second = np.triu_indices(len(kept), k=1)
    colour = np.stack([item.numbers[kept] for item in items]) * 0.618034 % 1.0
    stretch = 1.0 + 0.1 * (colour[:, first] + colour[:, second])
    distances = pair_distances(items, _MOST_ATOMS) * stretch
    result = np.zeros((len(items), LENGTH))
    if len(first):
        distances.sort(axis=1)
        picked = np.linspace(0, len(first) - 1, LENGTH - 1).round().astype(int)
        result[:, :-1] = distances[:, picked]
    cells = np.stack([item.cell for item in items])
    result[:, -1] = np.cbrt(np.abs(np.linalg.det(cells)))
    return result


def pair_distances(items: list[Structure], most: int) -> Float[np.ndarray, "structures pairs"]:
    """Returns the distances of all pairs of at most so many atoms, evenly chosen, Å.

    Args:
        items: Structures with the same number of atoms, all periodic or none.
        most: Atoms of each that are looked at.
    """
    kept = _some_atoms(items[0], most)
    first, second = np.triu_indices(len(kept), k=1)
    positions = np.stack([item.positions[kept] for item in items])
    vectors = positions[:, second] - positions[:, first]
    if items[0].pbc.any():
        pairs = zip(vectors, items, strict=True)
        vectors = np.stack([nearest_images(v, item.cell, item.pbc) for v, item in pairs])
    return np.sqrt(np.einsum("spc,spc->sp", vectors, vectors))


def _some_atoms(item: Structure, most: int) -> Int[np.ndarray, "atoms"]:
    n_atoms = len(item.numbers)
    return np.unique(np.linspace(0, n_atoms - 1, min(n_atoms, most)).astype(int))


def nearest_images(
    vectors: Float[np.ndarray, "... 3"], cell: Float[np.ndarray, "3 3"], pbc: Bool[np.ndarray, "3"]
) -> Float[np.ndarray, "... 3"]:
    """Shortens vectors by lattice translations; in strongly skewed cells not always to the end."""
    from ase.geometry import complete_cell

    cell = complete_cell(cell)
    fractions = vectors @ np.linalg.inv(cell)
    return np.asarray((fractions - np.round(fractions) * pbc) @ cell)
