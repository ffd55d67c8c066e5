"""Elastic constants from stresses of strained cells.

C_ij = ∂σ_i/∂ε_j in Voigt's notation (xx, yy, zz, yz, xz, xy; shear strains are the angles, twice
the tensor component), by central differences at a cell without stress, with the atoms relaxed in
every strained cell.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from allegro_jax import units
from experiments.crystals.structures import relaxed

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_CUBIC = 0.02
"""Deviation from the cubic pattern, as a share of the largest constant, that is called cubic."""


@dataclasses.dataclass(frozen=True, eq=False)
class Elastic:
    """Elastic constants of a crystal in the axes of its cell, and their averages.

    Attributes:
        constants: C_ij, symmetrised, GPa.
        asymmetry: Largest difference of C_ij and C_ji, GPa: how exact the differences were.
    """

    constants: Float[np.ndarray, "6 6"]
    asymmetry: float

    @property
    def stable(self) -> bool:
        """Whether every small strain costs energy (Born's condition)."""
        return bool(np.linalg.eigvalsh(self.constants).min() > 0)

    @property
    def cubic(self) -> dict[str, float] | None:
        """C11, C12 and C44 (GPa) of a cubic crystal along the axes; None for other ones."""
        c = self.constants
        c11, c44 = np.diag(c)[:3].mean(), np.diag(c)[3:].mean()
        c12 = (c[0, 1] + c[0, 2] + c[1, 2]) / 3
        pattern = np.diag([c11 - c12] * 3 + [c44] * 3)
        pattern[:3, :3] += c12
        if np.abs(c - pattern).max() > _CUBIC * np.abs(c).max():
            return None
        return {"C11": float(c11), "C12": float(c12), "C44": float(c44)}

    @property
    def moduli(self) -> dict[str, float]:
        """Bulk and shear modulus (GPa), means of Voigt's upper and Reuss' lower bound (Hill).

        Raises:
            ValueError: If the crystal is not stable.
        """
        if not self.stable:
            raise ValueError("a crystal that some strain makes softer has no compliance")
        c, s = self.constants, np.linalg.inv(self.constants)
        voigt_bulk = c[:3, :3].sum() / 9
        reuss_bulk = 1 / s[:3, :3].sum()
        shear, off = np.trace(c[3:, 3:]), c[0, 1] + c[0, 2] + c[1, 2]
        voigt_shear = (np.trace(c[:3, :3]) - off + 3 * shear) / 15
        shear, off = np.trace(s[3:, 3:]), s[0, 1] + s[0, 2] + s[1, 2]
        reuss_shear = 15 / (4 * (np.trace(s[:3, :3]) - off) + 3 * shear)
        return {
            "bulk": float((voigt_bulk + reuss_bulk) / 2),
            "shear": float((voigt_shear + reuss_shear) / 2),
        }


def elastic_constants(
    atoms: Atoms, calculator: Calculator, *, strain: float, fmax: float
) -> Elastic:
    """Returns the elastic constants of a crystal.

    Args:
        atoms: A crystal at rest, atoms and cell.
        calculator: Forces and stresses.
        strain: Of the differences; 0.005 is small enough for metals.
        fmax: Of the relaxation of the atoms in every strained cell, eV/Å.

    Raises:
        ValueError: If the strain is not a small positive number.
    """
    if not 0 < strain < 0.1:
        raise ValueError(f"the strain must be small and positive, such as 0.005; got {strain}")
    columns = []
    for i, j in _VOIGT:
        plus, minus = (
            _stress(atoms, calculator, _strained(i, j, sign * strain), fmax) for sign in (1, -1)
        )
        columns.append((plus - minus) / (2 * strain) / units.GPA)
    constants = np.stack(columns, axis=1)
    asymmetry = float(np.abs(constants - constants.T).max())
    return Elastic((constants + constants.T) / 2, asymmetry)


def _strained(i: int, j: int, strain: float) -> Float[np.ndarray, "3 3"]:
    """1 + ε for one component of Voigt's notation."""
    tensor = np.zeros((3, 3))
    tensor[i, j] += strain / 2
    tensor[j, i] += strain / 2
    return np.eye(3) + tensor


def _stress(
    atoms: Atoms, calculator: Calculator, deformation: Float[np.ndarray, "3 3"], fmax: float
) -> Float[np.ndarray, "6"]:
    strained = atoms.copy()
    strained.set_cell(atoms.cell @ deformation, scale_atoms=True)
    return relaxed(strained, calculator, fmax, cell=False).get_stress()
