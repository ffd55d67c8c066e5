"""Elements that the data have and a model, or its training, lacks: found before the training."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

from ase.data import chemical_symbols

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset, DataWarning
from allegro_jax.graphs import GraphStore


def symbols_of(structures: Dataset | GraphStore) -> list[str]:
    """Returns the chemical symbols of the elements that occur."""
    return [chemical_symbols[number] for number in structures.elements]


def check_elements(
    config: ModelConfig,
    train: Dataset | GraphStore,
    others: Mapping[str, Dataset | GraphStore],
    known: Collection[str] = (),
) -> None:
    """Checks that a model can be trained on a set and used on others.

    Args:
        config: Model.
        train: Structures to learn from.
        others: Structures by name on which the potential will be validated or tested.
        known: Symbols that the potential knows before the training.

    Raises:
        ValueError: If the config lacks an element of the training set, or neither the training set
            nor what was known has an element of the others.
    """
    learned = {*symbols_of(train), *known}
    if lacking := [name for name in symbols_of(train) if name not in config.type_names]:
        raise ValueError(
            f"the training set has {lacking}, and the config has the types "
            f"{config.type_names}; take the config from `config_from_data(train_set, ...)`, or to "
            "tune a potential from `fine_tuning_config(init, train_set)`, which have them"
        )
    for name, structures in others.items():
        if unseen := [symbol for symbol in symbols_of(structures) if symbol not in learned]:
            raise ValueError(
                f"the set {name!r} holds {', '.join(unseen)}, of which there is nothing among the "
                f"{len(train)} training structures ({', '.join(sorted(learned))}): train on more "
                "structures, take another seed of the split, or leave those out"
            )


def warn_of_unlearned(
    config: ModelConfig, train: Dataset | GraphStore, known: Collection[str] = ()
) -> None:
    """Warns (`DataWarning`) of types of the config of which nothing will be learned.

    Args:
        config: Model.
        train: Structures to learn from.
        known: Symbols that the potential knows before the training.
    """
    learned = {*symbols_of(train), *known}
    if unlearned := [name for name in config.type_names if name not in learned]:
        warnings.warn(
            f"the training set {train.name!r} has none of the types {unlearned} of "
            "the config: what the potential will say about them is chance, with reference energies "
            "of zero",
            DataWarning,
            stacklevel=3,
        )
