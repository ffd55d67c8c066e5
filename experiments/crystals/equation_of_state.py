"""Energy against volume of a crystal, and what its curve tells."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.crystals.structures import relaxed

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclasses.dataclass(frozen=True)
class StateEquation:
    """A Birch-Murnaghan equation of state.

    Attributes:
        volumes: Å³ per atom.
        energies: eV per atom.
        volume: That of the minimum, Å³ per atom.
        energy: That of the minimum, eV per atom.
        bulk_modulus: GPa.
        derivative: Of the bulk modulus with pressure.
        residual: Root mean square of what the equation leaves, eV per atom.
    """

    volumes: tuple[float, ...]
    energies: tuple[float, ...]
    volume: float
    energy: float
    bulk_modulus: float
    derivative: float
    residual: float

    def __call__(self, volumes: np.ndarray) -> np.ndarray:
        """Returns the energies (eV per atom) of volumes (Å³ per atom)."""
        from ase.eos import birchmurnaghan

        modulus = self.bulk_modulus / _gpa()
        return birchmurnaghan(volumes, self.energy, modulus, self.derivative, self.volume)


def equation_of_state(
    atoms: Atoms, calculator: Calculator, *, span: float, points: int, fmax: float
) -> StateEquation:
    """Returns the equation of state of a crystal, whose shape and atoms are relaxed at each volume.

    Args:
        atoms: A crystal at rest.
        calculator: Energies, forces and stresses.
        span: Largest change of the volume, as a share of it.
        points: Volumes, five or more.
        fmax: Of the relaxation at each volume, see `relaxed`.

    Raises:
        ValueError: If there are too few points, or no minimum among them.
    """
    if points < 5 or not 0 < span < 0.5:
        raise ValueError(
            f"an equation of state needs 5 volumes or more within a half; got {points} in {span}"
        )
    volumes, energies = [], []
    for factor in np.linspace(1 - span, 1 + span, points):
        scaled = atoms.copy()
        scaled.set_cell(atoms.cell * factor ** (1 / 3), scale_atoms=True)
        at_rest = relaxed(scaled, calculator, fmax, cell=True, volume=True)
        volumes.append(at_rest.get_volume() / len(atoms))
        energies.append(at_rest.get_potential_energy() / len(atoms))
    return fitted(volumes, energies)


def fitted(volumes: list[float], energies: list[float]) -> StateEquation:
    """Fits a Birch-Murnaghan equation to volumes (Å³ per atom) and energies (eV per atom).

    Raises:
        ValueError: If their minimum is not among the volumes.
    """
    from ase.eos import EquationOfState

    equation = EquationOfState(volumes, energies, eos="birchmurnaghan")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the covariance, which is not used
            volume, energy, modulus = equation.fit(warn=False)
    except RuntimeError as error:
        raise ValueError(f"no equation of state fits the energies: {error}") from error
    if not min(volumes) < volume < max(volumes):
        raise ValueError(
            f"the minimum, {volume:.2f} Å³ per atom, is outside of the volumes from "
            f"{min(volumes):.2f} to {max(volumes):.2f}: the crystal is not at rest, or the "
            "potential has no minimum there"
        )
    derivative: Any = equation.eos_parameters[2]
    result = StateEquation(
        tuple(map(float, volumes)),
        tuple(map(float, energies)),
        float(volume),
        float(energy),
        float(modulus) * _gpa(),
        float(derivative),
        0.0,
    )
    left = np.asarray(energies) - result(np.asarray(volumes))
    return dataclasses.replace(result, residual=float(np.sqrt(np.mean(left**2))))


def _gpa() -> float:
    """GPa in one eV/Å³."""
    from allegro_jax import units

    return 1.0 / units.GPA
