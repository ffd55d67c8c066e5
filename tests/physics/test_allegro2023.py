"""The physics of the architecture of 2023, for every readout, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from allegro_jax.configs import Allegro2023Config, Precision
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, batch_structures
from allegro_jax.models.build import build_model
from allegro_jax.potential import Potential, initial_params, predict

from .conftest import MODELS, evaluate

READOUTS = {name: options["readout"] for name, options in MODELS.items()}

CUTOFF = 3.5
STEP = 1e-4


@functools.cache
def make_potential(name="allegro", **options):
    """Random weights; energies of the order of eV."""
    defaults = {
        "type_names": ("H", "C", "O", "Na", "Cl"),
        "cutoff": CUTOFF,
        "num_tensor_features": 4,
        "two_body_widths": (8, 8),
        "latent_widths": (8, 8),
        "readout": READOUTS[name],
        "avg_num_neighbors": 8.0,
        "per_type_energy_shifts": (-1.0, -2.0, -3.0, -4.0, -5.0),
        "precision": Precision("float64", "float64", "float64"),
    }
    config = Allegro2023Config(**(defaults | options))
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(lambda: initial_params(config))
    # Compiling the initialisation of every variant would take longer than the tests.
    return Potential(
        config, jax.tree.map(lambda leaf: rng.uniform(-(3**0.5), 3**0.5, leaf.shape), shapes)
    )


@pytest.fixture(params=READOUTS)
def potential(request):
    """The model with each readout in turn."""
    return make_potential(request.param)


def test_forces_turn_with_the_molecule_and_with_its_mirror_image(ethanol):
    with_odd_irreps = make_potential(l_max=2, num_layers=3, num_tensor_features=2)
    assert "mix_0_1e" in with_odd_irreps.params
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    structures = [ethanol]
    for matrix in (turn, -turn):
        moved = ethanol.copy()
        moved.positions = ethanol.positions @ matrix.T + [1.0, -2.0, 3.0]
        structures.append(moved)
    before, *after = evaluate(with_odd_irreps, structures)
    assert np.abs(before.forces).max() > 1e-2
    for result, matrix in zip(after, (turn, -turn), strict=True):
        assert result.energy == pytest.approx(before.energy, rel=1e-12)
        np.testing.assert_allclose(result.forces, before.forces @ matrix.T, atol=1e-11)


def test_every_readout_keeps_the_symmetries_of_space_and_of_equal_atoms(potential, crystal):
    order = np.random.default_rng(0).permutation(len(crystal))
    turn = -Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    turned, moved = crystal.copy(), crystal.copy()
    turned.set_cell(crystal.cell @ turn.T)
    turned.positions = crystal.positions @ turn.T
    moved.translate([0.4, 5.1, -2.2])
    structures = [crystal, turned, moved, crystal[order], crystal * (2, 1, 1)]
    before, *others = evaluate(potential, structures)
    factors = (1, 1, 1, 2)
    for result, factor in zip(others, factors, strict=True):
        assert result.energy == pytest.approx(factor * before.energy, rel=1e-12)
    np.testing.assert_allclose(others[0].forces, before.forces @ turn.T, atol=1e-11)
    np.testing.assert_allclose(others[0].stress, turn @ before.stress @ turn.T, atol=1e-12)
    np.testing.assert_allclose(others[1].forces, before.forces, atol=1e-11)
    np.testing.assert_allclose(others[2].forces, before.forces[order], atol=1e-11)
    np.testing.assert_allclose(others[3].stress, before.stress, atol=1e-12)
    np.testing.assert_allclose(before.forces.sum(axis=0), 0.0, atol=1e-11)
    assert np.abs(before.forces).max() > 1e-3, "a claim about zeros would say nothing"


def test_forces_and_stress_are_derivatives_of_the_energy(potential, crystal):
    components = [(0, 0), (5, 2)]
    structures = [crystal]
    for atom, axis in components:
        for multiple in (-2, -1, 1, 2):
            moved = crystal.copy()
            moved.positions[atom, axis] += multiple * STEP
            structures.append(moved)
    for multiple in (-2, -1, 1, 2):
        strained = crystal.copy()
        strain = np.eye(3)
        strain[0, 1] = strain[1, 0] = 0.5 * multiple * STEP
        strained.set_cell(crystal.cell @ strain, scale_atoms=True)
        structures.append(strained)
    center, *displaced = evaluate(potential, structures)
    energies = np.array([result.energy for result in displaced]).reshape(-1, 4)
    slopes = energies @ [1, -8, 8, -1] / (12 * STEP)
    forces = [center.forces[component] for component in components]
    np.testing.assert_allclose(forces, -slopes[:2], rtol=1e-6, atol=1e-8)
    assert np.abs(slopes).min() > 1e-4, "a claim about zeros would say nothing"
    assert center.stress[0, 1] == pytest.approx(slopes[2] / crystal.get_volume(), rel=1e-6)


def approaching(gap):
    """A bent C-O-H group and a Cl at a distance of cutoff - gap from C, far from the others."""
    cluster = Atoms("COH", [[0.0, 0.0, 0.0], [1.2, 0.1, 0.0], [1.6, 0.9, 0.2]])
    return cluster + Atoms("Cl", [[-(CUTOFF - gap), 0.0, 0.0]])


def test_energy_and_forces_go_smoothly_to_zero_at_the_cutoff(potential):
    gaps = (0.02, 0.01, 1e-6)
    structures = [approaching(sign * gap) for gap in gaps for sign in (1, -1)]
    results = evaluate(potential, structures)
    pairs = list(zip(results[::2], results[1::2], strict=True))
    energy, half_energy, no_energy = (abs(a.energy - b.energy) for a, b in pairs)
    force, half_force, no_force = (np.abs(a.forces - b.forces).max() for a, b in pairs)
    assert energy > 1e-13, "the neighbour must matter inside the cutoff"
    assert half_energy < energy / 6  # gap³ or faster
    assert half_force < force / 3  # gap² or faster
    assert max(no_energy, no_force) < 1e-9


def test_an_atom_without_neighbours_has_its_shift_and_no_force(potential):
    alone, apart = evaluate(
        potential, [Atoms("O"), Atoms("OH", [[0, 0, 0], [0, 0, CUTOFF + 0.01]])]
    )
    assert alone.energy == -3.0
    assert apart.energy == -4.0
    np.testing.assert_array_equal(apart.forces, 0.0)


def test_gradients_of_a_force_loss_do_not_depend_on_the_padding(x64, ethanol):
    potential = make_potential()
    config = potential.config

    def gradient(capacity):
        structures = [Structure.from_atoms(ethanol)]
        numbers = config.atomic_numbers
        graph = batch_structures(structures, CUTOFF, numbers, capacity, dtype=np.float64)

        def loss(params):
            result = predict(build_model(config), params, graph)
            return jnp.sum(result.forces**2) + jnp.sum(result.energy**2)

        return jax.jit(jax.grad(loss))(potential.params)

    gradients = gradient(Capacity(10, 66, 2)), gradient(Capacity(40, 200, 5))
    for tight, loose in zip(*map(jax.tree.leaves, gradients), strict=True):
        assert np.isfinite(tight).all()
        np.testing.assert_allclose(tight, loose, rtol=1e-9, atol=1e-10)
