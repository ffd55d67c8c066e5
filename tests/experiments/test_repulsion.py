"""Holes in the energy of atoms that are pushed together are found where there are some."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from experiments.repulsion.comparison import Outcome, scan
from experiments.repulsion.report import picture, table
from experiments.repulsion.scan import approach, approach_energies, closest_pairs, deepest_hole


def morse(atoms):
    """Energy of the first two atoms, which repel at short distance."""
    x = np.exp(-2.0 * (atoms.get_distance(0, 1, mic=True) - 1.0))
    return 5.0 * (x**2 - 2 * x)


def with_a_hole(atoms):
    """The same with a well of 30 eV at 0.6 Å, as networks have beyond their data."""
    distance = atoms.get_distance(0, 1, mic=True)
    return morse(atoms) - 30.0 * np.exp(-(((distance - 0.6) / 0.1) ** 2))


def potential(energy):
    return lambda structures: [SimpleNamespace(energy=energy(atoms)) for atoms in structures]


def test_the_fall_to_the_bond_is_all_that_a_sound_potential_has():
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 1.2]])
    hole = deepest_hole(*approach_energies(potential(morse), atoms, (0, 1), 0.3))
    assert hole.depth == pytest.approx(morse(atoms) + 5.0, rel=1e-2)
    assert hole.distance == pytest.approx(1.0, abs=0.01)
    assert hole.barrier == 0.0


def test_a_hole_is_found_with_its_place_and_its_barrier():
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 1.0]])
    hole = deepest_hole(*approach_energies(potential(with_a_hole), atoms, (0, 1), 0.3))
    assert hole.depth == pytest.approx(23.4, abs=0.5)
    assert hole.distance == pytest.approx(0.61, abs=0.02)
    assert 0.0 < hole.barrier < 5.0


def test_an_energy_that_only_rises_has_no_hole():
    assert deepest_hole([3.0, 2.0, 1.0], [0.0, 1.0, 5.0]).depth == 0.0


def test_the_nearest_atoms_of_every_pair_of_elements_are_pushed():
    water = molecule("H2O") + Atoms("O", [[0.0, 0.0, 3.0]])
    pairs = closest_pairs(water)
    assert set(pairs) == {"H-H", "H-O", "O-O"}
    moved = approach(water, pairs["O-O"], np.array([1.5]))[0]
    assert moved.get_distance(*pairs["O-O"]) == pytest.approx(1.5)
    assert np.any(moved.positions != water.positions, axis=1).sum() == 1


def test_atoms_are_pushed_across_the_border_of_a_cell():
    atoms = Atoms("Cu2", [[0.2, 0, 0], [9.8, 0, 0]], cell=[10, 10, 10], pbc=True)
    assert closest_pairs(atoms) == {"Cu-Cu": (0, 1)}
    moved = approach(atoms, (0, 1), np.array([0.1]))[0]
    assert moved.get_distance(0, 1, mic=True) == pytest.approx(0.1)


def test_the_table_and_the_picture_tell_the_pair_with_the_deepest_hole():
    atoms = [Atoms("H2", [[0, 0, 0], [0, 0, 1.0]])]
    outcomes = [
        Outcome(name, 0, 0.05, 0.01, *scan(potential(energy), atoms, 0.3))
        for name, energy in (("none", with_a_hole), ("zbl", morse))
    ]
    _, hollow, sound, _, _, _, first, second = table(outcomes).splitlines()
    assert float(first.split()[-1]) == pytest.approx(float(second.split()[-1]), abs=0.1)
    assert float(second.split()[-1]) == pytest.approx(5.0 * (np.exp(1.4) - 1) ** 2, abs=0.1)
    assert "1 of 1" in hollow
    assert hollow.endswith("H-H")
    assert "0 of 1" in sound
    assert picture(outcomes).startswith(b"\x89PNG")


def test_a_distance_beyond_the_atoms_is_refused():
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 1.0]])
    with pytest.raises(ValueError, match=r"between 0\.05 Å and 1\.00 Å"):
        approach_energies(potential(morse), atoms, (0, 1), 1.5)
