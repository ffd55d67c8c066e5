"""The two metals as crystals, and their planes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.build import bulk
from ase.eos import EquationOfState

from experiments.culi_recipe.recipe import Recipe
from experiments.culi_recipe.recording import CalculationError, RecordedCalculator

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from experiments.culi_recipe.calculators import Labeller

CRYSTALS = {"Li": ("bcc", 3.51), "Cu": ("fcc", 3.615)}
"""Crystal and measured lattice constant, Å."""

Plane = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Metal:
    """A crystal.

    Attributes:
        symbol: "Li" or "Cu".
        lattice_constant: Of the cubic cell, Å.
    """

    symbol: str
    lattice_constant: float

    def crystal(self) -> Structure:
        """Returns the cubic cell."""
        from pymatgen.io.ase import AseAtomsAdaptor

        kind, _ = CRYSTALS[self.symbol]
        atoms = bulk(self.symbol, kind, a=self.lattice_constant, cubic=True)
        return AseAtomsAdaptor.get_structure(atoms)

    def planes(self, recipe: Recipe) -> list[Plane]:
        """Returns the Miller indices that symmetry tells apart, the most closely packed first."""
        from pymatgen.core.surface import get_symmetrically_distinct_miller_indices

        found = get_symmetrically_distinct_miller_indices(self.crystal(), recipe.max_index)
        ordered = sorted((tuple(sorted(plane, reverse=True)) for plane in found), key=_openness)
        return ordered[: recipe.planes]


def _openness(plane: Plane) -> tuple[int, Plane]:
    return sum(index**2 for index in plane), plane


def equilibrium(symbol: str, label: Labeller, records: Path | None = None) -> Metal:
    """Returns the metal at the lattice constant that the calculator prefers.

    The third-order inverse polynomial of ASE's `EquationOfState` over ±6 % about the measured one.

    Args:
        symbol: "Li" or "Cu".
        label: What calculates.
        records: Folder that keeps every energy, so that a killed search goes on.

    Raises:
        ValueError: If the energies have no minimum there, or a calculation fails.
    """
    kind, measured = CRYSTALS[symbol]
    volumes, energies = [], []
    for number, stretch in enumerate(np.linspace(0.94, 1.06, 7)):
        atoms = bulk(symbol, kind, a=measured * stretch, cubic=True)
        record = records and records / f"lattice-{symbol}-{number}.jsonl"
        atoms.calc = RecordedCalculator(label.make(atoms), record)
        volumes.append(atoms.get_volume())
        try:
            energies.append(atoms.get_potential_energy())
        except CalculationError as error:
            raise ValueError(
                f"the lattice constant of {symbol} needs a calculation that failed: {error}"
            ) from error
    lowest = int(np.argmin(energies))
    if lowest in (0, len(energies) - 1):
        raise ValueError(
            f"the energy of {kind} {symbol} has no minimum within 6 % of {measured} Å, so the "
            "calculator does not describe this metal; give another, or the lattice constant"
        )
    volume, *_ = EquationOfState(volumes, energies).fit()
    return Metal(symbol, float(np.cbrt(volume)))
