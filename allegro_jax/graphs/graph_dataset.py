"""A data set with every neighbour list computed once, in ragged arrays."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.graphs.elements import energies_by_number, symbols
from allegro_jax.graphs.neighbors import NeighborList, neighbor_list


@dataclasses.dataclass(frozen=True, eq=False)
class GraphDataset:
    """Structures with their neighbour lists, in ragged arrays, ready to be batched.

    Attributes:
        cutoff: Å.
        species: atomic numbers; their order defines the species index.
        n_atoms: atoms per structure.
        n_edges: directed edges per structure.
        positions: Å, float64.
        species_index: index into `species` of each atom.
        centres: i of each edge, counted from the first atom of its structure.
        neighbors: j of each edge, likewise.
        shifts: lattice translations of j.
        cell: Å; zeros for structures without any periodic direction, which have no stress.
        energy: eV, less the atomic reference energies; NaN where unknown, None if all are.
        forces: eV/Å; likewise.
        stress: eV/Å³; likewise.
        atomic_energies: what was subtracted per atomic number, eV; None if nothing was.
    """

    cutoff: float
    species: tuple[int, ...]
    n_atoms: Int[np.ndarray, "structures"]
    n_edges: Int[np.ndarray, "structures"]
    positions: Float[np.ndarray, "atoms 3"]
    species_index: Int[np.ndarray, "atoms"]
    centres: Int[np.ndarray, "edges"]
    neighbors: Int[np.ndarray, "edges"]
    shifts: Int[np.ndarray, "edges 3"]
    cell: Float[np.ndarray, "structures 3 3"]
    energy: Float[np.ndarray, "structures"] | None
    forces: Float[np.ndarray, "atoms 3"] | None
    stress: Float[np.ndarray, "structures 3 3"] | None
    atomic_energies: Mapping[int, float] | None

    @classmethod
    def build(
        cls,
        structures: Dataset | Sequence[Structure],
        cutoff: float,
        species: Sequence[int],
        atomic_energies: Mapping[int, float] | Mapping[str, float] | None = None,
    ) -> Self:
        """Computes every neighbour list once.

        Args:
            structures: a data set, or structures with or without labels; a label is kept if some
                structure has it, and NaN for those that do not.
            cutoff: Å.
            species: atomic numbers in the order of the model's species.
            atomic_energies: reference energy per atomic number or chemical symbol, eV,
                subtracted in float64 so that the energies left are small enough for float32.

        Raises:
            ValueError: no structures, an element outside of `species` or without a reference
                energy, or a structure without a neighbour list (see `neighbor_list`).
        """
        items = list(structures)
        if not items:
            raise ValueError("a GraphDataset needs at least one structure; none came")
        numbers = np.concatenate([item.numbers for item in items])
        references = None if atomic_energies is None else energies_by_number(atomic_energies)
        species = tuple(int(number) for number in species)
        edges = [_edges(k, item, cutoff) for k, item in enumerate(items)]
        n_atoms = np.array([len(item.numbers) for item in items])
        return cls(
            cutoff=float(cutoff),
            species=species,
            n_atoms=n_atoms,
            n_edges=np.array([len(edge.centres) for edge in edges]),
            positions=np.concatenate([item.positions for item in items]),
            species_index=_species_index(numbers, species),
            centres=np.concatenate([edge.centres for edge in edges]).astype(np.int32),
            neighbors=np.concatenate([edge.neighbors for edge in edges]).astype(np.int32),
            shifts=np.concatenate([edge.shifts for edge in edges]).astype(np.int32),
            cell=np.stack([item.cell * np.any(item.pbc) for item in items]),
            energy=_network_energies(items, numbers, n_atoms, references),
            forces=_filled([item.forces for item in items], [(n, 3) for n in n_atoms]),
            stress=_filled(
                [None if item.stress is None else item.stress[None] for item in items],
                [(1, 3, 3)] * len(items),
            ),
            atomic_energies=references,
        )

    def __len__(self) -> int:
        return len(self.n_atoms)

    @cached_property
    def atom_offsets(self) -> Int[np.ndarray, "structures+1"]:
        """First atom of each structure, and the number of atoms at the end."""
        return np.concatenate([[0], np.cumsum(self.n_atoms)])

    @cached_property
    def edge_offsets(self) -> Int[np.ndarray, "structures+1"]:
        """First edge of each structure, and the number of edges at the end."""
        return np.concatenate([[0], np.cumsum(self.n_edges)])

    @property
    def first_atoms(self) -> Int[np.ndarray, "structures"]:
        """Row of the first atom of each structure."""
        return self.atom_offsets[:-1]

    @property
    def first_edges(self) -> Int[np.ndarray, "structures"]:
        """Row of the first edge of each structure."""
        return self.edge_offsets[:-1]

    def fetch(self, rows: Int[np.ndarray, "chosen"]) -> None:
        """Says that structures will be read next; nothing to do for arrays in memory."""

    def release(self) -> None:
        """Says that what was read is not needed at once; nothing to do for arrays in memory."""

    @cached_property
    def max_neighbors(self) -> int:
        """Edges of the atom that has most."""
        if len(self.centres) == 0:
            return 0
        # Centres ascend within a structure: an atom's edges are one run.
        owners = self.centres + np.repeat(self.atom_offsets[:-1], self.n_edges)
        return int(np.bincount(owners).max())

    @property
    def average_neighbors(self) -> float:
        """Directed edges per atom, over the whole set."""
        return float(self.n_edges.sum() / self.n_atoms.sum())


def average_neighbors(structures: Dataset | Sequence[Structure], cutoff: float) -> float:
    """Returns the mean number of neighbours of an atom within `cutoff` (Å)."""
    species = np.unique(np.concatenate([item.numbers for item in structures]))
    return GraphDataset.build(structures, cutoff, species.tolist()).average_neighbors


def _edges(k: int, structure: Structure, cutoff: float) -> NeighborList:
    try:
        return neighbor_list(structure.positions, structure.cell, structure.pbc, cutoff)
    except ValueError as error:
        raise ValueError(f"structure {k}: {error}") from error


def _species_index(
    numbers: Int[np.ndarray, "atoms"], species: tuple[int, ...]
) -> Int[np.ndarray, "atoms"]:
    if len(set(species)) != len(species):
        raise ValueError(f"species must be distinct atomic numbers; came {list(species)}")
    unseen = sorted(set(np.unique(numbers).tolist()) - set(species))
    if unseen:
        raise ValueError(
            f"the structures hold the elements {symbols(unseen)}, but the species are "
            f"{symbols(species)}; add them to the species or leave those structures out"
        )
    table = np.zeros(max(species) + 1, np.int32)
    table[list(species)] = np.arange(len(species))
    return table[numbers]


def _network_energies(
    items: Sequence[Structure],
    numbers: Int[np.ndarray, "atoms"],
    n_atoms: Int[np.ndarray, "structures"],
    atomic_energies: Mapping[int, float] | None,
) -> Float[np.ndarray, "structures"] | None:
    """Total energies less the reference energies of the atoms, in float64."""
    if all(item.energy is None for item in items):
        return None
    energy = np.array([item.energy for item in items], np.float64)  # None becomes NaN
    if atomic_energies is None:
        return energy
    missing = sorted(set(np.unique(numbers).tolist()) - set(atomic_energies))
    if missing:
        raise ValueError(
            f"no reference energy for the elements {symbols(missing)}; atomic_energies knows "
            f"{symbols(sorted(atomic_energies))}"
        )
    table = np.zeros(int(numbers.max()) + 1)
    for number in np.unique(numbers):
        table[number] = atomic_energies[int(number)]
    starts = np.cumsum(n_atoms) - n_atoms
    return energy - np.add.reduceat(table[numbers], starts)


def _filled(parts: list[np.ndarray | None], shapes: Sequence[tuple[int, ...]]) -> np.ndarray | None:
    """One array of all parts, NaN for a structure that lacks its part; None if all lack it."""
    if all(part is None for part in parts):
        return None
    pairs = zip(parts, shapes, strict=True)
    return np.concatenate([np.full(size, np.nan) if part is None else part for part, size in pairs])
