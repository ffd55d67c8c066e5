import dataclasses

import numpy as np
import pytest
from ase.build import bulk, molecule

from allegro_jax.datasets import Dataset, Structure, load, official_split, split, statistics


def small(**changes):
    fields = {
        "name": "small",
        "numbers": [1, 1, 8, 1, 1, 6],
        "positions": np.arange(18.0).reshape(6, 3),
        "n_atoms": [2, 3, 1],
        "energy": [-2.0, -17.0, -9.0],
        "forces": np.arange(18.0).reshape(6, 3) / 10,
        "splits": {"train": [0, 1], "test": [2]},
    }
    return Dataset(**(fields | changes))


def test_structures_are_slices_of_the_ragged_arrays():
    data = small()
    np.testing.assert_array_equal(data[1].numbers, [8, 1, 1])
    np.testing.assert_array_equal(data[1].positions, np.arange(6.0, 15.0).reshape(3, 3))
    assert data[-1].energy == -9.0
    assert [len(item.numbers) for item in data] == [2, 3, 1]
    with pytest.raises(IndexError, match="3 structures; index 3"):
        data[3]


def test_select_keeps_the_order_asked_for_and_drops_official_splits():
    chosen = small().select([2, 0])
    np.testing.assert_array_equal(chosen.n_atoms, [1, 2])
    np.testing.assert_array_equal(chosen.numbers, [6, 1, 1])
    np.testing.assert_array_equal(chosen.positions[:1], small().positions[5:])
    assert chosen.splits == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy": [-2.0, -17.0]}, r"energy must have shape \(3,\)"),
        ({"forces": np.zeros((5, 3))}, r"forces must have shape \(6, 3\)"),
        ({"stress": np.zeros((3, 6))}, r"stress must have shape \(3, 3, 3\)"),
        ({"n_atoms": []}, "at least one structure"),
        ({"n_atoms": [2, 4, 0]}, "structure 2 has 0 atoms"),
        ({"numbers": [1, 1, 8, 1, 0, 6]}, "atomic numbers lie between 1 and 118"),
        ({"pbc": np.ones((3, 3))}, "structure 0 is periodic but its cell has no volume"),
        ({"splits": {"train": []}}, "'train' must hold rows 0 to 2"),
    ],
)
def test_inconsistent_arrays_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_nan_positions_name_the_structure():
    positions = np.zeros((6, 3))
    positions[5, 1] = np.nan
    with pytest.raises(ValueError, match="positions of structure 2 is NaN"):
        small(positions=positions)


def test_labels_may_be_missing_but_neither_all_of_them_nor_infinite():
    forces = np.arange(18.0).reshape(6, 3)
    forces[2:] = np.nan
    data = small(energy=[np.nan, -17.0, -9.0], forces=forces)
    assert data.labelled == {"energy": 2, "forces": 1, "stress": 0}
    assert data.select([1, 2]).forces is None
    with pytest.raises(ValueError, match="structure 1 and 0 more of 3 have no label"):
        small(energy=[-2.0, np.nan, -9.0], forces=forces)
    with pytest.raises(ValueError, match="energy of structure 0 is infinite"):
        small(energy=[np.inf, -17.0, -9.0])


def test_statistics_leave_out_what_is_not_labelled():
    data = load("qm9").select(range(40))
    forces = np.random.default_rng(0).normal(size=data.positions.shape)
    forces[-20:] = np.nan
    energy = np.where(np.arange(40) < 10, np.nan, data.energy)
    found = statistics(dataclasses.replace(data, energy=energy, forces=forces))
    known = statistics(data.select(range(10, 40)))
    for number, reference in known.atomic_energies.items():
        assert found.atomic_energies[number] == pytest.approx(reference)
    assert found.per_atom_energy_std == pytest.approx(known.per_atom_energy_std)
    assert found.force_rms == pytest.approx(np.sqrt(np.mean(forces[:-20] ** 2)))
    assert (found.n_structures, found.n_atoms) == (40, data.n_atoms.sum())


@pytest.mark.parametrize("indices", [[], [0, 3], [-1], [0.5], [[0]]])
def test_select_refuses_what_is_not_a_list_of_structures(indices):
    with pytest.raises(ValueError, match=r"select needs|indices run from 0 to 2"):
        small().select(indices)


def test_a_structure_takes_the_geometry_of_ase_atoms():
    atoms = bulk("Cu", cubic=True)
    structure = Structure.from_atoms(atoms)
    np.testing.assert_array_equal(structure.numbers, [29] * 4)
    np.testing.assert_array_equal(structure.cell, atoms.cell.array)
    assert structure.energy is None
    assert Structure.from_atoms(molecule("H2O")).pbc.tolist() == [False] * 3


