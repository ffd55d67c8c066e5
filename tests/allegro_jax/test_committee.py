"""A committee predicts the mean of its members, and its spread is their standard deviation."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from ase.build import bulk, molecule

from allegro_jax import Committee, Potential
from allegro_jax.committee import load_potential
from allegro_jax.graphs import Capacity
from allegro_jax.interfaces.committee_calculator import SpreadLimitError, SpreadLimitWarning
from allegro_jax.potential import initial_params
from tests.small_models import DOUBLE, small_config

CONFIG = small_config(l_max=1, num_layers=1, precision=DOUBLE)
REFERENCES = [
    {"H": -13.5, "C": -1030.25, "O": -2042.125, "Cu": -3.0},
    {"H": -13.25, "C": -1030.0, "O": -2041.0, "Cu": -2.5},
    {"H": -13.0, "C": -1031.0, "O": -2042.0, "Cu": -3.5},
]
CAPACITY = Capacity(atoms=16, edges=256, graphs=2)
"""Of every evaluation, so that it compiles once."""


@pytest.fixture(scope="module")
def members():
    return [Potential(CONFIG, initial_params(CONFIG, k), REFERENCES[k]) for k in range(3)]


@pytest.fixture(scope="module")
def committee(members):
    return Committee.of(members)


@pytest.fixture(scope="module")
def copper():
    atoms = bulk("Cu", a=4.4, cubic=True)
    atoms.rattle(0.1, seed=0)
    return atoms


def test_it_predicts_mean_and_standard_deviation_of_its_members(committee, members, copper):
    for atoms in (molecule("CH3CH2OH"), copper):
        result = committee(atoms, capacity=CAPACITY)
        alone = [member(atoms, capacity=CAPACITY) for member in members]
        energies = [each.energy for each in alone]
        forces = np.array([each.forces for each in alone])
        assert result.energy == pytest.approx(np.mean(energies), rel=1e-14)
        assert result.energy_spread == pytest.approx(np.std(energies, ddof=1), rel=1e-9)
        np.testing.assert_allclose(result.forces, forces.mean(0), atol=1e-12)
        spread = np.sqrt(forces.var(axis=0, ddof=1).sum(axis=-1))
        np.testing.assert_allclose(result.forces_spread, spread, rtol=1e-9)
        atomic = np.mean([each.atomic_energies for each in alone], axis=0)
        np.testing.assert_allclose(result.atomic_energies, atomic, rtol=1e-14)
    stresses = np.array([each.stress for each in alone])
    np.testing.assert_allclose(result.stress, stresses.mean(0), atol=1e-13)
    assert result.stress_spread == pytest.approx(np.sqrt(stresses.var(0, ddof=1).sum()), rel=1e-9)


def test_equal_members_have_no_spread_at_all(members):
    result = Committee.of([members[0]] * 3)(molecule("CH3CH2OH"), capacity=CAPACITY)
    assert result.energy_spread == 0.0
    assert not result.forces_spread.any()
    assert result.energy == result.members[0].energy


def test_spreads_do_not_change_when_the_structure_is_rotated(committee):
    atoms, turned = molecule("CH3CH2OH"), molecule("CH3CH2OH")
    turned.rotate(77.0, (1, 2, -3))
    before, after = (committee(each, capacity=CAPACITY) for each in (atoms, turned))
    assert after.energy_spread == pytest.approx(before.energy_spread, rel=1e-9)
    np.testing.assert_allclose(after.forces_spread, before.forces_spread, rtol=1e-8)
    assert not np.allclose(after.forces, before.forces)


def test_many_structures_give_the_results_of_one_after_the_other(committee):
    structures = [molecule("H2O"), molecule("CH4"), molecule("CO2")]
    together = committee(structures, capacity=CAPACITY)
    for atoms, result in zip(structures, together, strict=True):
        alone = committee(atoms, capacity=CAPACITY)
        assert result.energy == pytest.approx(alone.energy, rel=1e-14)
        np.testing.assert_allclose(result.forces_spread, alone.forces_spread, rtol=1e-9)


def test_the_calculator_gives_means_and_spreads_while_atoms_move(committee, copper):
    atoms = copper.copy()
    calculator = atoms.calc = committee.calculator(skin=0.5)
    for _ in range(2):
        expected = committee(atoms, capacity=CAPACITY)
        assert atoms.get_potential_energy() == pytest.approx(expected.energy, rel=1e-13)
        np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-11)
        stress = atoms.get_stress(voigt=False)
        np.testing.assert_allclose(stress, expected.stress, atol=1e-12)
        spread = calculator.results["forces_spread"]
        np.testing.assert_allclose(spread, expected.forces_spread, rtol=1e-8)
        assert calculator.get_property("forces_spread_max", atoms) == spread.max()
        energy_spread = calculator.get_property("energy_spread", atoms)
        assert energy_spread == pytest.approx(expected.energy_spread, rel=1e-9)
        stress_spread = calculator.get_property("stress_spread", atoms)
        assert stress_spread == pytest.approx(expected.stress_spread, rel=1e-8)
        atoms.rattle(0.02, seed=1)
    assert (calculator.n_builds, len(calculator.capacities)) == (1, 1)


def test_a_spread_above_the_limit_stops_or_warns(committee, copper):
    spread = committee(copper, capacity=CAPACITY).forces_spread
    limit = 0.99 * float(spread.max())
    atoms = copper.copy()
    atoms.calc = committee.calculator(skin=0.5, limit=limit)
    with pytest.raises(SpreadLimitError, match="beyond their training data") as caught:
        atoms.get_forces()
    with pytest.raises(SpreadLimitError):
        atoms.get_potential_energy()
    assert caught.value.atom == np.argmax(spread)
    assert caught.value.result.forces.shape == (4, 3)
    assert caught.value.spread == pytest.approx(spread.max())
    atoms.calc = committee.calculator(skin=0.5, limit=limit, on_limit="warn")
    with pytest.warns(SpreadLimitWarning, match="disagree"):
        forces = atoms.get_forces()
    assert np.isfinite(forces).all()
    atoms.calc = committee.calculator(skin=0.5, limit=1.01 * float(spread.max()))
    assert np.array_equal(atoms.get_forces(), forces)


def test_a_saved_committee_is_read_back_bit_by_bit_and_replaces_an_older_one(
    committee, members, tmp_path
):
    Committee.of(members[:2]).save(tmp_path)
    committee.save(tmp_path)
    again = Committee.load(tmp_path)
    assert len(again) == 3
    assert again.config == committee.config
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, again.params, committee.params)))
    assert [member.atomic_energies for member in again.members] == REFERENCES
    header = json.loads((tmp_path / "committee.json").read_text())
    assert len(list(tmp_path.glob("members-*"))) == 1
    alone = Potential.load(tmp_path / header["members"][2])
    assert alone.atomic_energies == REFERENCES[2]


def test_the_folder_holds_what_was_saved_last(committee, members, tmp_path):
    for saved in (members[0], committee, members[0]):
        saved.save(tmp_path)
        assert type(load_potential(tmp_path)) is type(saved)
        with pytest.raises(ValueError, match="holds"):
            (Potential if saved is committee else Committee).load(tmp_path)


def test_what_is_no_committee_is_refused(members, tmp_path):
    with pytest.raises(ValueError, match="two members or more"):
        Committee.of(members[:1])
    with pytest.raises(ValueError, match="none came"):
        Committee.of([])
    other = dataclasses.replace(CONFIG, avg_num_neighbors=2.0)
    with pytest.raises(ValueError, match=r"member 1 has avg_num_neighbors=2\.0 and not 18\.0"):
        Committee.of([members[0], Potential(other, members[0].params)])
    with pytest.raises(ValueError, match="as first axis"):
        Committee(CONFIG, members[0].params, REFERENCES)
    members[0].save(tmp_path / "one")
    with pytest.raises(ValueError, match=r"holds no saved committee.*Potential\.load"):
        Committee.load(tmp_path / "one")
    (tmp_path / "committee.json").write_text(
        json.dumps({"format": "allegro_jax committee", "format_version": 2})
    )
    with pytest.raises(ValueError, match="version 2"):
        Committee.load(tmp_path)
    (tmp_path / "committee.json").write_text(
        json.dumps({"format": "allegro_jax committee", "format_version": 1, "members": ["../one"]})
    )
    with pytest.raises(ValueError, match="must list the folders"):
        Committee.load(tmp_path)


@pytest.mark.parametrize("options", [{"limit": 0.0}, {"limit": float("nan")}, {"on_limit": "ask"}])
def test_a_limit_that_says_nothing_is_refused(committee, options):
    with pytest.raises(ValueError, match="limit must be"):
        committee.calculator(**options)
