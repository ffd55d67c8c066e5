"""Forces and stress against finite differences of the energy, in float64."""

import numpy as np
import pytest

from allegro_jax.configs import ZBL, SplineBasis

from .conftest import evaluate, make_potential

STEP = 1e-4

VARIANTS = {
    "zbl": {"pair_potential": ZBL()},
    "splines": {"splines": SplineBasis(8, 5)},
    "non-integer p": {"polynomial_cutoff_p": 6.7},
    "cutoffs per pair of types": {
        "per_edge_type_cutoff": tuple(
            tuple(2.5 + 0.04 * (5 * i + j) for j in range(5)) for i in range(5)
        )
    },
}


COMPONENTS = [(0, 0), (2, 1), (5, 2)]


def assert_forces_are_gradients(potential, atoms):
    """Compares with fourth-order central differences of three components."""
    structures = [atoms]
    for atom, axis in COMPONENTS:
        for multiple in (-2, -1, 1, 2):
            moved = atoms.copy()
            moved.positions[atom, axis] += multiple * STEP
            structures.append(moved)
    center, *displaced = evaluate(potential, structures)
    energies = np.array([result.energy for result in displaced]).reshape(len(COMPONENTS), 4)
    expected = -energies @ [1, -8, 8, -1] / (12 * STEP)
    forces = [center.forces[component] for component in COMPONENTS]
    np.testing.assert_allclose(forces, expected, rtol=1e-6, atol=1e-8)
    assert np.abs(expected).min() > 1e-4, "a claim about zeros would say nothing"


@pytest.mark.parametrize("variant", VARIANTS)
def test_forces_are_minus_the_energy_gradient_for_every_option(variant, crystal):
    assert_forces_are_gradients(make_potential(**VARIANTS[variant]), crystal)


def test_forces_are_minus_the_energy_gradient_for_every_model(each_potential, ethanol):
    assert_forces_are_gradients(each_potential, ethanol)


def assert_stress_is_strain_derivative(potential, crystal):
    """σ = 1/V ∂E/∂ε by central differences of six strains."""
    components = [(a, b) for a in range(3) for b in range(a, 3)]
    structures = [crystal]
    for a, b in components:
        for sign in (-1, 1):
            strain = np.eye(3)
            strain[a, b] += 0.5 * sign * STEP
            strain[b, a] += 0.5 * sign * STEP
            strained = crystal.copy()
            strained.set_cell(crystal.cell @ strain, scale_atoms=True)
            structures.append(strained)
    center, *displaced = evaluate(potential, structures)
    stress = center.stress
    energies = np.array([result.energy for result in displaced]).reshape(-1, 2)
    expected = (energies[:, 1] - energies[:, 0]) / (2 * STEP) / crystal.get_volume()
    ours = [stress[component] for component in components]
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(stress, stress.T)
    assert np.abs(expected).max() > 1e-4, "a claim about zeros would say nothing"


def test_stress_is_the_strain_derivative_for_every_model(each_potential, crystal):
    assert_stress_is_strain_derivative(each_potential, crystal)


def test_stress_is_the_strain_derivative_with_zbl(crystal):
    assert_stress_is_strain_derivative(make_potential(pair_potential=ZBL()), crystal)