def test_random_splits_are_disjoint_and_depend_on_the_seed_alone():
    data = load("qm9").select(range(200))
    first, again, other = (split(data, 120, 30, 50, seed=seed) for seed in (1, 1, 2))
    energies = np.concatenate([first.train.energy, first.valid.energy, first.test.energy])
    np.testing.assert_array_equal(np.sort(energies), np.sort(data.energy))
    np.testing.assert_array_equal(first.train.energy, again.train.energy)
    assert set(first.test.energy) != set(other.test.energy)


def test_smaller_training_sets_are_part_of_larger_ones_and_share_the_test_set():
    data = load("qm9").select(range(200))
    small_set, large_set = split(data, 20, 30, 50, seed=0), split(data, 100, 30, 50, seed=0)
    assert set(small_set.train.energy) < set(large_set.train.energy)
    np.testing.assert_array_equal(small_set.test.energy, large_set.test.energy)
    np.testing.assert_array_equal(small_set.valid.energy, large_set.valid.energy)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (2, 1, None), (2, 1, 1)])
def test_empty_or_overlarge_random_splits_are_refused(sizes):
    with pytest.raises(ValueError, match="small has 3 structures"):
        split(small(), *sizes, seed=0)


def test_official_split_sets_validation_frames_of_the_training_set_aside():
    data = load("rmd17-aspirin")
    parts = official_split(data, valid=50, seed=3)
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (950, 50, 1000)
    drawn = np.concatenate([parts.train.energy, parts.valid.energy])
    np.testing.assert_array_equal(np.sort(drawn), np.sort(data.energy[data.splits["train"]]))
    np.testing.assert_array_equal(parts.test.energy, data.energy[data.splits["test"]])
    again, other = (official_split(data, valid=50, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(parts.valid.energy, again.valid.energy)
    assert set(parts.valid.energy) != set(other.valid.energy)


def test_a_published_validation_set_leaves_the_training_set_whole():
    data = load("culi")
    whole, part = official_split(data), official_split(data, valid=20, seed=0)
    assert (len(whole.train), len(whole.valid), len(whole.test)) == (1680, 250, 248)
    assert (len(part.train), len(part.valid), len(part.test)) == (1680, 20, 248)
    assert set(part.valid.energy) < set(whole.valid.energy)
    assert len(official_split(data, variant="random").train) == 1742


def test_impossible_official_splits_say_what_exists():
    data = load("rmd17-aspirin")
    for valid in (0, 1000, -3):
        with pytest.raises(ValueError, match="valid must lie between 1 and 999"):
            official_split(data, valid=valid, seed=0)
    with pytest.raises(ValueError, match="how many"):
        official_split(data)
    with pytest.raises(ValueError, match=r"no official split '02'.*train_01"):
        official_split(data, valid=50, seed=0, variant="02")
    with pytest.raises(ValueError, match=r"qm9 has no official split"):
        official_split(load("qm9"), valid=50, seed=0)
    with pytest.raises(ValueError, match="between 1 and 250"):
        official_split(load("culi"), valid=251)


def test_official_sets_that_overlap_are_refused():
    data = small(splits={"train": [0, 1], "test": [1, 2]})
    with pytest.raises(ValueError, match="share 1 structures"):
        official_split(data, valid=1)


def test_least_squares_recovers_the_reference_energies_of_linear_data():
    truth = {1: -13.6, 6: -1029.4, 7: -1484.9, 8: -2041.8, 9: -2713.5}
    data = load("qm9")
    energy = [sum(truth[z] for z in item.numbers.tolist()) for item in data]
    linear = Dataset("linear", data.numbers, data.positions, data.n_atoms, energy)
    stats = statistics(linear)
    assert stats.atomic_energies == pytest.approx(truth, abs=1e-7)
    assert stats.per_atom_energy_std < 1e-8
    assert stats.force_rms is None


def test_reference_energies_of_one_molecule_add_up_to_its_mean_energy():
    data = load("rmd17-aspirin")
    stats = statistics(data)
    total = sum(stats.atomic_energies[z] for z in data[0].numbers.tolist())
    assert total == pytest.approx(data.energy.mean(), abs=1e-6)
    assert stats.per_atom_energy_std == pytest.approx(data.energy.std() / 21, rel=1e-9)


def test_reference_energies_of_culi_are_near_the_documented_fit():
    # culi README: Li -2.297, Cu -10.658 eV from a fit of energies per atom, here of totals.
    data = load("culi")
    energies = statistics(data.select(data.splits["train"])).atomic_energies
    assert energies[3] == pytest.approx(-2.297, abs=0.03)
    assert energies[29] == pytest.approx(-10.658, abs=0.03)


def test_force_rms_is_per_component():
    data = small()
    assert statistics(data).force_rms == pytest.approx(np.sqrt(np.mean(data.forces**2)))
    assert statistics(data).n_atoms == 6
