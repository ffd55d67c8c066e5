"""The calculator agrees with the potential after any change, and compiles rarely."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.stress import full_3x3_to_voigt_6_stress

from allegro_jax.configs import ZBL, Precision, SplineBasis
from allegro_jax.graphs import Capacity, neighbors
from allegro_jax.potential import Potential, initial_params
from tests.small_models import DOUBLE, small_config

CONFIG = small_config(num_layers=1, precision=DOUBLE)
CAPACITY = Capacity(atoms=16, edges=640, graphs=2)
"""Of every fresh evaluation, so that it compiles once."""

REFERENCES = {"H": -13.5, "C": -1030.25, "O": -2042.125, "Cu": -3.0}


@pytest.fixture(scope="module")
def potential():
    return Potential(CONFIG, initial_params(CONFIG), REFERENCES)


def small_cell(pbc=True):
    """Five atoms in a skewed cell smaller than the cutoff."""
    cell = [[3.1, 0.0, 0.0], [1.9, 3.6, 0.0], [-1.2, 0.9, 3.8]]
    positions = [[0.1, 0, 0], [1.6, 1.0, 0.3], [0.6, 2.0, 1.9], [2.4, 2.9, 2.2], [-0.5, 1.8, 3.0]]
    return Atoms("CuHOCuC", positions, cell=cell, pbc=pbc)


def assert_same(atoms, potential):
    """Every property of the calculator against a fresh evaluation."""
    expected = potential(atoms, capacity=CAPACITY)
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, rel=1e-13)
    free = atoms.get_potential_energy(force_consistent=True)
    assert free == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-11)
    np.testing.assert_allclose(atoms.get_potential_energies(), expected.atomic_energies, rtol=1e-12)
    if expected.stress is not None:
        voigt = full_3x3_to_voigt_6_stress(expected.stress)
        np.testing.assert_allclose(atoms.get_stress(), voigt, atol=1e-12)


def test_it_agrees_with_the_potential_in_small_skewed_cells_of_any_periodicity(potential):
    atoms = small_cell()
    calculator = atoms.calc = potential.calculator()
    for pbc in reversed(list(np.ndindex(2, 2, 2))):
        atoms.pbc = pbc
        assert_same(atoms, potential)
    assert len(calculator.capacities) == 1, "the most neighbours came first"


def test_it_is_right_after_every_kind_of_change(potential):
    atoms = small_cell()
    calculator = atoms.calc = potential.calculator(skin=0.5)

    def one_far():
        atoms.positions[0] += [3.0, -2.0, 5.0]

    def half_periodic():
        atoms.pbc = [True, False, True]

    changes = {
        "all atoms a little": lambda: atoms.rattle(0.02, seed=1),
        "one atom far": one_far,
        "the cell a little": lambda: atoms.set_cell(atoms.cell * 1.01, scale_atoms=True),
        "the cell, not the atoms": lambda: atoms.set_cell(atoms.cell * [1.0, 1.1, 0.9]),
        "the cell much": lambda: atoms.set_cell(atoms.cell[:] + 0.9 * np.eye(3)),
        "the elements": lambda: atoms.set_chemical_symbols("OCHHCu"),
        "the periodicity": half_periodic,
        "more atoms": lambda: atoms.extend(Atoms("H", [[0.9, -0.8, -0.7]])),
        "fewer atoms": lambda: atoms.__delitem__([0, 2]),
    }
    assert_same(atoms, potential)
    for change, make in changes.items():
        make()
        try:
            assert_same(atoms, potential)
        except AssertionError as error:
            raise AssertionError(f"wrong after a change of {change}") from error
    assert calculator.n_builds < len(changes) + 1, "small changes must not rebuild the list"


def test_edges_beyond_the_cutoff_contribute_exactly_nothing():
    # So pruning is about time alone; the envelope is what makes them vanish.
    short = dataclasses.replace(CONFIG, splines=SplineBasis(6, 4), pair_potential=ZBL())
    # The same model with a longer list: cutoffs per pair of types keep its own reach.
    table = ((short.cutoff,) * 4,) * 4
    long = dataclasses.replace(short, cutoff=5.5, per_edge_type_cutoff=table)
    params = initial_params(short)
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.rattle(0.1, seed=0)
    expected, with_more = (Potential(config, params)(atoms) for config in (short, long))
    assert with_more.energy == pytest.approx(expected.energy, rel=1e-15)
    np.testing.assert_allclose(with_more.forces, expected.forces, atol=1e-14)


def test_steps_within_a_bucket_compile_once_and_search_rarely(potential):
    atoms = bulk("Cu", a=3.6, cubic=True) * 2
    step = potential.calculator().sharded.program
    before = step._cache_size()
    rng = np.random.default_rng(0)
    calculator = atoms.calc = potential.calculator()
    for _ in range(60):
        atoms.positions += 0.05 * rng.normal(size=(len(atoms), 3))
        atoms.get_forces()
    assert len(calculator.capacities) <= 2
    assert step._cache_size() - before <= len(calculator.capacities)
    assert 1 < calculator.n_builds < 20
    # Another calculator of an equal config finds everything compiled.
    compiled = step._cache_size()
    atoms.calc = Potential(dataclasses.replace(CONFIG), potential.params).calculator()
    atoms.get_forces()
    assert step._cache_size() == compiled


def test_compressing_a_crystal_grows_the_bucket_and_stays_right(potential):
    atoms = bulk("Cu", a=4.4, cubic=True)
    calculator = atoms.calc = potential.calculator(skin=3.0)
    atoms.get_potential_energy()
    # Strain so small a share of the skin that the list stays: more pairs come within the cutoff.
    atoms.set_cell(atoms.cell * 0.83, scale_atoms=True)
    assert_same(atoms, potential)
    assert (len(calculator.capacities), calculator.n_builds) == (2, 1)


def test_nothing_is_computed_twice(potential):
    atoms = molecule("H2O")
    calculator = atoms.calc = potential.calculator()
    energy = atoms.get_potential_energy()
    atoms.set_initial_charges([1.0, 0.0, 0.0])
    atoms.set_initial_magnetic_moments([1.0, 0.0, 0.0])
    assert not calculator.calculation_required(atoms, ["energy", "forces", "energies"])
    assert atoms.get_potential_energy() == energy


def test_a_molecule_has_no_stress(potential):
    atoms = molecule("H2O")
    atoms.calc = potential.calculator()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_an_atom_alone_has_its_reference_energy_and_no_force(potential):
    atoms = Atoms("O")
    atoms.calc = potential.calculator()
    assert atoms.get_potential_energy() == REFERENCES["O"]
    np.testing.assert_array_equal(atoms.get_forces(), 0.0)


def test_a_system_far_from_the_origin_keeps_its_digits():
    single = dataclasses.replace(CONFIG, precision=Precision())
    potential = Potential(single, initial_params(single))
    atoms = molecule("CH3CH2OH")
    atoms.calc = potential.calculator()
    forces = atoms.get_forces()
    atoms.positions += 1e4
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-4 * np.abs(forces).max())


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("OHF", [[0, 0, 0], [0, 0, 1], [0, 1, 0]]), "F.*knows H, C, O, Cu"),
        (Atoms("OH", [[0, 0, 0], [0, 0, np.nan]]), "NaN"),
        (Atoms(), "no atoms"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 0]]), "atoms 0 and 1"),
        (Atoms("O", cell=np.zeros((3, 3)), pbc=True), "no volume"),
        (Atoms("O", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True), "no volume"),
    ],
)
def test_atoms_that_make_no_sense_are_refused(potential, atoms, message):
    atoms.calc = potential.calculator()
    with pytest.raises(ValueError, match=message):
        atoms.get_potential_energy()


def test_atoms_that_meet_under_one_list_are_refused(potential):
    atoms = Atoms("HH", [[0, 0, 0], [0, 0, 0.02]])
    calculator = atoms.calc = potential.calculator()
    atoms.get_potential_energy()
    atoms.positions[1, 2] = 1e-5
    with pytest.raises(ValueError, match=r"1\.0e-05 Å apart"):
        atoms.get_potential_energy()
    assert calculator.n_builds == 1


@pytest.mark.parametrize("atoms", [bulk("Cu", a=3.6), molecule("C60") * (1, 1, 1)])
def test_a_cutoff_in_the_wrong_unit_is_refused_before_memory_runs_out(
    potential, atoms, monkeypatch
):
    monkeypatch.setattr(neighbors, "MAX_EDGES", 3000)
    huge = Potential(dataclasses.replace(CONFIG, cutoff=400.0), potential.params)
    atoms.calc = huge.calculator()
    with pytest.raises(ValueError, match=r"cutoff of 401\.0 Å means about .* edges"):
        atoms.get_potential_energy()


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_a_skin_that_is_no_length_is_refused(potential, skin):
    with pytest.raises(ValueError, match="skin"):
        potential.calculator(skin=skin)
