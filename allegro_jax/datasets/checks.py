"""Does a data set look right? Units, labels and geometries, and what to do where they do not.

Each check needs clear evidence and is silent otherwise. The sets shipped here pass all of them,
but `cu` and `li` hold copies: strained crystals that are mirror images.
"""

import warnings

import numpy as np

from allegro_jax.datasets.dataset import Structure
from allegro_jax.datasets.fingerprints import Structures, nearest_images
from allegro_jax.datasets.force_work import force_work
from allegro_jax.datasets.leaks import TOLERANCE, duplicates
from allegro_jax.datasets.warned import DataWarning

_MOST_COMPARED = 5_000
_SAMPLE = 300  # structures that are looked at
_BALANCE = 4.0  # Å; neighbours that balance or do not
_ATOMS = 100  # atoms of a structure whose distances are looked at
# Factors between energies and forces that noise may explain where the correlation is good, or fair.
_TOLERATED, _TOLERATED_IF_FAIR, _GOOD = 1.6, 5.0, 0.9
_NOBLE = (2, 10, 18, 36, 54, 86)

# Energy differences over the work of forces, where one of the two has another unit.
_UNITS = {
    23.06: "energies in kcal/mol beside forces in eV/Å: divide the energies by 23.0605",
    1 / 23.06: "forces in kcal/mol/Å beside energies in eV: divide the forces by 23.0605",
    96.49: "energies in kJ/mol beside forces in eV/Å: divide the energies by 96.485",
    1 / 96.49: "forces in kJ/mol/Å beside energies in eV: divide the forces by 96.485",
    1 / 27.21: "energies in Hartree beside forces in eV/Å: multiply the energies by 27.2114",
    1 / 13.61: "energies in Rydberg beside forces in eV/Å: multiply the energies by 13.6057",
    25.71: "forces in Rydberg/Bohr beside energies in eV: multiply the forces by 25.7110",
    27.21: "forces in Hartree/Å beside energies in eV: multiply the forces by 27.2114",
    51.42: "forces in Hartree/Bohr beside energies in eV: multiply the forces by 51.4221",
    1.89: "energies and forces in atomic units or forces per Bohr: positions are in Å, so convert "
    "energies to eV (27.2114) and forces to eV/Å (51.4221 from Hartree/Bohr)",
    1000.0: "energies in meV beside forces in eV/Å: divide the energies by 1000",
    0.1: "forces in eV/nm: divide the forces by 10",
}


def check(structures: Structures) -> list[str]:
    """Returns what looks wrong in a data set, a sentence each that ends with what to do.

    Looked for are energies and forces in different units, or forces with the sign of gradients (by
    the work of forces between similar frames); lengths that are not in Å (by the distances of
    nearest neighbours against covalent radii); forces that do not sum to zero; labels filled with
    zeros; structures that occur twice. Of a large set a sample is looked at, and copies are looked
    for in sets of at most 5,000 (`duplicates` looks at all).

    Args:
        structures: A data set or a store.

    Example:
        >>> from allegro_jax import datasets
        >>> data = datasets.load("rmd17-benzene")
        >>> datasets.check(data)
        []
    """
    chosen = np.unique(np.linspace(0, len(structures) - 1, _SAMPLE).astype(int))
    items = [structures[int(k)] for k in chosen]
    lengths = _length_unit(items)
    # Where lengths are wrong the work of forces is wrong too, and says nothing more.
    units = "" if lengths else _energy_unit(structures, items)
    found = [lengths, units, _net_force(items), "" if lengths else _zeros(items)]
    found.append(_copies(structures))
    return [sentence for sentence in found if sentence]


def _copies(structures: Structures) -> str:
    if len(structures) > _MOST_COMPARED:
        return ""
    groups = duplicates(structures)
    if not groups:
        return ""
    extra = sum(len(group) - 1 for group in groups)
    return (
        f"{extra} structures occur before, up to {TOLERANCE} Å, for instance {groups[0].tolist()}: "
        "leave them out (datasets.duplicates lists them), lest test structures are trained on"
    )


def warn_about(structures: Structures, name: str, stacklevel: int = 2) -> None:
    """Warns (`DataWarning`) of everything that `check` finds."""
    for sentence in check(structures):
        warnings.warn(f"{name}: {sentence}", DataWarning, stacklevel=stacklevel + 1)


