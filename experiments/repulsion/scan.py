"""The energy of two atoms that are pushed together, and the holes in it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from allegro_jax.potential import Potential


class Hole(NamedTuple):
    """Where the energy falls although two atoms come closer.

    Attributes:
        depth: Largest fall on the way inwards, eV; of a sound potential it is that from the
            beginning to the length of the bond.
        distance: Where it ends, Å.
        barrier: Energy above the beginning that has to be climbed before the fall, eV.
        wall: Energy above the beginning at the closest distance, eV.
    """

    depth: float
    distance: float
    barrier: float
    wall: float


def closest_pairs(atoms: Atoms) -> dict[str, tuple[int, int]]:
    """Returns the nearest two atoms of every pair of elements, by names such as "C-H"."""
    distances = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    numbers = atoms.numbers
    found = {}
    for a, b in itertools.combinations_with_replacement(sorted(set(numbers.tolist())), 2):
        allowed = np.where((numbers[:, None] == a) & (numbers[None, :] == b), distances, np.inf)
        i, j = np.unravel_index(np.argmin(allowed), allowed.shape)
        if np.isfinite(allowed[i, j]):
            found[f"{atoms.symbols[i]}-{atoms.symbols[j]}"] = (int(i), int(j))
    return found


def approach(
    atoms: Atoms, pair: tuple[int, int], distances: Float[np.ndarray, "points"]
) -> list[Atoms]:
    """Returns structures in which the second atom of a pair is at these distances (Å)."""
    i, j = pair
    line = atoms.get_distance(i, j, mic=True, vector=True)
    direction = line / np.linalg.norm(line)
    moved = []
    for distance in distances:
        other = atoms.copy()
        other.positions[j] += (distance - np.linalg.norm(line)) * direction
        moved.append(other)
    return moved


def approach_energies(
    potential: Potential, atoms: Atoms, pair: tuple[int, int], closest: float, points: int = 120
) -> tuple[Float[np.ndarray, "points"], Float[np.ndarray, "points"]]:
    """Returns distances (Å), from where the atoms are down to `closest`, and energies (eV).

    Energies are above that of the first point.

    Raises:
        ValueError: If the atoms are closer than `closest` already.
    """
    begin = atoms.get_distance(*pair, mic=True)
    if not 0.05 <= closest < begin:
        raise ValueError(
            f"the closest distance must be between 0.05 Å and {begin:.2f} Å, where the atoms are; "
            f"got {closest}"
        )
    distances = np.linspace(begin, closest, points)
    results = potential(approach(atoms, pair, distances))
    energies = np.array([result.energy for result in results])
    return distances, energies - energies[0]


def deepest_hole(distances: Sequence[float], energies: Sequence[float]) -> Hole:
    """Returns the largest fall of the energy along distances that shrink."""
    energies = np.asarray(energies)
    tops = np.maximum.accumulate(energies)
    end = int(np.argmax(tops - energies))
    barrier = float(tops[end] - energies[0])
    wall = float(energies[-1] - energies[0])
    return Hole(float(tops[end] - energies[end]), float(distances[end]), barrier, wall)
