"""Structures that occur twice, and splits whose parts are not independent."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from allegro_jax.datasets.fingerprints import Structures, compositions, fingerprints

TOLERANCE = 1e-3
"""Fingerprints that differ by less than this in every component, in Å, are of one structure."""

_TOLERANCE_OF_FEW = 1e-5  # of structures with three atoms or fewer, which meet by chance
_MOST_TRAINING, _MOST_OTHERS = 20_000, 2_000  # structures that are looked at
_CORRELATED = 0.5  # of the difference between random frames
_RANDOM_PAIRS = 1_000


def duplicates(
    structures: Structures, rows: Sequence[int] | Int[np.ndarray, "rows"] | None = None
) -> list[Int[np.ndarray, "copies"]]:
    """Returns the groups of structures that are the same up to 1e-3 Å, order of atoms and place.

    Mirror images count as the same, as do frames that differ in their labels alone.

    Args:
        structures: A data set or a store.
        rows: Which of them; None for all.

    Example:
        >>> from allegro_jax import datasets
        >>> data = datasets.load("rmd17-benzene").select([3, 1, 3, 2])
        >>> datasets.duplicates(data)
        [array([0, 2])]
    """
    chosen = np.arange(len(structures)) if rows is None else np.asarray(rows)
    vectors, kinds = fingerprints(structures, chosen), _kinds(structures, chosen)
    pairs = [
        members[cKDTree(vectors[members]).query_pairs(tolerance, p=np.inf, output_type="ndarray")]
        for members, tolerance in kinds
    ]
    return [chosen[group] for group in _connected(np.concatenate(pairs), len(chosen))]


def leaks(
    structures: Structures, parts: Mapping[str, Sequence[int] | Int[np.ndarray, "..."]]
) -> list[str]:
    """Returns what makes a split's test errors too good, one sentence each; none if all is well.

    Looked for are structures outside of the training set that are also in it (up to 1e-3 Å), and
    structures that follow each other in the set, as in a trajectory, and are much more alike than
    others of the same composition. Of large sets a sample is looked at.

    Args:
        structures: The data set or store that was split.
        parts: Rows of `train` and of the other parts.

    Example:
        >>> from allegro_jax import datasets
        >>> data = datasets.load("rmd17-benzene").select([0, 1, 2, 3, 0])
        >>> datasets.leaks(data, {"train": [0, 1, 2], "test": [3, 4]})[0][:65]
        '1 of 2 structures outside of the training set are also in it, up '
    """
    others = _some(np.concatenate([r for key, r in parts.items() if key != "train"]))
    train = np.asarray(parts["train"])
    beside = np.concatenate([others - 1, others + 1])
    beside = beside[np.isin(beside, train)]
    training = np.union1d(_some(train, _MOST_TRAINING), beside)
    rows = np.concatenate([training, others])
    vectors, kinds = fingerprints(structures, rows), _kinds(structures, rows)
    is_other = np.arange(len(rows)) >= len(training)
    found = [_copies(vectors, kinds, is_other), _neighbours(vectors, kinds, rows, is_other)]
    return [sentence for sentence in found if sentence]


def _copies(
    vectors: Float[np.ndarray, "rows components"],
    kinds: list[tuple[Int[np.ndarray, "members"], float]],
    is_other: Bool[np.ndarray, "rows"],
) -> str:
    copies = 0
    for members, tolerance in kinds:
        others, train = members[is_other[members]], members[~is_other[members]]
        if len(others) and len(train):
            distance, _ = cKDTree(vectors[train]).query(
                vectors[others], p=np.inf, distance_upper_bound=tolerance
            )
            copies += int(np.isfinite(distance).sum())
    if not copies:
        return ""
    return (
        f"{copies} of {is_other.sum()} structures outside of the training set are also in it, up "
        f"to {TOLERANCE} Å: remove duplicates first (datasets.duplicates lists them)"
    )


def _neighbours(
    vectors: Float[np.ndarray, "rows components"],
    kinds: list[tuple[Int[np.ndarray, "members"], float]],
    rows: Int[np.ndarray, "rows"],
    is_other: Bool[np.ndarray, "rows"],
) -> str:
    """Compares structures whose rows differ by one with random ones of the same composition."""
    place = {int(row): k for k, row in enumerate(rows)}
    kind = np.zeros(len(rows), int)
    for number, (members, _) in enumerate(kinds):
        kind[members] = number
    others = np.flatnonzero(is_other)
    beside = [
        (place[rows[k] + step], k)
        for k in others
        for step in (-1, 1)
        if rows[k] + step in place and not is_other[place[rows[k] + step]]
    ]
    alike = np.array([pair for pair in beside if kind[pair[0]] == kind[pair[1]]]).reshape(-1, 2)
    random = _random_pairs(kinds)
    # Sets of many molecules have few successive structures of one composition: no trajectory.
    if len(alike) < max(5, len(beside) / 2) or len(random) < 20:
        return ""
    near, far = (_difference(vectors, pairs) for pairs in (alike, random))
    if near >= _CORRELATED * far:
        return ""
    share = len(np.unique(alike[:, 1])) / len(others)
    return (
        f"structures next to each other are {far / max(near, 1e-12):.0f} times as alike as random "
        f"ones, as in trajectories, and {100 * share:.0f} % of those outside of the training set "
        "have such a neighbour in it: split by trajectory (datasets.group_split)"
    )


def _difference(vectors: np.ndarray, pairs: Int[np.ndarray, "pairs 2"]) -> float:
    squared = np.mean((vectors[pairs[:, 0]] - vectors[pairs[:, 1]]) ** 2, axis=1)
    return float(np.median(np.sqrt(squared)))


def _random_pairs(
    kinds: list[tuple[Int[np.ndarray, "members"], float]],
) -> Int[np.ndarray, "pairs 2"]:
    rng, pairs = np.random.default_rng(0), []
    total = sum(len(members) for members, _ in kinds)
    for members, _ in kinds:
        count = _RANDOM_PAIRS * len(members) // total if len(members) > 1 else 0
        drawn = rng.choice(members, (count, 2))
        pairs.append(drawn[drawn[:, 0] != drawn[:, 1]])
    return np.concatenate(pairs)


def _kinds(
    structures: Structures, rows: Int[np.ndarray, "rows"]
) -> list[tuple[Int[np.ndarray, "members"], float]]:
    """Places of the rows by composition, each with the tolerance of that kind."""
    numbers = compositions(structures, rows)
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    atoms = [len(structures[int(rows[group[0]])].numbers) for group in members]
    return [
        (group, TOLERANCE if count > 3 else _TOLERANCE_OF_FEW)
        for group, count in zip(members, atoms, strict=True)
    ]


def _connected(pairs: Int[np.ndarray, "pairs 2"], count: int) -> list[np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = pairs.reshape(-1, 2)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    number, owner = connected_components(links, directed=False)
    sizes = np.bincount(owner, minlength=number)
    groups = np.split(np.argsort(owner, kind="stable"), np.cumsum(sizes)[:-1])
    return sorted((group for group in groups if len(group) > 1), key=lambda group: int(group[0]))


def _some(rows: np.ndarray, most: int = _MOST_OTHERS) -> np.ndarray:
    if len(rows) <= most:
        return np.asarray(rows)
    return np.random.default_rng(0).choice(rows, most, replace=False)