def _energy_unit(structures: Structures, items: list[Structure]) -> str:
    work = force_work(structures)
    if work is None:
        return ""
    tolerated = _TOLERATED if abs(work.correlation) > _GOOD else _TOLERATED_IF_FAIR
    if 1 / tolerated < abs(work.ratio) < tolerated and (work.ratio > 0 or tolerated > _TOLERATED):
        return ""
    found = f"energies differ by {abs(work.ratio):.3g} times the work of the forces"
    if work.ratio < 0:
        found += ", with the opposite sign (are the forces gradients? then change their sign)"
    causes = _causes(abs(work.ratio), float(np.mean([len(item.numbers) for item in items])))
    if not causes and 1 / _TOLERATED < abs(work.ratio) < _TOLERATED:
        return f"{found}; seen in {work.pairs} pairs of similar frames"
    advice = " Or: ".join(causes) or "bring both to eV and eV/Å"
    return f"{found}, seen in {work.pairs} pairs of similar frames. Likely: {advice}"


def _causes(ratio: float, atoms: float) -> list[str]:
    """Explanations of a ratio within 20 %, the nearest first."""
    known = {**_UNITS, 1 / atoms: "energies per atom: multiply them by the number of atoms"}
    away = {abs(np.log(ratio / value)): text for value, text in known.items()}
    return [away[distance] for distance in sorted(away) if distance < np.log(1.2)][:2]


def _length_unit(items: list[Structure]) -> str:
    """Compares the distance of each atom's nearest neighbour with the sum of covalent radii."""
    ratios = [
        ratio
        for item in items[:: len(items) // 60 + 1]
        if (ratio := _nearest_ratio(item)) is not None
    ]
    if len(ratios) < 3:
        return ""
    ratio = float(np.median(ratios))
    if 0.6 < ratio < 1.6:
        return ""
    guess = "check the unit of positions and cell"
    if 0.06 < ratio < 0.16:
        guess = "positions in nm? Multiply them by 10"
    elif 1.6 <= ratio < 2.2:
        guess = "positions in Bohr? Multiply them by 0.529177, and convert forces and cell as well"
    return (
        f"atoms are {ratio:.2g} times as far from their nearest neighbours as covalent radii say; "
        f"lengths are read as Å: {guess}"
    )


def _nearest_ratio(item: Structure) -> float | None:
    from ase.data import covalent_radii

    if len(item.numbers) < 2 or np.isin(item.numbers, _NOBLE).any():
        return None
    positions = item.positions
    vectors = positions[None, :, :] - positions[:_ATOMS, None, :]
    if item.pbc.any():
        vectors = nearest_images(vectors, item.cell, item.pbc)
    squared = np.einsum("ijc,ijc->ij", vectors, vectors)
    np.fill_diagonal(squared, np.inf)
    nearest = np.argmin(squared, axis=1)
    radii = covalent_radii[item.numbers]
    distances = np.sqrt(squared.min(axis=1))
    return float(np.median(distances / (radii[:_ATOMS] + radii[nearest])))


def _net_force(items: list[Structure]) -> str:
    shares = []
    for item in items:
        if item.forces is None or len(item.numbers) < 2 or not np.isfinite(item.forces).all():
            continue
        size = np.sqrt(np.sum(item.forces**2))
        if size > 0.1:  # eV/Å; of relaxed structures little but noise is left
            shares.append(float(np.linalg.norm(item.forces.sum(axis=0)) / size))
    if len(shares) < 3 or np.median(shares) < 0.3:
        return ""
    return (
        f"forces do not sum to zero: in half of the structures the sum is {np.median(shares):.2g} "
        "of the size of all forces or more. A potential cannot learn that. Were some atoms held "
        "fixed and their forces set to zero, or is there a field? Give the true forces of all atoms"
    )


def _zeros(items: list[Structure]) -> str:
    found = []
    energy = [item.energy for item in items if item.energy is not None]
    if (count := sum(value == 0.0 for value in energy)) > 1:
        found.append(f"{count} of {len(items)} energies")
    filled = [item for item in items if _has_no_forces(item) and not _is_symmetric(item)]
    if len(filled) > 1:
        found.append(f"all forces of {len(filled)} of {len(items)} structures")
    if not found:
        return ""
    return (
        f"{' and '.join(found)} looked at are exactly zero, as if labels that are missing had been "
        "filled in: leave such labels or structures out"
    )


def _has_no_forces(item: Structure) -> bool:
    return item.forces is not None and len(item.forces) > 1 and not item.forces.any()


def _is_symmetric(item: Structure) -> bool:
    """Tells whether the neighbours of every atom balance, as in a crystal: no force is right."""
    import vesin

    search = vesin.NeighborList(cutoff=_BALANCE, full_list=True)
    i, vectors = search.compute(item.positions, item.cell, item.pbc, quantities="iD")
    weights = np.exp(-np.einsum("ec,ec->e", vectors, vectors))
    pull = np.zeros((len(item.numbers), 3))
    np.add.at(pull, i.astype(np.int64), weights[:, None] * vectors)
    size = np.zeros(len(item.numbers))
    np.add.at(size, i.astype(np.int64), weights)
    return bool(np.all(np.linalg.norm(pull, axis=1) <= 1e-3 * np.maximum(size, 1e-12)))
