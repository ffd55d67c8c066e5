"""Reference energies of a potential that is tuned further, fitted to what it leaves unexplained.

A data set of another program or functional has other energies of free atoms, and new elements have
none so far. Corrections of least squares on label - prediction, and of least norm where the
compositions do not determine them, leave out what the potential knows already: with data like
those it was trained on, the reference energies stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphStore
from allegro_jax.potential import Potential
from allegro_jax.training.config import TrainingConfig

_MOST = 2000  # structures that corrections are fitted to; a few numbers need no more
_OF_ELEMENT = 100  # of these, at least so many with each element, where there are as many


def corrected_references(
    members: Sequence[Potential],
    train_set: Dataset | GraphStore,
    known: ModelConfig,
    training: TrainingConfig,
) -> dict[str, float]:
    """Returns reference energies (eV) by chemical symbol.

    Those of new elements are fitted with the old ones held; then, unless `training.references` is
    "keep", all are corrected together.

    Args:
        members: Potentials with equal reference energies, zero for new elements; means count.
        train_set: Structures with energies.
        known: Config before elements were added.
        training: Settings of the run.

    Raises:
        ValueError: If the members have different reference energies, or the training set has an
            element that they lack.
    """
    first = members[0]
    if any(member.atomic_energies != first.atomic_energies for member in members):
        raise ValueError(
            "the members of a committee that is tuned further must have equal reference energies, "
            "as those trained together have"
        )
    symbols = first.config.type_names
    rows = _sample(train_set)
    counts = train_set.composition(first.config.atomic_numbers)[rows]
    structures = [train_set[int(row)] for row in rows]
    predicted = np.mean([[r.energy for r in member(structures)] for member in members], axis=0)
    left = train_set.energy[rows] - predicted
    labelled = np.isfinite(left)
    counts, left = counts[labelled], left[labelled]
    is_new = np.array([symbol not in known.type_names for symbol in symbols])
    corrections = np.zeros(len(symbols))
    stages = [is_new] if training.references == "keep" else [is_new, np.ones_like(is_new)]
    for columns in stages:
        corrections[columns] += _least_norm(counts[:, columns], left - counts @ corrections)
    return {
        symbol: first.atomic_energies[symbol] + float(correction)
        for symbol, correction in zip(symbols, corrections, strict=True)
    }


def _least_norm(
    counts: Float[np.ndarray, "structures types"], energies: Float[np.ndarray, "structures"]
) -> Float[np.ndarray, "types"]:
    if not counts.size:
        return np.zeros(counts.shape[1])
    return np.linalg.lstsq(counts, energies)[0]


def _sample(dataset: Dataset | GraphStore) -> np.ndarray:
    """Structures evenly over the set, and some of each element."""
    if len(dataset) <= _MOST:
        return np.arange(len(dataset))
    counts = dataset.composition(dataset.elements)
    holders = [np.flatnonzero(column)[:_OF_ELEMENT] for column in counts.T]
    return np.unique(np.concatenate([np.linspace(0, len(dataset) - 1, _MOST, dtype=int), *holders]))
