"""Short vectors that tell structures apart: equal for the same atoms in another order or place."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from allegro_jax.datasets.dataset import Structure

LENGTH = 16
"""Components of a fingerprint, Å."""

_MOST_ATOMS = 64  # of which all pairs are looked at; of larger structures, as many evenly
_BLOCK = 500_000  # distances at a time


class Structures(Protocol):
    """A `Dataset`, a `GraphStore`, or what else holds structures by number."""

    name: str

    def __len__(self) -> int:
        """Returns how many there are."""

    def __getitem__(self, index: int) -> Structure:
        """Returns structure `index`."""


def compositions(structures: Structures, rows: Sequence[int]) -> Int[np.ndarray, "rows"]:
    """Returns a number per structure, the same where the elements are the same."""
    keys: dict[bytes, int] = {}
    sorted_numbers = (np.sort(structures[k].numbers).astype(np.uint8).tobytes() for k in rows)
    return np.array([keys.setdefault(key, len(keys)) for key in sorted_numbers])


def fingerprints(
    structures: Structures, rows: Sequence[int]
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
    items = [structures[k] for k in rows] if len(rows) < 10_000 else None
    for place, k in enumerate(rows):
        item = structures[k] if items is None else items[place]
        by_size.setdefault((len(item.numbers), bool(item.pbc.any())), []).append(place)
    for (n_atoms, _), places in by_size.items():
        step = max(_BLOCK // min(n_atoms, _MOST_ATOMS) ** 2, 1)
        for start in range(0, len(places), step):
            chosen = places[start : start + step]
            group = [structures[rows[p]] if items is None else items[p] for p in chosen]
            result[chosen] = _of_one_size(group)
    return result


def _of_one_size(items: list[Structure]) -> Float[np.ndarray, "structures components"]:
    """Fingerprints of structures with the same number of atoms, all periodic or none."""
    n_atoms = len(items[0].numbers)
    kept = np.unique(np.linspace(0, n_atoms - 1, min(n_atoms, _MOST_ATOMS)).astype(int))
    first, second = np.triu_indices(len(kept), k=1)
    positions = np.stack([item.positions[kept] for item in items])
    vectors = positions[:, second] - positions[:, first]
    if items[0].pbc.any():
        vectors = _nearest(vectors, items)
    colour = np.stack([item.numbers[kept] for item in items]) * 0.618034 % 1.0
    stretch = 1.0 + 0.1 * (colour[:, first] + colour[:, second])
    distances = np.sqrt(np.einsum("spc,spc->sp", vectors, vectors)) * stretch
    result = np.zeros((len(items), LENGTH))
    if len(first):
        distances.sort(axis=1)
        picked = np.linspace(0, len(first) - 1, LENGTH - 1).round().astype(int)
        result[:, :-1] = distances[:, picked]
    cells = np.stack([item.cell for item in items])
    result[:, -1] = np.cbrt(np.abs(np.linalg.det(cells)))
    return result


def _nearest(
    vectors: Float[np.ndarray, "structures pairs 3"], items: list[Structure]
) -> Float[np.ndarray, "structures pairs 3"]:
    """Takes vectors to the nearest image, along periodic directions."""
    from ase.geometry import complete_cell

    cells = np.stack([complete_cell(item.cell) for item in items])
    pbc = np.stack([item.pbc for item in items])[:, None, :]
    fractions = vectors @ np.linalg.inv(cells)
    return np.asarray((fractions - np.round(fractions) * pbc) @ cells)
