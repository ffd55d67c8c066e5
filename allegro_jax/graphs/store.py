"""A store: structures with their neighbour lists on disk, trained on as if they were in memory."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets.dataset import Dataset, Structure, checked_rows, ragged_rows
from allegro_jax.datasets.statistics import Statistics, summary
from allegro_jax.graphs.elements import energies_by_number, symbols
from allegro_jax.graphs.graph_dataset import GraphDataset
from allegro_jax.graphs.mapped_graphs import LookedUp, MappedGraphs
from allegro_jax.graphs.store_files import COLUMNS, MappedFile
from allegro_jax.graphs.store_header import StoreHeader, read_header
from allegro_jax.graphs.store_summary import COMPOSITION


@dataclasses.dataclass(frozen=True, eq=False)
class GraphStore:
    """Structures of a store, all or some; only small arrays are in memory.

    It has what splits and training need of a `Dataset`: `name`, `len`, `elements`, `n_atoms`,
    `energy`, `labelled`, `pbc`, `config_type`, `splits`, `select`, and structures by number;
    `forces` and `stress` are None where none is known, and otherwise those of the whole store.

    Attributes:
        folder: Where it lies.
        header: What it holds.
        rows: Which structures, in this order; `select` takes some of them.
    """

    folder: Path
    header: StoreHeader
    rows: Int[np.ndarray, "structures"]
    _files: Mapping[str, MappedFile]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Structure]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: int) -> Structure:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} structures; index {index} is outside")
        index = int(index) % len(self)
        row, first = self.rows[index], self.first_atoms[index]
        atoms = slice(first, first + self.n_atoms[index])
        forces, stress = self.forces, self.stress
        return Structure(
            numbers=self._array("numbers")[atoms].astype(np.int32),
            positions=self._array("positions")[atoms],
            cell=self._array("cell")[row],
            pbc=self._array("pbc")[row],
            energy=None if np.isnan(self.energy[index]) else float(self.energy[index]),
            forces=None if forces is None else _unless_nan(forces[atoms]),
            stress=None if stress is None else _unless_nan(stress[row]),
            config_type=None if self.config_type is None else str(self.config_type[index]),
        )

    @property
    def name(self) -> str:
        """What errors and reports call it."""
        return str(self.header.plan["name"])

    @property
    def cutoff(self) -> float:
        """Cutoff of the neighbour lists, Å."""
        return float(self.header.plan["cutoff"])

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers of the whole store."""
        return tuple(self.header.species)

    @cached_property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur in these structures, ascending."""
        present = self._composition.any(axis=0)
        return tuple(sorted(np.array(self.species)[present].tolist()))

    @cached_property
    def n_atoms(self) -> Int[np.ndarray, "structures"]:
        """Atoms per structure."""
        return self._of_structures("n_atoms").astype(np.int64)

    @cached_property
    def n_edges(self) -> Int[np.ndarray, "structures"]:
        """Directed edges per structure."""
        return self._of_structures("n_edges").astype(np.int64)

    @cached_property
    def first_atoms(self) -> Int[np.ndarray, "structures"]:
        """Row of the first atom of each structure."""
        return _starts(self._array("n_atoms"))[self.rows]

    @cached_property
    def first_edges(self) -> Int[np.ndarray, "structures"]:
        """Row of the first edge of each structure."""
        return _starts(self._array("n_edges"))[self.rows]

    @cached_property
    def energy(self) -> Float[np.ndarray, "structures"]:
        """Total energies, eV; NaN where unknown."""
        return self._of_structures("energy")

    @cached_property
    def forces(self) -> np.ndarray | None:
        """Forces of the whole store on disk, eV/Å, NaN where unknown; None if none is known."""
        return self._array("forces") if self.labelled["forces"] else None

    @cached_property
    def stress(self) -> np.ndarray | None:
        """Stresses of the whole store on disk, eV/Å³; likewise."""
        return self._array("stress") if self.labelled["stress"] else None

    @cached_property
    def labelled(self) -> dict[str, int]:
        """How many structures have an energy, forces and a stress, or a part of them."""
        counts = {"energy": int((~np.isnan(self.energy)).sum()), "forces": 0, "stress": 0}
        if "forces" in self.header.columns:
            counts["forces"] = int((self._of_structures("force_count") > 0).sum())
        if "stress" in self.header.columns:
            unknown = np.isnan(self._of_structures("stress")).all(axis=(1, 2))
            counts["stress"] = int((~unknown).sum())
        return counts

    @cached_property
    def pbc(self) -> Bool[np.ndarray, "structures 3"]:
        """Which lattice vectors repeat."""
        return self._of_structures("pbc").astype(bool)

    @property
    def digest(self) -> str:
        """Tells these structures from others: a hash of the contents and of the rows chosen."""
        rows = np.ascontiguousarray(self.rows, "<i8")
        return hashlib.blake2b(self.header.content.encode() + rows.tobytes()).hexdigest()[:32]

    @cached_property
    def config_type(self) -> np.ndarray | None:
        """Group of every structure, or None."""
        if self.header.groups is None:
            return None
        return np.array(self.header.groups)[self._of_structures("group")]

    @property
    def splits(self) -> dict[str, Int[np.ndarray, "..."]]:
        """Official splits; a selection has none."""
        if len(self) < self.header.rows["structures"]:
            return {}
        return {key: np.array(rows, np.int64) for key, rows in self.header.splits.items()}

    @property
    def average_neighbors(self) -> float:
        """Directed edges per atom."""
        return float(self.n_edges.sum() / self.n_atoms.sum())

    def select(self, indices: Sequence[int] | Int[np.ndarray, "..."]) -> GraphStore:
        """Returns the structures at `indices`, in that order; nothing of the large arrays is read.

        Raises:
            ValueError: `indices` is empty, not integer, or points outside of the store.
        """
        return dataclasses.replace(
            self, rows=self.rows[checked_rows(indices, len(self), self.name)]
        )

    @cached_property
    def max_neighbors(self) -> int:
        """Edges of the atom that has most."""
        return int(self._of_structures("max_neighbors").max())

    def check_cutoff(self, cutoff: float) -> None:
        """Raises ValueError if the neighbour lists are for another cutoff (Å)."""
        if cutoff != self.cutoff:
            raise ValueError(
                f"the store {self.name} holds neighbour lists for a cutoff of {self.cutoff} Å, but "
                f"the model has {cutoff} Å: write a store with cutoff={cutoff}, or give the model "
                f"cutoff={self.cutoff}"
            )

    def statistics(self) -> Statistics:
        """Returns the statistics of these structures from arrays of one row per structure."""
        present = np.isin(np.array(self.species), self.elements)
        order = np.argsort(np.array(self.species)[present])
        counts = self._composition[:, present][:, order]
        force_rms = None
        if self.forces is not None:
            count = self._of_structures("force_count").sum(dtype=np.int64)
            force_rms = float(np.sqrt(self._of_structures("force_squares").sum() / count))
        return summary(self.elements, counts, self.energy, self.n_atoms, force_rms)

    def graphs(
        self,
        species: Sequence[int],
        atomic_energies: Mapping[int, float] | Mapping[str, float] | None = None,
    ) -> MappedGraphs:
        """Returns the structures as a data set of graphs whose large arrays stay on disk.

        Args:
            species: Atomic numbers in the order of the model's species.
            atomic_energies: Reference energies, as for `GraphDataset.build`.

        Raises:
            ValueError: An element outside of `species` or without a reference energy.
        """
        references = None if atomic_energies is None else energies_by_number(atomic_energies)
        is_periodic = np.asarray(self.pbc.any(axis=1))
        stress = self.stress
        return MappedGraphs(
            cutoff=self.cutoff,
            species=tuple(int(number) for number in species),
            n_atoms=self.n_atoms,
            n_edges=self.n_edges,
            positions=self._array("positions"),
            species_index=LookedUp(self._array("numbers"), self._table(species)),  # type: ignore[arg-type]
            centres=self._array("centres"),
            neighbors=self._array("neighbors"),
            shifts=self._array("shifts"),
            cell=self._of_structures("cell") * is_periodic[:, None, None],
            energy=self._network_energies(references),
            forces=self.forces,
            stress=None if stress is None else stress[self.rows],
            atomic_energies=references,
            store=self,
        )

    def fetch(self, rows: Int[np.ndarray, "chosen"]) -> None:
        """Has the disk read structures, in its order, all at once and not as they are touched."""
        first = {"atoms": self.first_atoms[rows], "edges": self.first_edges[rows]}
        count = {"atoms": self.n_atoms[rows], "edges": self.n_edges[rows]}
        for name, file in self._files.items():
            level = COLUMNS[name].level if name in COLUMNS else "structures"
            if level != "structures":
                file.fetch(first[level], first[level] + count[level])

    def release(self) -> None:
        """Takes mapped pages out of the memory of this process; they are read again when used."""
        for file in self._files.values():
            file.release()

    def composition(self, numbers: Sequence[int]) -> Float[np.ndarray, "structures elements"]:
        """Returns how many atoms of each of some elements every structure has."""
        counts = np.zeros((len(self), len(numbers)))
        for column, number in enumerate(numbers):
            if number in self.species:
                counts[:, column] = self._composition[:, self.species.index(number)]
        return counts

    @cached_property
    def _composition(self) -> Int[np.ndarray, "structures species"]:
        return self._of_structures(COMPOSITION)

    def _array(self, name: str) -> np.ndarray:
        return self._files[name].array

    def _of_structures(self, name: str) -> np.ndarray:
        return self._array(name)[self.rows]

    def _table(self, species: Sequence[int]) -> Int[np.ndarray, "numbers"]:
        """The place of every atomic number among `species`."""
        unseen = sorted(set(self.elements) - set(species))
        if unseen:
            raise ValueError(
                f"the store {self.name} holds the elements {symbols(unseen)}, but the species of "
                f"the model are {symbols(species)}; add them to the species or select structures "
                "without them"
            )
        table = np.zeros(256, np.int32)
        table[list(species)] = np.arange(len(species))
        return table

    def _network_energies(
        self, references: Mapping[int, float] | None
    ) -> Float[np.ndarray, "structures"] | None:
        """Total energies less the references, summed atom by atom as `GraphDataset.build` does."""
        if not self.labelled["energy"]:
            return None
        if references is None:
            return self.energy
        missing = sorted(set(self.elements) - set(references))
        if missing:
            raise ValueError(
                f"no reference energy for the elements {symbols(missing)} of the store "
                f"{self.name}; atomic_energies knows {symbols(sorted(references))}"
            )
        table = np.zeros(256)
        table[list(references)] = list(references.values())
        numbers, sums = self._array("numbers"), []
        for start in range(0, len(self), 65_536):
            part = slice(start, start + 65_536)
            n_atoms = self.n_atoms[part]
            atoms = ragged_rows(self.first_atoms[part], n_atoms)
            sums.append(np.add.reduceat(table[numbers[atoms]], np.cumsum(n_atoms) - n_atoms))
        return self.energy - np.concatenate(sums)


def open_store(folder: Path | str) -> GraphStore:
    """Opens a store that `write_store` has finished; nothing but its small arrays is read.

    Raises:
        FileNotFoundError: There is no store, or it is not finished.
        ValueError: It has another format, or is damaged.
    """
    folder = Path(folder)
    header = read_header(folder)
    files = {name: _mapped(folder, name, header) for name in [*header.columns, COMPOSITION]}
    return GraphStore(folder, header, np.arange(header.rows["structures"]), files)


def graphs_for(
    structures: Dataset | GraphStore,
    config: ModelConfig,
    references: Mapping[str, float] | Mapping[int, float] | None,
) -> GraphDataset:
    """Returns the graphs of a data set or a store for a model.

    Args:
        structures: What to learn from or test on.
        config: The model.
        references: Atomic reference energies, eV, that are subtracted.

    Raises:
        ValueError: A store has another cutoff than the model, or holds elements that it lacks; or
            as `GraphDataset.build`.
    """
    if not isinstance(structures, GraphStore):
        return GraphDataset.build(structures, config.cutoff, config.atomic_numbers, references)
    structures.check_cutoff(config.cutoff)
    return structures.graphs(config.atomic_numbers, references)


def _mapped(folder: Path, name: str, header: StoreHeader) -> MappedFile:
    try:
        return MappedFile(folder / f"{name}.npy")
    except (OSError, ValueError) as error:
        raise ValueError(f"the store {header.plan['name']} is damaged: {error}") from error


def _unless_nan(label: np.ndarray) -> np.ndarray | None:
    return None if np.isnan(label).all() else label


def _starts(counts: np.ndarray) -> Int[np.ndarray, "structures"]:
    ends = np.cumsum(counts, dtype=np.int64)
    return ends - counts
