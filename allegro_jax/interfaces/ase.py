"""Calculator for the Atomic Simulation Environment (ASE)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import jax
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from allegro_jax.datasets.dataset import Structure
from allegro_jax.sharding.spatial import ShardedPotential, Sizes

if TYPE_CHECKING:
    import ase

    from allegro_jax.committee_result import CommitteeResult
    from allegro_jax.potential import Potential, Result


class AllegroCalculator(Calculator):
    """Energies, forces and stresses of a potential for `ase.Atoms`; see `Potential.calculator`.

    A step in which no atom has moved far sends positions and cell to the devices and runs one
    compiled function; see `ShardedPotential` for when neighbours are searched again and when
    something is compiled.

    Attributes:
        potential: what is evaluated.
        sharded: what evaluates it, and knows how the work is spread.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012  # as ASE names them
    sharded_type: ClassVar[Any] = ShardedPotential

    def __init__(
        self,
        potential: "Potential",
        skin: float = 1.0,
        devices: Sequence[jax.Device] | None = None,
    ) -> None:
        """Prepares a calculator; nothing is compiled before the first structure.

        Raises:
            ValueError: see `ShardedPotential`.
        """
        super().__init__()
        self.potential = potential
        self.sharded = self.sharded_type(potential, devices, skin)

    @property
    def skin(self) -> float:
        """Å by which neighbour lists exceed the cutoff."""
        return self.sharded.skin

    @property
    def capacities(self) -> set[Sizes]:
        """Array sizes met so far; each of them was compiled."""
        return self.sharded.capacities

    @property
    def n_builds(self) -> int:
        """Neighbour lists built so far."""
        return self.sharded.n_builds

    def calculate(
        self,
        atoms: "ase.Atoms | None" = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Computes everything at once; called by ASE.

        Raises:
            ValueError: see `Potential.__call__`.
        """
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise ValueError("a calculator needs atoms; none came")
        self._take(self.sharded(Structure.from_atoms(self.atoms)))

    def _take(self, result: "Result | CommitteeResult") -> None:
        """Puts a result where ASE looks for it."""
        self.results = {
            "energy": result.energy,
            "free_energy": result.energy,
            "energies": result.atomic_energies,
            "forces": result.forces,
        }
        if result.stress is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(result.stress)
