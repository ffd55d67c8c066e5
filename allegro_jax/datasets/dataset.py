"""Atomic structures and data sets of them, as ragged float64 arrays on the host."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    import ase


@dataclasses.dataclass(frozen=True, eq=False)
class Structure:
    """One set of atoms with its labels, if it has any.

    Attributes:
        numbers: atomic numbers.
        positions: Cartesian positions, Å.
        cell: lattice vectors as rows, Å (zeros for a molecule).
        pbc: which lattice vectors repeat.
        energy: total energy, eV, or None.
        forces: eV/Å, or None.
        stress: symmetric 3x3, eV/Å³, positive in tension (the sign of ASE), or None.
        config_type: what kind of structure this is, or None.
    """

    numbers: Int[np.ndarray, "atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    cell: Float[np.ndarray, "3 3"]
    pbc: Bool[np.ndarray, "3"]
    energy: float | None = None
    forces: Float[np.ndarray, "atoms 3"] | None = None
    stress: Float[np.ndarray, "3 3"] | None = None
    config_type: str | None = None

    @classmethod
    def from_atoms(cls, atoms: "ase.Atoms") -> Self:
        """Takes numbers, positions, cell and pbc of an `ase.Atoms`; labels are left out."""
        return cls(atoms.numbers, atoms.positions, np.asarray(atoms.cell), atoms.pbc)

    def to_atoms(self) -> "ase.Atoms":
        """Returns `ase.Atoms` that carry the labels in a `SinglePointCalculator`."""
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        atoms = Atoms(self.numbers, self.positions, cell=self.cell, pbc=self.pbc)
        labels = {"energy": self.energy, "forces": self.forces, "stress": self.stress}
        known = {key: value for key, value in labels.items() if value is not None}
        if known:
            atoms.calc = SinglePointCalculator(atoms, **known)
        if self.config_type is not None:
            atoms.info["config_type"] = self.config_type
        return atoms


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled structures in ragged arrays; structure k owns rows `offsets[k]:offsets[k + 1]`.

    Checked when made: shapes agree, positions are finite and labels finite or NaN, a periodic cell
    has a volume. `len`, indexing by an integer and iteration give `Structure` objects.

    A label that is NaN is missing, be it of a structure, an atom or a component; training, metrics
    and statistics leave it out. Every structure must have at least one label.

    Attributes:
        name: what errors and reports call this set.
        numbers: atomic numbers.
        positions: Å.
        n_atoms: atoms in each structure, at least one.
        energy: total energies, eV; NaN where unknown.
        forces: eV/Å, NaN where unknown; None where none exist (also if all given are NaN).
        stress: eV/Å³, positive in tension; likewise.
        cell: lattice vectors as rows, Å; zeros for molecules (the default).
        pbc: which lattice vectors repeat; none by default.
        splits: official splits as structure indices, by names such as `train`, `test`, `valid`,
            and `train_02` or `train_random` for published variants.
        config_type: a label per structure, or None.
    """

    name: str
    numbers: Int[np.ndarray, "atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    n_atoms: Int[np.ndarray, "structures"]
    energy: Float[np.ndarray, "structures"]
    forces: Float[np.ndarray, "atoms 3"] | None = None
    stress: Float[np.ndarray, "structures 3 3"] | None = None
    cell: Float[np.ndarray, "structures 3 3"] = None  # type: ignore[assignment]  # zeros
    pbc: Bool[np.ndarray, "structures 3"] = None  # type: ignore[assignment]  # all False
    splits: Mapping[str, Int[np.ndarray, "..."]] = dataclasses.field(default_factory=dict)
    config_type: np.ndarray | None = None

    def __post_init__(self) -> None:
        _set_canonical_arrays(self)
        _check_shapes(self)
        _check_values(self)

    def __len__(self) -> int:
        return len(self.n_atoms)

    def __iter__(self) -> Iterator[Structure]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Structure:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} structures; index {index} is outside")
        index = int(index) % len(self)
        rows = slice(self.offsets[index], self.offsets[index + 1])
        return Structure(
            numbers=self.numbers[rows],
            positions=self.positions[rows],
            cell=self.cell[index],
            pbc=self.pbc[index],
            energy=None if np.isnan(self.energy[index]) else float(self.energy[index]),
            forces=None if self.forces is None else _unless_nan(self.forces[rows]),
            stress=None if self.stress is None else _unless_nan(self.stress[index]),
            config_type=None if self.config_type is None else str(self.config_type[index]),
        )

    @cached_property
    def offsets(self) -> Int[np.ndarray, "structures+1"]:
        """First row of each structure, and the total number of atoms at the end."""
        return np.concatenate([[0], np.cumsum(self.n_atoms)])

    @cached_property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(int(number) for number in np.unique(self.numbers))

    @property
    def labelled(self) -> dict[str, int]:
        """How many structures have an energy, forces and a stress, or a part of them."""
        return {name: int(has.sum()) for name, has in _has_label(self).items()}

    def composition(self, numbers: Sequence[int]) -> Float[np.ndarray, "structures elements"]:
        """Returns how many atoms of each of some elements every structure has."""
        is_element = self.numbers[:, None] == np.array(numbers)
        return np.add.reduceat(is_element.astype(np.float64), self.offsets[:-1])

    def select(self, indices: Sequence[int] | Int[np.ndarray, "..."]) -> Self:
        """Returns the structures at `indices`, in that order and without official splits.

        Raises:
            ValueError: `indices` is empty, not integer, or points outside of the set.
        """
        indices = checked_rows(indices, len(self), self.name)
        counts = self.n_atoms[indices]
        rows = ragged_rows(self.offsets[indices], counts)
        return dataclasses.replace(
            self,
            numbers=self.numbers[rows],
            positions=self.positions[rows],
            n_atoms=counts,
            energy=self.energy[indices],
            forces=None if self.forces is None else self.forces[rows],
            stress=None if self.stress is None else self.stress[indices],
            cell=self.cell[indices],
            pbc=self.pbc[indices],
            splits={},
            config_type=None if self.config_type is None else self.config_type[indices],
        )

    def to_atoms(self, index: int) -> "ase.Atoms":
        """Returns structure `index` as `ase.Atoms` with its labels in a calculator."""
        return self[index].to_atoms()


