"""Every structure that the recipe builds, in its order, before anything is calculated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from ase import Atoms

from experiments.culi_recipe import interfaces, slabs
from experiments.culi_recipe.metals import Metal, Plane
from experiments.culi_recipe.recipe import Recipe

Course = Literal["relaxed", "quenched"]


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """A structure to begin from.

    Attributes:
        name: Names its files.
        kind: "slab", "vacancy", "vacancy_2x2", "adatom" or "interface".
        group: What must stay in one part of a split: a slab with its defects, a trajectory.
        course: How it is moved.
        atoms: Itself.
        about: How it was made, for every frame.
    """

    name: str
    kind: str
    group: str
    course: Course
    atoms: Atoms
    about: dict[str, Any]


def starts(li: Metal, cu: Metal, recipe: Recipe) -> Iterator[Start]:
    """Yields slabs, vacancies, adatoms and interfaces of every plane."""
    for metal in (li, cu):
        for plane in metal.planes(recipe):
            yield from _of_slab(metal, plane, recipe)
    for plane in li.planes(recipe):
        yield from _of_interface(li, cu, plane, recipe)


def _of_slab(metal: Metal, plane: Plane, recipe: Recipe) -> Iterator[Start]:
    group = f"{metal.symbol}-{digits(plane)}"
    structure = slabs.slab(metal, plane, recipe)
    about = {
        "metal": metal.symbol,
        "plane": digits(plane),
        "termination_shift": round(float(structure.shift), 5),
    }
    name = f"slab-{group}"
    yield Start(name, "slab", group, "relaxed", slabs.atoms_of(structure), dict(about))
    about["parent"] = name
    for kind, repeat in (("vacancy", 1), ("vacancy_2x2", 2)):
        for number, atoms in enumerate(slabs.vacancies(structure, repeat)):
            yield Start(f"{kind}-{group}-{number}", kind, group, "relaxed", atoms, about)
    for number, (symbol, site, atoms) in enumerate(
        slabs.adatoms(structure, ("Li", "Cu"), recipe.adatom_height)
    ):
        more = {**about, "adatom": symbol, "site": site}
        yield Start(f"adatom-{group}-{number}", "adatom", group, "relaxed", atoms, more)


def _of_interface(li: Metal, cu: Metal, plane: Plane, recipe: Recipe) -> Iterator[Start]:
    for number, found in enumerate(interfaces.interfaces(li, cu, plane, recipe)):
        name = f"interface-{digits(plane)}-{number}"
        about = {
            "plane": digits(plane),
            "li_supercell": found.li_supercell,
            "cu_supercell": found.cu_supercell,
            "area": round(found.area, 4),
            "area_mismatch": round(found.mismatch, 5),
            "von_mises_strain": round(found.von_mises_strain, 5),
        }
        yield Start(name, "interface", name, "quenched", found.atoms, about)


def digits(plane: Plane) -> str:
    """Returns a plane as in names, "310"."""
    return "".join(str(index) for index in plane)
