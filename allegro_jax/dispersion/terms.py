"""The D3 correction of one structure, by s-dftd3.

The library (https://dftd3.readthedocs.io, LGPL-3.0) is the reference implementation of its authors;
it runs on the host.
"""

import difflib
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from allegro_jax.configs.dispersion import D3
from allegro_jax.datasets.dataset import Structure
from allegro_jax.units import BOHR, HARTREE

HEAVIEST = 103
"""Atomic number up to which D3 has coefficients; s-dftd3 1.7 reads beyond its tables above it."""

_PAIRS, _TRIPLES = 60.0, 40.0  # Bohr, of s-dftd3; coordination numbers end where triples do
_SMOOTH = 0.1  # share of a cutoff over which the energy vanishes
_KINDS = {
    "bj": "RationalDampingParam",
    "zero": "ZeroDampingParam",
    "bjm": "ModifiedRationalDampingParam",
    "zerom": "ModifiedZeroDampingParam",
    "op": "OptimizedPowerDampingParam",
}


class DispersionTerms(NamedTuple):
    """The correction of one structure.

    Attributes:
        energy: eV.
        forces: eV/Å.
        atomic_energies: eV, half of each pair and a third of each triple; they add up to `energy`.
        stress: eV/Å³, positive under tension; None without a periodic cell.
    """

    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    atomic_energies: Float[np.ndarray, "atoms"]
    stress: Float[np.ndarray, "3 3"] | None


def check_available(dispersion: D3) -> None:
    """Checks that the library is installed and knows the functional.

    Raises:
        ModuleNotFoundError: the library is not installed; the message names the extra.
        ValueError: there are no parameters for this functional and damping.
    """
    _parameters(dispersion)


def added_dispersion(present: D3 | None, dispersion: D3 | str) -> D3:
    """Returns a correction that may be added to a potential.

    Args:
        present: what the potential has.
        dispersion: as `D3.of` takes it.

    Raises:
        ModuleNotFoundError: see `check_available`.
        ValueError: likewise, or the potential has a correction.
    """
    if present is not None:
        raise ValueError(
            f"the potential adds {present.name} already, so {dispersion!r} would count dispersion "
            "twice; leave it out, or take potential.without_dispersion()"
        )
    chosen = D3.of(dispersion)
    check_available(chosen)
    return chosen


def dispersion_terms(structure: Structure, dispersion: D3) -> DispersionTerms:
    """Returns the dispersion correction of a structure.

    Args:
        structure: of any periodicity.
        dispersion: which correction.

    Raises:
        ModuleNotFoundError: see `check_available`.
        ValueError: likewise, or an element that D3 does not have, or atoms at the same place.

    Example:
        >>> from ase.build import molecule
        >>> from allegro_jax.configs import D3
        >>> from allegro_jax.datasets import Structure
        >>> from allegro_jax.dispersion import dispersion_terms
        >>> water = Structure.from_atoms(molecule("H2O"))
        >>> round(dispersion_terms(water, D3("pbe")).energy, 4)  # eV
        -0.0098
    """
    parameters = _parameters(dispersion)
    model = _model(structure, dispersion)
    try:
        found = model.get_dispersion(parameters, grad=True)
        pairs = model.get_pairwise_dispersion(parameters)
    except RuntimeError as error:
        raise ValueError(f"s-dftd3 cannot evaluate the structure: {error}") from error
    atomic = sum(matrix.sum(axis=1) for matrix in pairs.values())
    volume = abs(np.linalg.det(structure.cell))
    periodic = bool(np.any(structure.pbc)) and volume > 0.0
    return DispersionTerms(
        energy=float(found["energy"]) * HARTREE,
        forces=-found["gradient"] * (HARTREE / BOHR),
        atomic_energies=atomic * HARTREE,
        stress=found["virial"] * HARTREE / volume if periodic else None,
    )


def _model(structure: Structure, dispersion: D3) -> Any:
    heaviest = int(np.max(structure.numbers))
    if heaviest > HEAVIEST:
        from ase.data import chemical_symbols

        raise ValueError(
            f"D3 has no coefficients for {chemical_symbols[heaviest]}; it ends with element "
            f"{HEAVIEST}. Leave such structures out, or do without the correction"
        )
    reach = _PAIRS * BOHR if dispersion.cutoff is None else dispersion.cutoff
    arrays = [np.asarray(structure.numbers), np.asarray(structure.positions) / BOHR]
    if np.any(structure.pbc):
        arrays += [_repeated_cell(structure, reach) / BOHR, np.ones(3, bool)]
    try:
        model = _library().DispersionModel(*arrays)
    except RuntimeError as error:
        raise ValueError(f"s-dftd3 cannot evaluate the structure: {error}") from error
    if dispersion.cutoff is not None:
        pairs = dispersion.cutoff / BOHR
        triples = min(pairs, _TRIPLES)
        model.set_realspace_cutoff(
            disp2=pairs,
            disp3=triples,
            cn=triples,
            width2=_SMOOTH * pairs,
            width3=_SMOOTH * triples,
        )
    return model


def _repeated_cell(structure: Structure, reach: float) -> Float[np.ndarray, "3 3"]:
    """Cell (Å) of a crystal whose images do not see each other where the structure has none.

    For slabs and wires, of which s-dftd3 1.7 gives energies that depend on the order of the
    vectors and on whether atoms stick out of the cell. Vectors that do not repeat are replaced by
    ones across the others, longer than atoms and reach together.
    """
    pbc, cell = np.asarray(structure.pbc, bool), np.array(structure.cell, float)
    if pbc.all():
        return cell
    normals = np.linalg.svd(cell[pbc])[2][pbc.sum() :]
    heights = np.ptp(np.asarray(structure.positions) @ normals.T, axis=0)
    cell[~pbc] = (heights + reach + 1.0)[:, None] * normals
    return cell


def _parameters(dispersion: D3) -> Any:
    """Damping parameters of the library; not kept, since it cannot free them at its exit."""
    kind = getattr(_library(), _KINDS[dispersion.damping])
    try:
        return kind(method=dispersion.functional, atm=dispersion.three_body)
    except RuntimeError as error:
        raise ValueError(
            f"s-dftd3 has no parameters for {dispersion.name}: {error}{_meant(dispersion)}. Take "
            "the functional of the labels, in the spelling of "
            "https://dftd3.readthedocs.io, or another damping"
        ) from error


def _meant(dispersion: D3) -> str:
    from dftd3.parameters import get_all_damping_params

    close = difflib.get_close_matches(dispersion.functional, get_all_damping_params(), n=1)
    different = close and close[0] != dispersion.functional
    return f"; did you mean {close[0]!r}?" if different else ""


def _library() -> ModuleType:
    try:
        from dftd3 import interface
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "dispersion corrections need s-dftd3: pip install 'allegro-jax[dispersion]'"
        ) from error
    return interface
