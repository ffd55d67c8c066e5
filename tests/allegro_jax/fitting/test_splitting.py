"""Sets are split as published, or so that errors mean something."""

import numpy as np
import pytest

from allegro_jax.datasets import Dataset, LeakWarning, load
from allegro_jax.fitting import default_splits


def sizes(*arguments, **options) -> tuple[int, int, int]:
    parts = default_splits(*arguments, **options)
    return len(parts.train), len(parts.valid), len(parts.test)


@pytest.fixture(scope="module")
def aspirin() -> Dataset:
    return load("rmd17-aspirin")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rmd17-aspirin", (950, 50, 1000)),
        ("culi", (1680, 250, 248)),
        ("cu", (238, 25, 31)),
        ("qm9", (4275, 225, 500)),
    ],
)
def test_published_splits_are_kept(name: str, expected: tuple[int, int, int]) -> None:
    assert sizes(load(name)) == expected


def test_numbers_leave_the_published_split_aside(aspirin: Dataset) -> None:
    assert sizes(aspirin, train=100) == (100, 90, 200)
    assert sizes(aspirin, valid=10) == (990, 10, 1000)
    assert sizes(aspirin, valid=10, test=20) == (1970, 10, 20)


def test_parts_are_disjoint_and_a_seed_repeats_them(aspirin: Dataset) -> None:
    data = aspirin.select(range(60))
    first, again, other = (default_splits(data, seed=seed) for seed in (0, 0, 1))
    energies = [part.energy for part in (first.train, first.valid, first.test)]
    assert np.array_equal(np.sort(np.concatenate(energies)), np.sort(data.energy))
    assert np.array_equal(first.train.energy, again.train.energy)
    assert not np.array_equal(first.train.energy, other.train.energy)


def test_sets_that_are_given_are_taken_whole(aspirin: Dataset) -> None:
    data, valid, test = (aspirin.select(rows) for rows in (range(50), range(50, 57), range(57, 60)))
    parts = default_splits(data, valid=valid, test=test)
    assert parts.valid is valid
    assert parts.test is test
    assert len(parts.train) == 50
    assert sizes(data, valid=valid) == (40, 7, 10)
    assert sizes(aspirin, valid=valid) == (1000, 7, 1000)


def test_a_draw_that_trains_on_copies_of_the_test_is_warned_of(aspirin: Dataset) -> None:
    twice = aspirin.select([*range(20), *range(20)])
    with pytest.warns(LeakWarning, match="also in it.* give valid and test as sets of their own"):
        default_splits(twice)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_too_few_frames_are_refused_in_plain_words(aspirin: Dataset, count: int) -> None:
    with pytest.raises(ValueError, match=f"has {count} frames; expected at least 10"):
        default_splits(aspirin.select(range(count)))


@pytest.mark.parametrize("numbers", [{"train": 0}, {"train": 1990}, {"valid": 0, "test": 5}])
def test_numbers_that_do_not_add_up_are_refused(aspirin: Dataset, numbers) -> None:
    with pytest.raises(ValueError, match=r"2000 structures; train="):
        default_splits(aspirin, **numbers)
