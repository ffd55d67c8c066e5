"""A potential with dispersion: nothing counted twice, nothing left out, nothing forgotten."""

import json
import sys

import numpy as np
import pytest
from ase.build import bulk, molecule

import allegro_jax as aj
from allegro_jax import simulation
from allegro_jax.configs import D3
from allegro_jax.datasets import Structure
from allegro_jax.dispersion import dispersion_terms, subtract_dispersion
from allegro_jax.fitting import default_splits
from allegro_jax.fitting.settings import configs
from allegro_jax.graphs import Capacity, write_store
from allegro_jax.interfaces import jax_md
from allegro_jax.potential import initial_params
from allegro_jax.training.fine_tuning import dispersion_to_leave_out
from tests.small_fits import SETTINGS, frames
from tests.small_models import DOUBLE, small_config

pytest.importorskip("dftd3")

CONFIG = small_config(l_max=1, num_layers=1, precision=DOUBLE)
CAPACITY = Capacity(atoms=16, edges=256, graphs=2)
"""Of every evaluation, so that it compiles once."""
PBE = D3("pbe")


@pytest.fixture(scope="module")
def members():
    references = [{"H": -13.5, "C": -1030.25, "O": -2042.125, "Cu": energy} for energy in (-3, -4)]
    return [aj.Potential(CONFIG, initial_params(CONFIG, k), references[k]) for k in range(2)]


@pytest.fixture(scope="module")
def copper():
    atoms = bulk("Cu", a=4.4, cubic=True)
    atoms.rattle(0.1, seed=0)
    return atoms


def assert_differs_by_dispersion(whole, bare, atoms):
    """Every property of two results."""
    added = dispersion_terms(Structure.from_atoms(atoms), PBE)
    assert whole.energy - bare.energy == pytest.approx(added.energy, rel=1e-9)
    np.testing.assert_allclose(whole.forces - bare.forces, added.forces, atol=1e-11)
    atomic = whole.atomic_energies - bare.atomic_energies
    np.testing.assert_allclose(atomic, added.atomic_energies, atol=1e-10)
    if added.stress is not None:
        np.testing.assert_allclose(whole.stress - bare.stress, added.stress, atol=1e-12)


def test_a_potential_adds_its_dispersion_to_all_that_it_predicts(members, copper):
    whole = members[0].with_dispersion("PBE-D3(BJ)")
    assert whole.dispersion == PBE
    for atoms in (copper, molecule("H2O")):
        results = [potential(atoms, capacity=CAPACITY) for potential in (whole, members[0])]
        assert_differs_by_dispersion(*results, atoms)
    assert whole.without_dispersion().dispersion is None


def test_the_calculator_adds_it_whoever_asked(members, copper):
    expected = members[0].with_dispersion(PBE)(copper, capacity=CAPACITY)
    saved = members[0].with_dispersion(PBE).calculator()
    asked = members[0].calculator(dispersion="pbe-d3bj")
    for calculator in (saved, asked):
        atoms = copper.copy()
        atoms.calc = calculator
        assert atoms.get_potential_energy() == pytest.approx(expected.energy, rel=1e-13)
        np.testing.assert_allclose(atoms.get_forces(), expected.forces, atol=1e-11)
        np.testing.assert_allclose(atoms.get_stress(voigt=False), expected.stress, atol=1e-12)
        energies = atoms.get_potential_energies()
        np.testing.assert_allclose(energies, expected.atomic_energies, rtol=1e-12)
    assert members[0].calculator().potential.dispersion is None


def test_dispersion_is_never_added_twice(members):
    whole = members[0].with_dispersion(PBE)
    with pytest.raises(ValueError, match=r"adds PBE-D3\(BJ\) already.*twice"):
        whole.calculator(dispersion="PBE-D3(BJ)")
    with pytest.raises(ValueError, match="twice"):
        aj.Committee.of([whole, whole]).with_dispersion("b3lyp-d3bj")


def test_a_committee_shifts_by_the_dispersion_and_keeps_its_spread(members, copper):
    bare = aj.Committee.of(members)
    whole = bare.with_dispersion(PBE)
    results = [committee(copper, capacity=CAPACITY) for committee in (whole, bare)]
    assert_differs_by_dispersion(*results, copper)
    assert results[0].energy_spread == pytest.approx(results[1].energy_spread, rel=1e-9)
    forces = results[0].members[1].forces - results[1].members[1].forces
    np.testing.assert_allclose(forces, results[0].forces - results[1].forces, atol=1e-11)
    with pytest.raises(ValueError, match=r"same dispersion correction.*PBE-D3\(BJ\), none"):
        aj.Committee.of([members[0], members[1].with_dispersion(PBE)])


@pytest.mark.parametrize("several", [False, True])
def test_a_folder_keeps_the_dispersion(members, several, tmp_path):
    bare = aj.Committee.of(members) if several else members[0]
    bare.save(tmp_path / "bare")
    whole = bare.with_dispersion(D3("pbe", "zero", True, 20.0))
    whole.save(tmp_path / "whole")
    assert aj.load_potential(tmp_path / "bare").dispersion is None
    assert aj.load_potential(tmp_path / "whole").dispersion == whole.dispersion


