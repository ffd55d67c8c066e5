"""Phonons of a crystal by phonopy, from forces on displaced atoms in a supercell."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from ase.dft.kpoints import BandPath


@dataclasses.dataclass(frozen=True, eq=False)
class Phonons:
    """Frequencies of a crystal; imaginary ones are negative.

    Attributes:
        path: Through the Brillouin zone of the primitive cell.
        frequencies: THz.
        special: Frequencies at the special points by their names, THz.
        supercell: Atoms of the supercell.
        displacements: Supercells whose forces were needed.
    """

    path: BandPath
    frequencies: Float[np.ndarray, "points branches"]
    special: dict[str, Float[np.ndarray, "branches"]]
    supercell: int
    displacements: int

    @property
    def lowest(self) -> float:
        """Lowest frequency on the path, THz; well below zero, the crystal is not stable."""
        return float(self.frequencies.min())


def repeats(atoms: Atoms, length: float) -> tuple[int, int, int]:
    """Returns how often a cell is repeated so that its planes are `length` (Å) apart, or more."""
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    x, y, z = (max(int(np.ceil(length / height - 1e-9)), 1) for height in heights)
    return x, y, z


def phonons(
    atoms: Atoms, calculator: Calculator, *, length: float, displacement: float, points: int = 200
) -> Phonons:
    """Returns the phonons of a crystal.

    Args:
        atoms: A crystal at rest.
        calculator: Forces.
        length: Distance of the planes of the supercell, Å. Force constants of a strictly local
            model reach twice its cutoff.
        displacement: Of an atom, Å.
        points: On the path through the Brillouin zone.

    Raises:
        ModuleNotFoundError: If phonopy is not installed; the message names the extra.
        ValueError: If the lengths are not positive.
    """
    if not (length > 0 and displacement > 0):
        raise ValueError(
            f"the supercell and the displacement need lengths in Å; got {length} and {displacement}"
        )
    crystal = _phonopy().Phonopy(
        _to_phonopy(atoms), np.diag(repeats(atoms, length)), primitive_matrix="auto"
    )
    crystal.generate_displacements(distance=displacement)
    supercells = crystal.supercells_with_displacements
    crystal.forces = np.stack([_forces(supercell, calculator) for supercell in supercells])
    crystal.produce_force_constants()
    crystal.symmetrize_force_constants()
    path = _from_phonopy(crystal.primitive).cell.bandpath(npoints=points)
    special = {name: _frequencies(crystal, [q])[0] for name, q in path.special_points.items()}
    frequencies = _frequencies(crystal, path.kpts)
    return Phonons(path, frequencies, special, len(crystal.supercell), len(supercells))


def _frequencies(crystal: Any, q: Any) -> Float[np.ndarray, "points branches"]:
    return np.array(crystal.run_qpoints(np.asarray(q, float)).frequencies)


def _forces(supercell: Any, calculator: Calculator) -> Float[np.ndarray, "atoms 3"]:
    atoms = _from_phonopy(supercell)
    atoms.calc = calculator
    return atoms.get_forces()


def _from_phonopy(cell: Any) -> Atoms:
    from ase import Atoms

    options = {"cell": cell.cell, "scaled_positions": cell.scaled_positions, "pbc": True}
    return Atoms(cell.symbols, masses=cell.masses, **options)


def _to_phonopy(atoms: Atoms) -> Any:
    from phonopy.structure.atoms import PhonopyAtoms

    return PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(),
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
        masses=atoms.get_masses(),
    )


def _phonopy() -> ModuleType:
    try:
        import phonopy
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "phonons need phonopy: pip install 'allegro-jax[properties]', or leave them out "
            "(--quantities=eos,elastic)"
        ) from error
    return phonopy
