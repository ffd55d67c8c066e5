"""Coherent interfaces: Li strained onto Cu, the same plane of both."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from experiments.culi_recipe.metals import Metal, Plane
from experiments.culi_recipe.recipe import Recipe

if TYPE_CHECKING:
    from pymatgen.analysis.interfaces.zsl import ZSLMatch
    from pymatgen.core.surface import Slab


@dataclasses.dataclass(frozen=True)
class CoherentInterface:
    """Two metals in one cell.

    Attributes:
        atoms: Cu below, Li above.
        area: Of the cell in its plane, Å².
        mismatch: Relative difference of the areas before Li is strained.
        von_mises_strain: Of the Li.
        li_supercell: In-plane supercell of the Li slab, "a,b;c,d" for a matrix by rows.
        cu_supercell: Of the Cu slab.
    """

    atoms: Atoms
    area: float
    mismatch: float
    von_mises_strain: float
    li_supercell: str
    cu_supercell: str


def interfaces(li: Metal, cu: Metal, plane: Plane, recipe: Recipe) -> list[CoherentInterface]:
    """Returns the smallest matches of a plane (Zur and McGill, J. Appl. Phys. 55, 378, 1984).

    None where no cells up to `recipe.max_area` match within the tolerances.
    """
    found = itertools.islice(_matches(li, cu, plane, recipe), recipe.interfaces_per_plane)
    return list(found)


def _matches(li: Metal, cu: Metal, plane: Plane, recipe: Recipe) -> Iterator[CoherentInterface]:
    """Yields matches by area, as pymatgen's `CoherentInterfaceBuilder` builds them.

    That class itself compares a strain of 1 - 1e-16 with its integer part, 0, and refuses planes
    that match.
    """
    from pymatgen.analysis.interfaces.zsl import ZSLGenerator

    film = _slab(li, plane, recipe.interface_li_thickness)
    substrate = _slab(cu, plane, recipe.interface_cu_thickness)
    matching = ZSLGenerator(
        max_area_ratio_tol=recipe.area_tolerance,
        max_area=recipe.max_area,
        max_length_tol=recipe.length_tolerance,
        max_angle_tol=recipe.angle_tolerance,
    )
    for match in matching(film.lattice.matrix[:2], substrate.lattice.matrix[:2]):
        if np.linalg.norm(match.substrate_sl_vectors, axis=1).min() >= recipe.min_length:
            yield _joined(film, substrate, match, recipe.gap)


def _slab(metal: Metal, plane: Plane, thickness: float) -> Slab:
    """Returns a slab cut where pymatgen cuts the plane, in the orientation of the crystal."""
    from pymatgen.core.surface import SlabGenerator

    options = {"center_slab": True, "primitive": True, "reorient_lattice": False}
    thin = SlabGenerator(metal.crystal(), plane, 1, 3, in_unit_planes=True, **options)
    thick = SlabGenerator(metal.crystal(), plane, thickness, 3, in_unit_planes=False, **options)
    return thick.get_slab(shift=thin.get_slabs()[0].shift)


def _joined(film: Slab, substrate: Slab, match: ZSLMatch, gap: float) -> CoherentInterface:
    from pymatgen.analysis.elasticity import Deformation
    from pymatgen.core.interface import Interface
    from pymatgen.io.ase import AseAtomsAdaptor

    interface = Interface.from_slabs(
        substrate_slab=_repeated(substrate, match.substrate_sl_vectors),
        film_slab=_repeated(film, match.film_sl_vectors),
        gap=gap,
        vacuum_over_film=gap,
    )
    atoms = AseAtomsAdaptor.get_atoms(interface, msonable=False)
    strain = Deformation(match.match_transformation).green_lagrange_strain
    return CoherentInterface(
        atoms=Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True),
        area=float(match.match_area),
        mismatch=_mismatch(match),
        von_mises_strain=float(strain.von_mises_strain),
        li_supercell=_rows(_transform(film, match.film_sl_vectors)),
        cu_supercell=_rows(_transform(substrate, match.substrate_sl_vectors)),
    )


def _repeated(slab: Slab, vectors: Float[np.ndarray, "2 3"]) -> Slab:
    """Returns the supercell whose plane those vectors span."""
    from pymatgen.analysis.interfaces.coherent_interfaces import from_2d_to_3d

    repeated = slab.copy()
    repeated.make_supercell(from_2d_to_3d(_transform(slab, vectors)).astype(int))
    return repeated


def _transform(slab: Slab, vectors: Float[np.ndarray, "2 3"]) -> Int[np.ndarray, "2 2"]:
    from pymatgen.analysis.interfaces.coherent_interfaces import get_2d_transform

    return np.round(get_2d_transform(slab.lattice.matrix[:2], vectors)).astype(int)


def _rows(matrix: Int[np.ndarray, "2 2"]) -> str:
    return ";".join(",".join(str(entry) for entry in row) for row in matrix)


def _mismatch(match: ZSLMatch) -> float:
    from pymatgen.analysis.interfaces.zsl import vec_area

    film = vec_area(*match.film_sl_vectors)
    substrate = vec_area(*match.substrate_sl_vectors)
    return float(abs(film - substrate) / substrate)