def test_releases_that_know_no_dispersion_do_not_read_such_a_folder(members, tmp_path):
    members[0].with_dispersion(PBE).save(tmp_path)
    header = json.loads((tmp_path / "config.json").read_text())
    assert header["format_version"] == 2
    assert header["dispersion"]["functional"] == "pbe"
    del header["dispersion"]
    (tmp_path / "config.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match=r"of version 1.*of version 2"):
        aj.Potential.load(tmp_path)


def test_programs_that_would_lose_the_dispersion_are_refused(members, tmp_path):
    whole = members[0].with_dispersion(PBE)
    with pytest.raises(ValueError, match=r"nequip would lack.*without_dispersion"):
        whole.save_nequip(tmp_path / "home.npz")
    whole.without_dispersion().save_nequip(tmp_path / "home.npz")
    with pytest.raises(ValueError, match=r"simulation would lack.*potential\.calculator"):
        simulation.run(whole, molecule("H2O"), simulation.NVE(), steps=1, timestep_fs=0.5)
    with pytest.raises(ValueError, match="jax-md would lack"):
        jax_md.energy(whole, None, None, molecule("H2O").numbers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "run"


def train(folder, dispersion):
    parts = default_splits(frames())
    overrides = {**SETTINGS, "max_epochs": 1, "dispersion": dispersion}
    settings = configs(aj.preset("tiny"), parts.train, None, overrides)
    return aj.train(*settings, parts.train, parts.valid, workdir=folder)


@pytest.fixture(scope="module")
def trained(folder):
    return train(folder, "PBE-D3(BJ)")


def test_a_training_leaves_the_dispersion_out_and_its_potential_adds_it(trained, folder):
    potential, labels = aj.Potential.load(folder / "potential"), default_splits(frames()).valid
    assert potential.dispersion == PBE
    assert trained.potential.dispersion == PBE
    errors = aj.evaluate(potential, labels)
    bare = aj.evaluate(potential.without_dispersion(), subtract_dispersion(labels, PBE))
    assert errors == pytest.approx(bare, rel=1e-6)
    assert errors["energy_mae"] == pytest.approx(trained.best["energy_mae"], rel=1e-4)
    predicted = np.array([result.energy for result in potential(labels)])
    assert np.abs(predicted - labels.energy).mean() == pytest.approx(errors["energy_mae"], rel=1e-3)
    without = np.array([result.energy for result in potential.without_dispersion()(labels)])
    assert np.mean(without - predicted) > 0.2, "benzene's own is 0.3 eV"


def test_the_run_card_names_the_dispersion(trained, folder):
    run = json.loads((folder / "run.json").read_text())["run"]
    assert run["data"]["dispersion"]["functional"] == "pbe"
    assert run["training"]["dispersion"]["damping"] == "bj"


def test_a_run_goes_on_with_its_dispersion_and_with_no_other(trained, folder):
    again = train(folder, PBE)
    assert again.potential.dispersion == PBE
    assert again.best == trained.best
    for other in ("b3lyp-d3bj", None):
        with pytest.raises(ValueError, match=r"checkpoint of another run.*dispersion"):
            train(folder, other)


def test_the_command_line_takes_the_name_of_the_correction_and_of_the_repulsion():
    from experiments.training_run import setting

    texts = ("dispersion=PBE-D3(BJ)", "pair_potential=zbl", "max_epochs=1")
    overrides = dict(map(setting, texts))
    model, training = configs(aj.preset("tiny"), frames(), None, overrides)
    assert training.dispersion == PBE
    assert model.pair_potential == aj.ZBL()
    with pytest.raises(ValueError, match=r"form functional-D3\(damping\).*'pbe'"):
        configs(aj.preset("tiny"), frames(), None, {"dispersion": "pbe"})


def test_what_is_tuned_further_keeps_its_dispersion(members):
    whole, other = members[0].with_dispersion(PBE), aj.TrainingConfig(dispersion="b3lyp-d3bj")
    assert dispersion_to_leave_out(aj.TrainingConfig(), whole) == PBE
    assert dispersion_to_leave_out(aj.TrainingConfig(dispersion=PBE), whole) == PBE
    assert dispersion_to_leave_out(other, None).functional == "b3lyp"
    for potential in (whole, members[0]):
        with pytest.raises(ValueError, match=r"B3LYP-D3\(BJ\), and init has"):
            dispersion_to_leave_out(other, potential)


def test_settings_without_dispersion_are_those_of_runs_before_it():
    assert "dispersion" not in aj.TrainingConfig().to_json()
    config = aj.TrainingConfig(dispersion=D3("pbe", cutoff=12.0))
    assert aj.TrainingConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_labels_of_a_store_cannot_be_changed(members, tmp_path):
    store = write_store(frames().select(range(4)), tmp_path / "store", cutoff=4.0)
    with pytest.raises(ValueError, match=r"labels of the store.*subtract_dispersion"):
        aj.evaluate(members[0].with_dispersion(PBE), store)


def test_a_potential_is_read_without_the_library_that_evaluates_it(members, tmp_path, monkeypatch):
    members[0].with_dispersion(PBE).save(tmp_path)
    monkeypatch.setitem(sys.modules, "dftd3", None)
    potential = aj.Potential.load(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"allegro-jax\[dispersion\]"):
        potential(molecule("H2O"), capacity=CAPACITY)
    bare = potential.without_dispersion()(molecule("H2O"), capacity=CAPACITY)
    assert bare.energy == members[0](molecule("H2O"), capacity=CAPACITY).energy
