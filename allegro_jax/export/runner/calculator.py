"""Calculator for the Atomic Simulation Environment (ASE)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

if TYPE_CHECKING:
    from .potential import ExportedPotential


class ExportedCalculator(Calculator):
    """Energies, forces and stresses of an exported potential for `ase.Atoms`.

    Attributes:
        potential: what is evaluated.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012  # as ASE names them

    def __init__(self, potential: ExportedPotential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(
        self,
        atoms: Any = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Computes everything at once; called by ASE.

        Raises:
            ValueError: see `ExportedPotential.__call__`.
        """
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise ValueError("a calculator needs atoms; none came")
        result = self.potential(self.atoms)
        self.results = {
            "energy": result.energy,
            "free_energy": result.energy,
            "energies": result.atomic_energies,
            "forces": result.forces,
        }
        if result.stress is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(result.stress)
