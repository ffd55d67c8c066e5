"""An exported potential: from structures to energies, forces and stresses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from .evaluation import Edges, Evaluation, Evaluator
from .files import Contents
from .neighbors import Pairs, find_pairs

if TYPE_CHECKING:
    from .calculator import ExportedCalculator


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a potential says about one structure.

    Attributes:
        energy: total energy (eV), reference energies included.
        forces: eV/Å, [atoms, 3].
        atomic_energies: eV, reference energies included; they add up to `energy`.
        stress: eV/Å³, [3, 3], positive under tension as in ASE; None without a periodic cell.
        virial: eV, [3, 3], minus the derivative by strain: minus stress times volume.
    """

    energy: float
    forces: np.ndarray
    atomic_energies: np.ndarray
    stress: np.ndarray | None
    virial: np.ndarray


class ExportedPotential:
    """A potential that was read from its file; see `load`.

    Attributes:
        header: what the file says about itself.
        type_names: chemical symbols; the position is the index of the type.
        cutoff: Å.
    """

    def __init__(
        self, header: dict[str, Any], programs: list[Any], params: dict[str, np.ndarray]
    ) -> None:
        self.header = header
        self.type_names: tuple[str, ...] = tuple(header["type_names"])
        self.cutoff = float(header["cutoff"])
        self._evaluator = Evaluator(Contents(header, programs, params))
        numbers = header["atomic_numbers"]
        self._types = {int(number): index for index, number in enumerate(numbers)}
        self.references = np.array([header["atomic_energies"][name] for name in self.type_names])

    @property
    def compilations(self) -> int:
        """Array sizes met so far, each of which was compiled."""
        return len(self._evaluator.sizes)

    def __call__(
        self, numbers: Any, positions: Any = None, cell: Any = None, pbc: Any = None
    ) -> Result:
        """Evaluates one structure.

        Args:
            numbers: atomic numbers, or an `ase.Atoms` and nothing else.
            positions: Å, [atoms, 3].
            cell: lattice vectors as rows (Å); None for none.
            pbc: periodic directions; None for all if there is a cell.

        Raises:
            ValueError: no atoms, elements the potential does not know, positions that are not
                finite, atoms at the same place, a periodic cell without volume.
        """
        if hasattr(numbers, "get_positions"):
            atoms = numbers
            return self._evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
        if pbc is None:
            pbc = cell is not None
        return self._evaluate(
            np.asarray(numbers),
            np.asarray(positions, np.float64),
            np.zeros((3, 3)) if cell is None else np.asarray(cell, np.float64),
            np.broadcast_to(np.asarray(pbc, bool), 3),
        )

    def pairs(
        self,
        species: np.ndarray,
        centres: np.ndarray,
        neighbor_species: np.ndarray,
        vectors: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluates atoms whose neighbours are known, as a simulation engine knows them.

        Args:
            species: index of the type of every centre, [atoms].
            centres: i of every pair, ascending, [pairs].
            neighbor_species: index of the type of j, [pairs].
            vectors: r_j - r_i (Å), [pairs, 3].

        Returns:
            Energies of the atoms (eV), reference energies included, and g_ij = ∂E/∂r_ij (eV/Å).
            The force on i is Σ_j g_ij - Σ_j g_ji.
        """
        if len(species) == 0:
            return np.zeros(0), np.zeros((0, 3))
        edges = Edges(centres, neighbor_species, vectors)
        energies, gradients = self._evaluator.pairs(species, edges)
        return energies + self.references[species], gradients

    def calculator(self) -> ExportedCalculator:
        """Returns a calculator for ASE: energy, energies of the atoms, forces, stress."""
        from .calculator import ExportedCalculator  # needs ase

        return ExportedCalculator(self)

    def types(self, numbers: np.ndarray) -> np.ndarray:
        """Indices of the types of atoms.

        Raises:
            ValueError: no atoms, or elements that the potential does not know.
        """
        if len(numbers) == 0:
            raise ValueError("the structure has no atoms; a potential needs at least one")
        unseen = sorted(set(np.unique(numbers).tolist()) - set(self._types))
        if unseen:
            raise ValueError(
                f"the structure contains the atomic numbers {unseen}, which this potential has not "
                f"seen; it knows {', '.join(self.type_names)}"
            )
        return np.array([self._types[number] for number in np.asarray(numbers).tolist()])

    def _evaluate(
        self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> Result:
        species = self.types(numbers)
        if positions.shape != (len(numbers), 3) or cell.shape != (3, 3):
            raise ValueError(
                f"expected positions of shape ({len(numbers)}, 3) and a cell of shape (3, 3); got "
                f"{positions.shape} and {cell.shape}"
            )
        found = find_pairs(positions, cell, pbc, self.cutoff)
        energies, forces, strain = self._summed(species, positions, cell * np.any(pbc), found)
        atomic = np.asarray(energies, np.float64) + self.references[species]
        volume = abs(np.linalg.det(cell)) if np.any(pbc) else 0.0
        stress = strain / volume if volume > 0.0 else None
        return Result(float(atomic.sum()), forces, atomic, stress, -strain)

    def _summed(
        self, species: np.ndarray, positions: np.ndarray, cell: np.ndarray, found: Pairs
    ) -> Evaluation:
        """Rounds positions and shifts before they meet, as the library does: the same numbers."""
        dtype, evaluator = self._evaluator.dtype, self._evaluator
        # Small numbers lose less in float32 when a simulation has drifted far from the origin.
        rounded = (positions - positions.mean(axis=0)).astype(dtype)
        offsets = found.shifts.astype(dtype) @ cell.astype(dtype)
        i, j = found.centres, found.neighbors
        if evaluator.fits_one_piece(len(i)):
            parts = evaluator.structure(rounded, species, i, j, offsets)
            return Evaluation(*(np.asarray(part, np.float64) for part in parts))
        vectors = rounded[j] - rounded[i] + offsets
        energies, gradients = evaluator.pairs(species, Edges(i, species[j], vectors))
        strain = vectors.astype(np.float64).T @ gradients
        forces = _sums(i, gradients, len(species)) - _sums(j, gradients, len(species))
        return Evaluation(energies, forces, 0.5 * (strain + strain.T))


def _sums(rows: np.ndarray, vectors: np.ndarray, size: int) -> np.ndarray:
    """Adds up the vectors of equal rows."""
    return np.stack([np.bincount(rows, column, size) for column in vectors.T], axis=1)