def checked_rows(
    indices: Sequence[int] | Int[np.ndarray, "..."], size: int, name: str
) -> Int[np.ndarray, "rows"]:
    """Returns the rows of a selection as an array.

    Args:
        indices: Asked for.
        size: Structures of the set.
        name: What errors call it.

    Raises:
        ValueError: `indices` is empty, not integer, or points outside of the set.
    """
    rows = np.asarray(indices)
    if rows.ndim != 1 or len(rows) == 0 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(
            f"select needs a non-empty 1-D list of integers; for {name} came shape {rows.shape} of "
            f"{rows.dtype}"
        )
    if rows.min() < 0 or rows.max() >= size:
        raise ValueError(
            f"{name} has {size} structures, so indices run from 0 to {size - 1}; came "
            f"{rows.min()} to {rows.max()}"
        )
    return rows


def ragged_rows(
    starts: Int[np.ndarray, "structures"], counts: Int[np.ndarray, "structures"]
) -> Int[np.ndarray, "rows"]:
    """Returns `starts[0], starts[0]+1, ... (counts[0] of them), starts[1], ...` in one array."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())


def _set_canonical_arrays(data: Dataset) -> None:
    """Converts to float64 and fills in the molecule defaults (the dataclass is frozen)."""
    n = len(np.atleast_1d(data.n_atoms))
    arrays = {
        "numbers": np.asarray(data.numbers, np.int32),
        "n_atoms": np.asarray(data.n_atoms, np.int64),
        "positions": np.asarray(data.positions, np.float64),
        "energy": np.asarray(data.energy, np.float64),
        "forces": None if data.forces is None else _unless_nan(data.forces),
        "stress": None if data.stress is None else _unless_nan(data.stress),
        "cell": np.zeros((n, 3, 3)) if data.cell is None else np.asarray(data.cell, np.float64),
        "pbc": np.zeros((n, 3), bool) if data.pbc is None else np.asarray(data.pbc, bool),
        "splits": {key: np.asarray(rows, np.int64) for key, rows in data.splits.items()},
        "config_type": None if data.config_type is None else np.asarray(data.config_type),
    }
    for field, value in arrays.items():
        object.__setattr__(data, field, value)


def _unless_nan(label: np.ndarray) -> np.ndarray | None:
    """A label in float64, or None if nothing of it is known."""
    label = np.asarray(label, np.float64)
    return None if label.size and np.isnan(label).all() else label


def _has_label(data: Dataset) -> dict[str, Bool[np.ndarray, "structures"]]:
    nothing = np.zeros(len(data), bool)
    forces, stress = data.forces, data.stress
    return {
        "energy": ~np.isnan(data.energy),
        "forces": nothing
        if forces is None
        else np.logical_or.reduceat(~np.isnan(forces).all(axis=1), data.offsets[:-1]),
        "stress": nothing if stress is None else ~np.isnan(stress).all(axis=(1, 2)),
    }


def _check_shapes(data: Dataset) -> None:
    if data.n_atoms.ndim != 1 or len(data.n_atoms) == 0:
        raise ValueError(
            f"{data.name}: a data set needs at least one structure; n_atoms has shape "
            f"{data.n_atoms.shape}"
        )
    if data.n_atoms.min() < 1:
        k = int(np.argmin(data.n_atoms))
        raise ValueError(f"{data.name}: structure {k} has {data.n_atoms[k]} atoms; drop it")
    n, atoms = len(data.n_atoms), int(data.n_atoms.sum())
    expected: dict[str, tuple[int, ...]] = {
        "numbers": (atoms,),
        "positions": (atoms, 3),
        "energy": (n,),
        "forces": (atoms, 3),
        "stress": (n, 3, 3),
        "cell": (n, 3, 3),
        "pbc": (n, 3),
        "config_type": (n,),
    }
    for field, shape in expected.items():
        array = getattr(data, field)
        if array is not None and array.shape != shape:
            raise ValueError(
                f"{data.name}: {field} must have shape {shape} for {n} structures with {atoms} "
                f"atoms in all; it has {array.shape}"
            )


def _check_values(data: Dataset) -> None:
    for field in ("positions", "forces", "energy", "stress", "cell"):
        array = getattr(data, field)
        if array is None or np.isfinite(array).all():
            continue
        is_label = field in ("forces", "energy", "stress")  # NaN if unknown
        wrong = np.isinf(array) if is_label else ~np.isfinite(array)
        if not wrong.any():
            continue
        bad = int(np.argwhere(wrong)[0, 0])
        if field in ("positions", "forces"):
            bad = int(np.searchsorted(data.offsets, bad, side="right")) - 1
        what = "infinite" if is_label else "NaN or infinite"
        raise ValueError(
            f"{data.name}: {field} of structure {bad} is {what}; drop or repair that structure"
        )
    unlabelled = np.flatnonzero(~np.any(list(_has_label(data).values()), axis=0))
    if len(unlabelled):
        raise ValueError(
            f"{data.name}: structure {unlabelled[0]} and {len(unlabelled) - 1} more of {len(data)} "
            "have no label (energy, forces and stress are NaN or absent); label or drop them"
        )
    if data.numbers.min() < 1 or data.numbers.max() > 118:
        raise ValueError(
            f"{data.name}: atomic numbers lie between 1 and 118; came {data.numbers.min()} to "
            f"{data.numbers.max()}"
        )
    flat = np.flatnonzero(data.pbc.all(axis=1) & (np.abs(np.linalg.det(data.cell)) < 1e-6))
    if len(flat):
        raise ValueError(
            f"{data.name}: structure {flat[0]} is periodic but its cell has no volume "
            f"({data.cell[flat[0]].tolist()}); give the lattice vectors or set pbc to False"
        )
    for key, rows in data.splits.items():
        if len(rows) == 0 or rows.min() < 0 or rows.max() >= len(data):
            raise ValueError(
                f"{data.name}: the official split {key!r} must hold rows 0 to {len(data) - 1}; "
                f"it holds {len(rows)} rows" + (f" up to {rows.max()}" if len(rows) else "")
            )
