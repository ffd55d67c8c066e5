"""Splits into training, validation and test sets: by seed, or as published."""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from allegro_jax.datasets.dataset import Structure
from allegro_jax.datasets.leaks import leaks
from allegro_jax.datasets.warned import LeakWarning


class Divisible(Protocol):
    """What can be split: a `Dataset`, or a `GraphStore` on disk."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def splits(self) -> Mapping[str, np.ndarray]:
        """Official splits as rows."""

    @property
    def config_type(self) -> np.ndarray | None:
        """What kind of structure each is."""

    def __len__(self) -> int:
        """Returns the number of structures."""

    def __getitem__(self, index: int) -> Structure:
        """Returns a structure."""

    def select(self, indices: np.ndarray) -> Self:
        """Returns some of the structures."""


D = TypeVar("D", bound=Divisible)


@dataclasses.dataclass(frozen=True)
class Splits(Generic[D]):
    """Three disjoint, non-empty data sets.

    Attributes:
        train: to fit on.
        valid: to choose on (early stopping, hyperparameters).
        test: to report on.
    """

    train: D
    valid: D
    test: D


def split(
    dataset: D, train: int, valid: int, test: int | None = None, *, seed: int, check: bool = True
) -> Splits[D]:
    """Draws disjoint sets at random; the same seed gives the same sets.

    Warns (`LeakWarning`) where that makes test errors too good: copies across the sets, or frames
    of trajectories, which `group_split` keeps together.

    Args:
        dataset: what to draw from.
        train: number of structures.
        valid: number of structures.
        test: number of structures; all that remain when None.
        seed: of the draw. For a given seed, the training set does not depend on `valid` or
            `test`, and a smaller one is part of a larger one.
        check: look for leaks, see `leaks`; of a large set a sample is looked at.

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
    return _parts(dataset, order[:train], order[-test - valid : -test], order[-test:], check)


def group_split(
    dataset: D,
    valid: float = 0.1,
    test: float = 0.1,
    *,
    groups: Sequence[Any] | np.ndarray | None = None,
    seed: int,
    check: bool = True,
) -> Splits[D]:
    """Draws disjoint sets of whole groups, so that no trajectory is in two of them.

    Args:
        dataset: what to draw from.
        valid: share of the structures, reached as nearly as the groups allow.
        test: likewise; the others are for training.
        groups: a label per structure, such as its trajectory; None takes `config_type`.
        seed: of the draw.
        check: look for copies across the sets, see `leaks`.

    Raises:
        ValueError: no groups, fewer than three, not one label per structure, or shares that leave
            nothing to train on.

    Example:
        >>> from allegro_jax import datasets
        >>> data = datasets.load("culi").select(range(0, 2178, 20))
        >>> parts = datasets.group_split(data, groups=data.config_type, seed=0)
        >>> set(parts.train.config_type) & set(parts.test.config_type)
        set()
    """
    labels = dataset.config_type if groups is None else np.asarray(groups)
    if labels is None:
        raise ValueError(
            f"{dataset.name} has no config_type; give groups=, one label per structure (for "
            "instance the trajectory it comes from)"
        )
    if labels.shape != (len(dataset),):
        raise ValueError(
            f"{dataset.name} has {len(dataset)} structures, so groups must hold as many labels; "
            f"its shape is {labels.shape}"
        )
    if not (valid > 0 and test > 0 and valid + test < 1):
        raise ValueError(
            f"valid and test are shares of the structures, above 0 and below 1 together; came "
            f"valid={valid}, test={test}"
        )
    _, owner = np.unique(labels, return_inverse=True)
    sizes = np.bincount(owner)
    if len(sizes) < 3:
        raise ValueError(
            f"{dataset.name} has {len(sizes)} groups; three sets need at least as many: group "
            "more finely, or use split()"
        )
    shares = np.array([1 - valid - test, valid, test]) * len(dataset)
    part = _assigned(sizes, shares, np.random.default_rng(seed))[owner]
    train, chosen, tested = (np.flatnonzero(part == k) for k in range(3))
    return _parts(dataset, train, chosen, tested, check)


def _assigned(sizes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the part of every group; each in turn goes where most is missing."""
    part = np.full(len(sizes), -1)
    missing = shares.copy()
    order = rng.permutation(len(sizes))
    # A small part would stay empty beside large groups, so it gets the first that is not too large.
    for k in (2, 1):
        free = order[part[order] < 0]
        fitting = free[sizes[free] <= max(shares[k], sizes[free].min())]
        part[fitting[0]] = k
        missing[k] -= sizes[fitting[0]]
    for group in order[part[order] < 0]:
        part[group] = np.argmax(missing)
        missing[part[group]] -= sizes[group]
    if not (part == 0).any():
        raise ValueError("the groups left none to train on; ask for smaller valid and test")
    return part


def _parts(
    dataset: D, train: np.ndarray, valid: np.ndarray, test: np.ndarray, check: bool
) -> Splits[D]:
    if check:
        for sentence in leaks(dataset, {"train": train, "valid": valid, "test": test}):
            message = f"{dataset.name}: {sentence}; check=False keeps quiet"
            warnings.warn(message, LeakWarning, stacklevel=3)
    return Splits(dataset.select(train), dataset.select(valid), dataset.select(test))


def official_split(
    dataset: D, valid: int | None = None, seed: int = 0, variant: str | None = None
) -> Splits[D]:
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
