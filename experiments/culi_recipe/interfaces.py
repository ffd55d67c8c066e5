"""Coherent interfaces: Li strained onto Cu, the same plane of both."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ase import Atoms

from experiments.culi_recipe.metals import Metal, Plane
from experiments.culi_recipe.recipe import Recipe

if TYPE_CHECKING:
    from pymatgen.analysis.interfaces.zsl import ZSLMatch


@dataclasses.dataclass(frozen=True)
class CoherentInterface:
    """Two metals in one cell.

    Attributes:
        atoms: Cu below, Li above.
        area: Of the cell in its plane, Å².
        mismatch: Relative difference of the areas before Li is strained.
        von_mises_strain: Of the Li.
    """

    atoms: Atoms
    area: float
    mismatch: float
    von_mises_strain: float


def interfaces(li: Metal, cu: Metal, plane: Plane, recipe: Recipe) -> list[CoherentInterface]:
    """Returns the smallest matches of a plane (Zur and McGill, J. Appl. Phys. 55, 378, 1984).

    None where no cells up to `recipe.max_area` match within the tolerances.
    """
    found = itertools.islice(_matches(li, cu, plane, recipe), recipe.interfaces_per_plane)
    return list(found)


def _matches(li: Metal, cu: Metal, plane: Plane, recipe: Recipe) -> Iterator[CoherentInterface]:
    from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder
    from pymatgen.analysis.interfaces.zsl import ZSLGenerator
    from pymatgen.io.ase import AseAtomsAdaptor

    matching = ZSLGenerator(
        max_area_ratio_tol=recipe.area_tolerance,
        max_area=recipe.max_area,
        max_length_tol=recipe.length_tolerance,
        max_angle_tol=recipe.angle_tolerance,
    )
    builder = CoherentInterfaceBuilder(cu.crystal(), li.crystal(), plane, plane, matching)
    if not builder.zsl_matches:
        return
    built = builder.get_interfaces(
        builder.terminations[0],
        gap=recipe.gap,
        vacuum_over_film=recipe.gap,
        film_thickness=recipe.interface_li_thickness,
        substrate_thickness=recipe.interface_cu_thickness,
        in_layers=False,
    )
    for match, interface in zip(builder.zsl_matches, built, strict=True):
        atoms = AseAtomsAdaptor.get_atoms(interface, msonable=False)
        yield CoherentInterface(
            atoms=Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True),
            area=float(match.match_area),
            mismatch=_mismatch(match),
            von_mises_strain=float(interface.interface_properties["von_mises_strain"]),
        )


def _mismatch(match: ZSLMatch) -> float:
    from pymatgen.analysis.interfaces.zsl import vec_area

    film = vec_area(*match.film_sl_vectors)
    substrate = vec_area(*match.substrate_sl_vectors)
    return float(abs(film - substrate) / substrate)
