"""Slabs of one metal, their surface vacancies, and atoms upon them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.geometry import get_layers

from experiments.culi_recipe.metals import Metal, Plane
from experiments.culi_recipe.recipe import Recipe

if TYPE_CHECKING:
    from pymatgen.core.surface import Slab

_LAYER = 0.3
"""Å: atoms closer in height belong to one layer."""


def slab(metal: Metal, plane: Plane, recipe: Recipe) -> Slab:
    """Returns the slab of a plane, in the middle of its vacuum, its normal along z."""
    from pymatgen.core.surface import SlabGenerator

    thickness = recipe.li_thickness if metal.symbol == "Li" else recipe.cu_thickness
    generator = SlabGenerator(
        metal.crystal(), plane, thickness, 2 * recipe.vacuum, center_slab=True, primitive=True
    )
    first, *_ = generator.get_slabs()  # a crystal of one element has one termination
    return first.get_orthogonal_c_slab()


def atoms_of(structure: Slab, repeat: int = 1) -> Atoms:
    """Returns a slab for ASE, repeated in its plane."""
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False).repeat((repeat, repeat, 1))
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def hold_middle(atoms: Atoms, layers: int) -> Atoms:
    """Fixes all but so many outer layers on either side, as the recipe does."""
    numbers, _ = get_layers(atoms, (0, 0, 1), tolerance=_LAYER)
    middle = (numbers >= layers) & (numbers <= numbers.max() - layers)
    atoms.set_constraint(FixAtoms(mask=middle))
    return atoms


def vacancies(structure: Slab, repeat: int) -> list[Atoms]:
    """Returns the slab without one atom of its upper surface, once for each that symmetry tells."""
    found = []
    for atom in _surface_atoms(structure):
        atoms = atoms_of(structure, repeat)
        del atoms[atom]  # the first cell comes first
        found.append(atoms)
    return found


def _surface_atoms(structure: Slab) -> list[int]:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    layers, _ = get_layers(atoms_of(structure), (0, 0, 1), tolerance=_LAYER)
    top = np.flatnonzero(layers == layers.max())
    classes = SpacegroupAnalyzer(structure).get_symmetry_dataset().equivalent_atoms
    _, first = np.unique(classes[top], return_index=True)
    return top[np.sort(first)].tolist()


def adatoms(
    structure: Slab, symbols: Sequence[str], height: float, repeat: int = 2
) -> list[tuple[str, str, Atoms]]:
    """Returns (element, site, slab with an atom upon it) for every site and element.

    Sites are "ontop", "bridge" and "hollow", those that symmetry tells apart (Montoya and Persson,
    npj Comput. Mater. 3, 14, 2017, as in pymatgen).
    """
    from pymatgen.analysis.adsorption import AdsorbateSiteFinder

    sites = AdsorbateSiteFinder(structure).find_adsorption_sites(distance=height)
    found = []
    for symbol in symbols:
        for site in ("ontop", "bridge", "hollow"):
            for place in sites[site]:
                atoms = atoms_of(structure, repeat)
                atoms += Atoms(symbol, [place])
                found.append((symbol, site, atoms))
    return found
