"""Splits into training, validation and test sets: by seed, or as published."""

import dataclasses

import numpy as np

from allegro_jax.datasets.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class Splits:
    """Three disjoint, non-empty data sets.

    Attributes:
        train: to fit on.
        valid: to choose on (early stopping, hyperparameters).
        test: to report on.
    """

    train: Dataset
    valid: Dataset
    test: Dataset


def split(
    dataset: Dataset, train: int, valid: int, test: int | None = None, *, seed: int
) -> Splits:
    """Draws disjoint sets at random; the same seed gives the same sets.

    Args:
        dataset: what to draw from.
        train: number of structures.
        valid: number of structures.
        test: number of structures; all that remain when None.
        seed: of the draw. For a given seed, the training set does not depend on `valid` or
            `test`, and a smaller one is part of a larger one.

    Raises:
        ValueError: a set would be empty, or more structures are asked for than exist.

    Example:
        >>> from allegro_jax import datasets
        >>> parts = datasets.split(datasets.load("qm9"), 4000, 500, seed=0)
        >>> len(parts.train), len(parts.valid), len(parts.test)
        (4000, 500, 500)
    """
    if test is None:
        test = len(dataset) - train - valid
    if min(train, valid, test) < 1 or train + valid + test > len(dataset):
        raise ValueError(
            f"{dataset.name} has {len(dataset)} structures; train={train}, valid={valid}, "
            f"test={test} must each be at least 1 and sum to no more than that"
        )
    order = np.random.default_rng(seed).permutation(len(dataset))
    # Validation and test come from the far end, so that training sets of different sizes nest
    # and are scored on the same structures.
    return Splits(
        train=dataset.select(order[:train]),
        valid=dataset.select(order[-test - valid : -test]),
        test=dataset.select(order[-test:]),
    )


def official_split(
    dataset: Dataset, valid: int | None = None, seed: int = 0, variant: str | None = None
) -> Splits:
    """Takes the published training and test sets; validation structures are drawn by seed.

    Where a validation set was published (culi), `valid` structures of it are drawn and the
    training set stays whole: drawing from the training trajectories would leak. Elsewhere (rMD17,
    Cu, Li) they are drawn from the training set, which shrinks by as many.

    Args:
        dataset: a set with `splits`.
        valid: how many validation structures; None takes the published validation set whole.
        seed: of the draw.
        variant: another published split than the first: `"02"` to `"05"` for full rMD17 files,
            `"random"` for culi.

    Raises:
        ValueError: no such published split, an empty set, or more structures asked for than
            exist.

    Example:
        >>> from allegro_jax import datasets
        >>> parts = datasets.official_split(datasets.load("rmd17-aspirin"), valid=50, seed=0)
        >>> len(parts.train), len(parts.valid), len(parts.test)
        (950, 50, 1000)
    """
    suffix = "" if variant is None else f"_{variant}"
    if not {f"train{suffix}", f"test{suffix}"} <= set(dataset.splits):
        raise ValueError(
            f"{dataset.name} has no official split{'' if variant is None else f' {variant!r}'}; "
            f"it has {sorted(dataset.splits) or 'none'}: use split(dataset, train, valid, test, "
            "seed=...) or another variant"
        )
    train, test = dataset.splits[f"train{suffix}"], dataset.splits[f"test{suffix}"]
    published = dataset.splits.get(f"valid{suffix}")
    _check_disjoint(dataset.name, [rows for rows in (train, test, published) if rows is not None])
    if published is None:
        train, chosen = _draw(dataset.name, train, valid, seed)
    elif valid is None:
        chosen = published
    else:
        chosen = _shuffled(published, seed)[: _checked(dataset.name, valid, len(published))]
    return Splits(dataset.select(train), dataset.select(chosen), dataset.select(test))


def _check_disjoint(name: str, parts: list[np.ndarray]) -> None:
    rows = np.concatenate(parts)
    if len(np.unique(rows)) < len(rows):
        raise ValueError(
            f"{name}: the official sets share {len(rows) - len(np.unique(rows))} structures, so "
            "test errors would be too good; repair the split in the file or use split()"
        )


def _draw(
    name: str, train: np.ndarray, valid: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Moves `valid` rows from the training set to a validation set."""
    if valid is None:
        raise ValueError(
            f"{name} has no published validation set; say how many of its {len(train)} training "
            "structures to set aside: valid=..."
        )
    order = _shuffled(train, seed)
    _checked(name, valid, len(train) - 1)
    return np.sort(order[valid:]), order[:valid]


def _shuffled(rows: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(rows)


def _checked(name: str, valid: int, most: int) -> int:
    if not 1 <= valid <= most:
        raise ValueError(f"{name}: valid must lie between 1 and {most}; came {valid}")
    return valid
