"""Energies are invariant, forces and stresses equivariant, for every model."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from .conftest import evaluate, make_potential

ROTATION = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
OPERATIONS = {"rotation": ROTATION, "inversion": -np.eye(3), "rotoinversion": -ROTATION}


def transformed(atoms, matrix):
    """Applies a matrix to positions and cell, all stored as rows."""
    moved = atoms.copy()
    moved.set_cell(atoms.cell @ matrix.T)
    moved.set_positions(atoms.positions @ matrix.T)
    return moved


def assert_equivariant(potential, atoms):
    results = evaluate(potential, [atoms, *(transformed(atoms, m) for m in OPERATIONS.values())])
    before = results[0]
    assert np.abs(before.forces).max() > 1e-3, "a claim about zeros would say nothing"
    for matrix, after in zip(OPERATIONS.values(), results[1:], strict=True):
        assert after.energy == pytest.approx(before.energy, rel=1e-12)
        np.testing.assert_allclose(after.forces, before.forces @ matrix.T, atol=1e-11)
        np.testing.assert_allclose(after.stress, matrix @ before.stress @ matrix.T, atol=1e-12)


def test_energy_forces_and_stress_follow_the_orthogonal_group(each_potential, crystal):
    assert_equivariant(each_potential, crystal)


@pytest.mark.parametrize("parity", [True, False])
def test_three_layers_of_degree_two_are_equivariant_with_and_without_parity(crystal, parity):
    assert_equivariant(make_potential(l_max=2, num_layers=3, parity=parity), crystal)


def test_translation_changes_nothing(each_potential, crystal):
    moved = crystal.copy()
    moved.translate([0.4, 5.1, -2.2])
    before, after = evaluate(each_potential, [crystal, moved])
    assert after.energy == pytest.approx(before.energy, rel=1e-12)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-11)


def test_forces_and_their_torques_add_up_to_zero(each_potential, crystal, ethanol):
    periodic, molecule = (each.forces for each in evaluate(each_potential, [crystal, ethanol]))
    np.testing.assert_allclose(periodic.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(molecule.sum(axis=0), 0.0, atol=1e-12)
    torques = np.cross(ethanol.positions, molecule)
    np.testing.assert_allclose(torques.sum(axis=0), 0.0, atol=1e-12)
    assert np.abs(torques).max() > 1e-3, "a claim about zeros would say nothing"


def test_reordering_atoms_reorders_forces_and_atomic_energies(each_potential, ethanol):
    order = np.random.default_rng(0).permutation(len(ethanol))
    before, after = evaluate(each_potential, [ethanol, ethanol[order]])
    assert after.energy == pytest.approx(before.energy, rel=1e-13)
    np.testing.assert_allclose(after.forces, before.forces[order], atol=1e-12)
    np.testing.assert_allclose(after.atomic_energies, before.atomic_energies[order], rtol=1e-12)


def test_wrapping_atoms_into_the_cell_changes_nothing(potential, crystal):
    outside = crystal.copy()
    outside.positions[2] += outside.cell[0] - 2 * outside.cell[2]
    before, after = evaluate(potential, [crystal, outside])
    assert after.energy == pytest.approx(before.energy, rel=1e-12)
    np.testing.assert_allclose(after.stress, before.stress, atol=1e-12)
