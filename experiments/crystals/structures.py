"""Crystals by name or from a file, and their relaxation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

MOST_STEPS = 500
"""Steps of a relaxation, which a crystal near a minimum does not need."""


def crystal(name: str, crystalstructure: str | None = None, a: float | None = None) -> Atoms:
    """Returns a crystal to begin with.

    Args:
        name: A file that ASE reads, or a formula that `ase.build.bulk` knows, such as "Cu".
        crystalstructure: Of a formula, such as "rocksalt"; None for that of the element.
        a: Lattice constant, Å, likewise.

    Raises:
        ValueError: If there is no such file or crystal, or it does not repeat in three directions.
        OSError: If the file cannot be read.
    """
    import ase.io
    from ase.build import bulk

    if Path(name).is_file():
        atoms: Any = ase.io.read(name)
    else:
        try:
            atoms = bulk(name, crystalstructure, a=a)
        except (KeyError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{name!r} is neither a file nor a crystal that ASE can build ({error}); for a "
                "compound give --crystalstructure and --a"
            ) from error
    if not atoms.pbc.all() or abs(atoms.cell.volume) < 1e-6:
        raise ValueError(f"{name} must repeat in three directions; it has pbc={atoms.pbc.tolist()}")
    return atoms


def relaxed(
    atoms: Atoms, calculator: Calculator, fmax: float, *, cell: bool, volume: bool = False
) -> Atoms:
    """Returns a crystal at rest.

    Args:
        atoms: Where to begin; it stays as it is.
        calculator: Energies, forces and stresses.
        fmax: Largest force left, eV/Å, and largest stress times the volume over the atoms, eV.
        cell: Relax the cell as well.
        volume: With `cell`, keep its volume and relax its shape alone.

    Raises:
        ValueError: If it does not come to rest.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = atoms.copy()
    atoms.calc = calculator
    target = FrechetCellFilter(atoms, constant_volume=volume) if cell else atoms
    if not BFGS(target, logfile=None).run(fmax=fmax, steps=MOST_STEPS):
        left = float(np.linalg.norm(target.get_forces(), axis=1).max())
        raise ValueError(
            f"{atoms.get_chemical_formula()} has forces of {left:.2g} eV/Å left after {MOST_STEPS} "
            "steps of relaxation: raise fmax, begin nearer to a minimum, or train the potential "
            "longer"
        )
    return atoms
