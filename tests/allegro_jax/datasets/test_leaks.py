import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from allegro_jax.datasets import (
    Dataset,
    LeakWarning,
    duplicates,
    group_split,
    leaks,
    load,
    official_split,
    split,
)
from allegro_jax.datasets.fingerprints import fingerprints


@pytest.fixture(scope="module")
def benzene():
    return load("rmd17-benzene").select(range(120))


def changed(data, **arrays):
    fields = ("numbers", "positions", "n_atoms", "energy", "forces", "cell", "pbc", "config_type")
    kept = {name: getattr(data, name) for name in fields}
    return Dataset("changed", **(kept | arrays))


def trajectory(frames=200, seed=0):
    """A chain of atoms whose shape wanders slowly: neighbours in time are alike."""
    rng = np.random.default_rng(seed)
    start = np.arange(6)[:, None] * [1.5, 0.3, 0.0]
    steps = np.cumsum(rng.normal(0, 0.03, (frames, 6, 3)), axis=0)
    return Dataset(
        "chain", np.full(6 * frames, 6), (start + steps).reshape(-1, 3), np.full(frames, 6),
        rng.normal(size=frames),
    )  # fmt: skip


def test_a_structure_turned_moved_and_renumbered_has_the_same_fingerprint(benzene):
    rotation = Rotation.from_euler("xyz", [0.3, 1.0, 2.0]).as_matrix()
    order = np.random.default_rng(0).permutation(12)
    item = benzene[0]
    moved = Dataset(
        "moved", item.numbers[order], (item.positions @ rotation + 3.0)[order], [12], [0.0]
    )
    np.testing.assert_allclose(fingerprints(moved, [0]), fingerprints(benzene, [0]), atol=1e-9)
    assert np.abs(fingerprints(benzene, [0]) - fingerprints(benzene, [1])).max() > 1e-2


def test_wrapping_atoms_into_the_cell_does_not_change_a_fingerprint():
    data = load("culi").select([100])
    cell = data.cell[0]
    fractions = data.positions @ np.linalg.inv(cell)
    wrapped = (fractions - np.floor(fractions) * data.pbc[0]) @ cell
    moved = changed(data, positions=wrapped)
    np.testing.assert_allclose(fingerprints(moved, [0]), fingerprints(data, [0]), atol=1e-8)


def test_an_exchange_of_two_elements_changes_the_fingerprint():
    data = load("culi").select([100])
    numbers = data.numbers.copy()
    i, j = np.flatnonzero(numbers == 3)[0], np.flatnonzero(numbers == 29)[5]
    numbers[[i, j]] = numbers[[j, i]]
    other = changed(data, numbers=numbers)
    assert np.abs(fingerprints(other, [0]) - fingerprints(data, [0])).max() > 1e-3


def test_fingerprints_move_no_more_than_the_atoms(benzene):
    shift = 0.01 * np.sign(np.random.default_rng(0).normal(size=benzene.positions.shape))
    moved = changed(benzene, positions=benzene.positions + shift / np.sqrt(3))
    rows = range(20)
    assert np.abs(fingerprints(moved, rows) - fingerprints(benzene, rows)).max() <= 2.4 * 0.01


def test_duplicates_are_listed_in_groups(benzene):
    doubled = benzene.select([5, 3, 7, 3, 5, 3, 9])
    assert [group.tolist() for group in duplicates(doubled)] == [[0, 4], [1, 3, 5]]
    assert [group.tolist() for group in duplicates(doubled, [0, 2, 4])] == [[0, 4]]
    assert duplicates(benzene) == []


def test_copies_across_a_random_split_are_warned_of(benzene):
    doubled = benzene.select(np.tile(np.arange(60), 2))
    with pytest.warns(LeakWarning, match=r"\d+ of 60 structures outside of the training set"):
        split(doubled, 60, 30, seed=0)


def test_random_splits_of_a_trajectory_are_warned_of():
    with pytest.warns(LeakWarning, match="as in trajectories.*group_split"):
        split(trajectory(), 160, 20, seed=0)


@pytest.mark.parametrize("name", ["rmd17-benzene", "rmd17-aspirin", "qm9"])
def test_random_splits_of_independent_structures_are_silent(name, recwarn):
    data = load(name).select(range(1000))
    split(data, 800, 100, seed=0)
    assert not recwarn.list


def test_the_published_splits_of_culi_leak_only_where_they_are_random():
    data = load("culi").select(range(600))
    order = np.random.default_rng(0).permutation(600)
    assert len(leaks(data, {"train": order[:500], "test": order[500:]})) == 1
    blocks = {"train": np.arange(500), "test": np.arange(500, 600)}
    assert leaks(data, blocks) == []


def test_splits_by_group_are_disjoint_of_the_size_asked_for_and_repeatable(recwarn):
    runs = [trajectory(10, seed).positions + np.random.default_rng(seed).normal(size=(1, 1))
            for seed in range(20)]  # fmt: skip
    data, groups = changed(trajectory(), positions=np.concatenate(runs)), np.repeat(range(20), 10)
    first, again, other = (group_split(data, groups=groups, seed=seed) for seed in (1, 1, 2))
    assert (len(first.train), len(first.valid), len(first.test)) == (160, 20, 20)
    parts = (first.train, first.valid, first.test)
    owners = [set(groups[np.isin(data.energy, part.energy)]) for part in parts]
    assert sum(map(len, owners)) == 20
    assert set().union(*owners) == set(range(20))
    np.testing.assert_array_equal(first.test.energy, again.test.energy)
    assert set(first.test.energy) != set(other.test.energy)
    assert not recwarn.list


def test_small_parts_are_not_left_empty_beside_large_groups():
    groups = np.repeat([0, 1, 2], [150, 40, 10])
    parts = group_split(trajectory(), groups=groups, seed=0, check=False)
    assert {len(parts.train), len(parts.valid), len(parts.test)} == {150, 40, 10}


def test_groups_default_to_config_types():
    data = load("culi")
    parts = group_split(data, seed=0, check=False)
    kinds = [set(part.config_type) for part in (parts.train, parts.valid, parts.test)]
    assert not kinds[0] & (kinds[1] | kinds[2])
    assert set().union(*kinds) == set(data.config_type)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "chain has no config_type; give groups="),
        ({"groups": np.arange(3)}, "200 structures, so groups must hold as many"),
        ({"groups": np.arange(200) % 2}, "2 groups; three sets need at least as many"),
        ({"groups": np.arange(200), "valid": 0.5, "test": 0.5}, "below 1 together"),
    ],
)
def test_impossible_splits_by_group_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        group_split(trajectory(), **options, seed=0)


def test_official_splits_are_taken_as_they_are(recwarn):
    official_split(load("culi"), variant="random")
    assert not recwarn.list
