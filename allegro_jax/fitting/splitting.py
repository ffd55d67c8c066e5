"""Training, validation and test set where nobody says which."""

from __future__ import annotations

import warnings

import numpy as np

from allegro_jax.datasets import Dataset, LeakWarning, Splits, leaks, official_split
from allegro_jax.graphs import GraphStore

LEAST = 10
"""Structures below which nothing can be learned and tested."""

Data = Dataset | GraphStore
Part = int | Data | None


def default_splits(
    dataset: Data,
    train: int | None = None,
    valid: Part = None,
    test: Part = None,
    *,
    seed: int = 0,
) -> Splits:
    """Splits as published where the set has a published split, and at random elsewhere.

    Numbers that are not given: a tenth for the test (at most 1,000), a twentieth of what is left
    for validation (at most 500), in small sets at least 25 or a fifth, and all others to train on.
    Warns (`LeakWarning`) where copies or frames of one trajectory are drawn for several sets.

    Args:
        dataset: Labelled structures.
        train: Number of training structures; with it a published split is left aside.
        valid: Number of validation structures, or these themselves.
        test: Number of test structures, or these themselves; with it a published split is left
            aside too.
        seed: Of the draw.

    Raises:
        ValueError: If there are too few structures, or fewer than asked for.

    Example:
        >>> from allegro_jax.datasets import load
        >>> from allegro_jax.fitting.splitting import default_splits
        >>> parts = default_splits(load("qm9"))
        >>> len(parts.train), len(parts.valid), len(parts.test)
        (4275, 225, 500)
    """
    given = [part for part in (valid, test) if _is_set(part)]
    if len(dataset) < LEAST and len(given) < 2:
        raise ValueError(
            f"{dataset.name} has {len(dataset)} frames; expected at least {LEAST}, better "
            "hundreds, to train on, validate and test: label more, or give valid and test as sets "
            "of their own"
        )
    if train is None and test is None and {"train", "test"} <= set(dataset.splits):
        return _published(dataset, valid, seed)
    return _drawn(dataset, train, valid, test, seed)


def _published(dataset: Data, valid: Part, seed: int) -> Splits:
    learnt, tested = dataset.splits["train"], dataset.splits["test"]
    if isinstance(valid, Data):
        return Splits(dataset.select(learnt), valid, dataset.select(tested))
    if valid is None and "valid" not in dataset.splits:
        valid = _share(len(learnt), 20, 500)
    return official_split(dataset, valid, seed=seed)


def _drawn(dataset: Data, train: int | None, valid: Part, test: Part, seed: int) -> Splits:
    """Draws what is not given, as `split` does; what is given as a set is taken as it is."""
    size = len(dataset)
    n_test = _number(test, _share(size, 10, 1000))
    n_valid = _number(valid, _share(size - n_test, 20, 500))
    n_train = size - n_valid - n_test if train is None else train
    asked = [n_train] + [n for n, part in ((n_valid, valid), (n_test, test)) if not _is_set(part)]
    if min(asked) < 1 or sum(asked) > size:
        raise ValueError(
            f"{dataset.name} has {size} structures; train={n_train}, valid={n_valid}, "
            f"test={n_test} must each be at least 1 and sum to no more than that"
        )
    order = np.random.default_rng(seed).permutation(size)
    rows = {"valid": order[size - n_test - n_valid : size - n_test], "test": order[size - n_test :]}
    drawn = {name: chosen for name, chosen in rows.items() if len(chosen)}
    if drawn:
        _warn_of_leaks(dataset, {"train": order[:n_train], **drawn})
    return Splits(
        train=dataset.select(order[:n_train]),
        valid=valid if isinstance(valid, Data) else dataset.select(rows["valid"]),
        test=test if isinstance(test, Data) else dataset.select(rows["test"]),
    )


def _warn_of_leaks(dataset: Data, rows: dict[str, np.ndarray]) -> None:
    for sentence in leaks(dataset, rows):
        message = f"{dataset.name}: {sentence}; give valid and test as sets of their own"
        warnings.warn(message, LeakWarning, stacklevel=4)


def _is_set(part: Part) -> bool:
    return isinstance(part, Data)


def _number(part: Part, default: int) -> int:
    """How many structures are drawn for a part; none where it is given as a set."""
    if isinstance(part, Data):
        return 0
    return default if part is None else part


def _share(size: int, parts: int, most: int) -> int:
    """One of so many parts of a set, within what makes its errors mean something."""
    return min(max(size // parts, min(25, size // 5), 1), most)
