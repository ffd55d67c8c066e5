"""Potential: what goes in, what comes out, errors, compilation, files."""

import dataclasses
import json
import pickle

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.models.energy import compiled_predict
from allegro_jax.potential import Potential, initial_params
from tests.small_models import DOUBLE, small_config

CONFIG = small_config(type_names=("H", "C", "O"), cutoff=3.0, num_layers=1)
REFERENCES = {"H": -13.5, "C": -1030.25, "O": -2042.125}


@pytest.fixture(scope="module")
def params():
    return initial_params(CONFIG)


@pytest.fixture(scope="module")
def potential(params):
    return Potential(CONFIG, params, REFERENCES)


@pytest.fixture
def water():
    return molecule("H2O")


def test_results_have_units_shapes_and_add_up(potential, water):
    result = potential(water)
    assert isinstance(result.energy, float)
    assert result.forces.shape == (3, 3)
    assert result.forces.dtype == result.atomic_energies.dtype == np.float64
    assert result.atomic_energies.sum() == result.energy
    assert result.stress is None
    assert abs(result.energy - (2 * -13.5 - 2042.125)) < 100


def test_references_are_added_in_double_precision(params, water):
    # In float32 the spacing of numbers near 1e9 is 64.
    large = Potential(CONFIG, params, {"H": 0.0, "C": 0.0, "O": 1e9})
    without = Potential(CONFIG, params)
    assert large(water).energy - 1e9 == pytest.approx(without(water).energy, abs=1e-6)


def test_structures_atoms_lists_and_datasets_give_the_same(potential, water):
    structure = Structure.from_atoms(water)
    dataset = Dataset(
        name="two",
        numbers=np.tile(water.numbers, 2),
        positions=np.tile(water.positions, (2, 1)),
        n_atoms=np.array([3, 3]),
        energy=np.zeros(2),
    )
    expected = potential(water)
    assert potential(structure).energy == expected.energy
    for result in potential([water, structure]) + potential(dataset):
        assert result.energy == pytest.approx(expected.energy, abs=1e-4)
        np.testing.assert_allclose(result.forces, expected.forces, atol=1e-5)
    assert potential([]) == []


def test_more_structures_than_a_batch_come_back_in_order(potential, water):
    structures = []
    for index in range(19):
        structures.append(water.copy())
        structures[-1].positions[0] += 0.01 * index
    energies = [result.energy for result in potential(structures)]
    alone = [potential(structures[index]).energy for index in (0, 17, 18)]
    np.testing.assert_allclose([energies[0], energies[17], energies[18]], alone, atol=1e-3)
    assert len(set(energies)) == 19


def test_a_crystal_has_a_symmetric_stress(params):
    diamond = bulk("C", "diamond", a=3.6)
    diamond.rattle(0.05, seed=0)
    stress = Potential(CONFIG, params)(diamond).stress
    assert stress.shape == (3, 3)
    np.testing.assert_allclose(stress, stress.T, atol=1e-6)
    assert np.abs(stress).max() > 1e-5


def test_structures_of_one_bucket_compile_once_also_with_an_equal_config(params, water):
    fresh = dataclasses.replace(CONFIG, cutoff=3.125)
    moved = water.copy()
    moved.positions[1] *= 1.1
    before = compiled_predict._cache_size()
    Potential(fresh, params)(water)
    Potential(fresh, params)(moved)
    Potential(fresh, params)(Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]))
    Potential(dataclasses.replace(CONFIG, cutoff=3.125), params, REFERENCES)(water)
    assert compiled_predict._cache_size() == before + 1


def test_double_precision_works_without_the_global_switch(params, water):
    precise = Potential(dataclasses.replace(CONFIG, precision=DOUBLE), params)
    assert precise.params["latent_0"]["weight_0"].dtype == np.float64
    assert precise(water).energy == pytest.approx(Potential(CONFIG, params)(water).energy, rel=1e-5)
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("OHF", [[0, 0, 0], [0, 0, 1], [0, 1, 0]]), "F.*knows H, C, O"),
        (Atoms("OH", [[0, 0, 0], [0, 0, np.nan]]), "NaN"),
        (Atoms(), "no atoms"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 0]]), "atoms 0 and 1"),
        (Atoms("O", cell=np.zeros((3, 3)), pbc=True), "volume"),
    ],
)
def test_a_structure_that_makes_no_sense_is_refused(potential, atoms, message):
    with pytest.raises(ValueError, match=message):
        potential(atoms)


def test_a_type_without_reference_energy_is_named(params):
    with pytest.raises(ValueError, match=r"\['O'\] are missing"):
        Potential(CONFIG, params, {"H": -13.0, "C": -1000.0})


def test_a_saved_potential_loads_as_it_was(potential, water, tmp_path):
    potential.save(tmp_path / "model")
    loaded = Potential.load(tmp_path / "model")
    assert loaded.config == potential.config
    assert loaded.atomic_energies == potential.atomic_energies
    assert loaded(water).energy == potential(water).energy
    for ours, theirs in zip(*map(jax.tree.leaves, (loaded.params, potential.params)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_saving_again_replaces_the_potential_and_leaves_other_files(potential, params, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    potential.save(tmp_path)
    Potential(CONFIG, jax.tree.map(np.zeros_like, params), REFERENCES).save(tmp_path)
    assert not np.any(Potential.load(tmp_path).params["latent_0"]["weight_0"])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3, names
    assert "notes.txt" in names


def test_no_file_of_a_saved_potential_is_a_pickle(potential, tmp_path):
    potential.save(tmp_path)
    for path in tmp_path.iterdir():
        with pytest.raises(pickle.UnpicklingError), path.open("rb") as file:
            pickle.load(file)


def test_what_is_no_potential_is_refused(potential, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        Potential.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no saved potential"):
        Potential.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model": "something else"}')
    with pytest.raises(ValueError, match="no saved potential"):
        Potential.load(tmp_path)


def edit_header(folder, **changes):
    header = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(header | changes))


def test_another_format_version_is_refused(potential, tmp_path):
    potential.save(tmp_path)
    edit_header(tmp_path, format_version=7)
    with pytest.raises(ValueError, match=r"version 1.*version 7"):
        Potential.load(tmp_path)


def test_arrays_that_do_not_fit_the_config_are_named_with_both_shapes(potential, tmp_path):
    potential.save(tmp_path)
    config = dataclasses.replace(CONFIG, num_bessels=6).to_json()
    edit_header(tmp_path, config=config)
    with pytest.raises(ValueError, match=r"two_body/radial/weight_0.*\(6, 8\); got \(8, 8\)"):
        Potential.load(tmp_path)


def test_missing_arrays_are_reported(potential, params, tmp_path):
    potential.save(tmp_path)
    next(tmp_path.glob("params-*.npz")).unlink()
    with pytest.raises(ValueError, match="incomplete"):
        Potential.load(tmp_path)
    short = {name: part for name, part in params.items() if name != "tensor_embed"}
    with pytest.raises(ValueError, match=r"'tensor_embed/weight_0' of shape .* is missing"):
        Potential(CONFIG, short)
    with pytest.raises(ValueError, match="no parameters \\['extra'\\]"):
        Potential(CONFIG, params | {"extra": np.zeros(2)})


def test_truncated_arrays_are_reported(potential, tmp_path):
    potential.save(tmp_path)
    (arrays,) = tmp_path.glob("params-*.npz")
    arrays.write_bytes(arrays.read_bytes()[:300])
    with pytest.raises(ValueError, match="incomplete"):
        Potential.load(tmp_path)
