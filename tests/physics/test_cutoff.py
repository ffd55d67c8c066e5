"""What happens at the cutoff, for every model, and beyond it."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import allegro_jax as aj
from allegro_jax.configs import ZBL, SplineBasis
from allegro_jax.fitting import as_dataset

from .conftest import evaluate, make_potential

CUTOFF = 3.5

VARIANTS = {
    "zbl": {"pair_potential": ZBL()},
    "splines": {"splines": SplineBasis(8, 5)},
    "non-integer p": {"polynomial_cutoff_p": 5.3},
}


def approaching(gap):
    """A bent C-O-H group and a Cl at a distance of cutoff - gap from C, far from the others."""
    cluster = Atoms("COH", [[0.0, 0.0, 0.0], [1.2, 0.1, 0.0], [1.6, 0.9, 0.2]])
    return cluster + Atoms("Cl", [[-(CUTOFF - gap), 0.0, 0.0]])


def steps(potential, gap):
    """Change of energy and of forces between gap inside the cutoff and as much outside."""
    inside, outside = evaluate(potential, [approaching(gap), approaching(-gap)])
    forces = np.abs(inside.forces - outside.forces).max()
    return abs(inside.energy - outside.energy), forces


def curvature(potential, gap):
    """∂²E/∂x² of the Cl atom, from its forces a little closer and farther."""
    step = 0.2 * gap
    near, far = evaluate(potential, [approaching(gap + step), approaching(gap - step)])
    return abs(near.forces[3, 0] - far.forces[3, 0]) / (2 * abs(step))


def assert_continuous(potential):
    """Energy ~ gap³, force ~ gap², curvature ~ gap, or faster, as a neighbour enters: C²."""
    energy, force = steps(potential, 0.02)
    half_energy, half_force = steps(potential, 0.01)
    assert energy > 1e-13, "the neighbour must matter inside the cutoff"
    assert half_energy < energy / 6
    assert half_force < force / 3
    assert max(steps(potential, 1e-6)) < 1e-9
    assert 0 < curvature(potential, 0.01) < 0.6 * curvature(potential, 0.02)
    assert curvature(potential, -0.01) == 0.0


def test_energy_forces_and_curvature_are_continuous_at_the_cutoff(each_potential):
    assert_continuous(each_potential)


@pytest.mark.parametrize("variant", VARIANTS)
def test_energy_forces_and_curvature_are_continuous_for_every_option(variant):
    assert_continuous(make_potential(**VARIANTS[variant]))


def test_an_atom_without_neighbours_has_reference_plus_shift_and_no_force(each_potential):
    out_of_reach = Atoms("OH", [[0, 0, 0], [0, 0, CUTOFF + 0.01]])
    alone, apart = evaluate(each_potential, [Atoms("O"), out_of_reach])
    assert alone.energy == pytest.approx(-20.0 - 3.0, rel=1e-14)
    assert apart.energy == pytest.approx(-20.0 - 3.0 - 1.0, rel=1e-14)
    np.testing.assert_array_equal(alone.forces, 0.0)
    np.testing.assert_array_equal(apart.forces, 0.0)


def test_a_pair_beyond_its_own_cutoff_does_not_interact():
    table = tuple(tuple(2.0 if {i, j} == {0, 2} else CUTOFF for j in range(5)) for i in range(5))
    potential = make_potential(per_edge_type_cutoff=table)
    far, close = (Atoms("HO", [[0, 0, 0], [0, 0, distance]]) for distance in (2.1, 1.5))
    apart, closer = evaluate(potential, [far, close])
    np.testing.assert_array_equal(apart.forces, 0.0)
    assert np.abs(closer.forces).max() > 1e-6


def test_coincident_atoms_are_refused(each_potential):
    with pytest.raises(ValueError, match="atoms 0 and 1"):
        evaluate(each_potential, [Atoms("OH", np.zeros((2, 3)))])


def test_an_atomic_energy_depends_on_the_atoms_within_the_cutoff_alone(each_potential):
    # A chain C-O-H...Cl: each atom reaches the next but one at most. Models that pass messages
    # would feel the far end through the middle.
    chain = Atoms("COHCl", [[0, 0, 0], [1.9, 0.2, 0], [3.3, 0.9, 0.3], [5.1, 0.4, 0.1]])
    bent = chain.copy()
    bent.positions[3] += [0.1, 0.4, -0.3]
    before, after = evaluate(each_potential, [chain, bent])
    change = np.abs(after.atomic_energies - before.atomic_energies)
    assert change[0] == 0.0
    assert change[1:].min() > 1e-9


def test_two_far_copies_have_twice_the_energy_and_the_same_forces(each_potential, ethanol):
    copy = ethanol.copy()
    copy.translate([0.0, 40.0, 0.0])
    one, two = evaluate(each_potential, [ethanol, ethanol + copy])
    assert two.energy == pytest.approx(2 * one.energy, rel=1e-14)
    np.testing.assert_allclose(two.forces, np.tile(one.forces, (2, 1)), atol=1e-12)


def test_two_systems_out_of_reach_have_the_sum_of_their_energies(potential, ethanol):
    other = Atoms("COH", [[20.0, 0.0, 0.0], [21.2, 0.1, 0.0], [21.6, 0.9, 0.2]])
    first, second, both = evaluate(potential, [ethanol, other, ethanol + other])
    assert both.energy == pytest.approx(first.energy + second.energy, rel=1e-13)
    np.testing.assert_allclose(both.forces[: len(ethanol)], first.forces, atol=1e-12)


def test_a_supercell_has_multiples_of_the_energy_and_the_same_stress(each_potential, crystal):
    one, many = evaluate(each_potential, [crystal, crystal * (2, 1, 1)])
    assert many.energy == pytest.approx(2 * one.energy, rel=1e-12)
    np.testing.assert_allclose(many.stress, one.stress, atol=1e-13)


def zbl_by_hand(r, reach):
    """k Z² / r of two oxygen atoms with the universal screening function (eV)."""
    y = 2 * 8**0.23 * r / 0.46850
    amplitudes, rates = [0.02817, 0.28022, 0.50986, 0.18175], [0.20162, 0.40290, 0.94229, 3.19980]
    x = r / reach
    envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    return 14.399645 * 64 / r * np.dot(amplitudes, np.exp(-y * np.array(rates))) * envelope


def test_zbl_repels_atoms_that_come_close_and_ends_with_the_covalent_radii():
    name, reach = "zbl-covalent", 2 * 0.66
    variants = (make_potential(pair_potential=name), make_potential())
    pairs = [Atoms("OO", [[0, 0, 0], [0, 0, r]]) for r in (0.2, 1.0, 1.4)]
    results = [evaluate(potential, pairs) for potential in variants]
    with_zbl, without = ([result.energy for result in each] for each in results)
    for r, repelled, bare in zip((0.2, 1.0, 1.4), with_zbl, without, strict=True):
        expected = zbl_by_hand(r, reach) if r < reach else 0.0
        assert repelled - bare == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_labels_are_compared_with_the_sum_of_network_and_repulsion():
    # So a training fits the network to what the repulsion leaves, and takes nothing off labels.
    potential = make_potential(pair_potential="zbl", per_type_energy_scales=0.0)
    labelled = [Atoms("OO", [[0, 0, 0], [0, 0, r]]) for r in (0.6, 1.2)]
    for atoms, r in zip(labelled, (0.6, 1.2), strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=zbl_by_hand(r, CUTOFF) - 2 * 23.0)
    errors = aj.evaluate(potential, as_dataset(labelled), batch_size=2)
    assert errors["energy_mae"] < 1e-4, "of hundreds of eV, in the float32 of batches"
