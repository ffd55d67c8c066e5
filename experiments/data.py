"""Which structures an experiment uses, from the `data` part of its config."""

from __future__ import annotations

from ml_collections import ConfigDict

from allegro_jax.datasets import Splits, group_split, official_split, split
from allegro_jax.fitting import as_dataset


def load_splits(config: ConfigDict) -> Splits:
    """Loads a data set, or opens a store, and splits it.

    Args:
        config: `name` (registered name, file, or folder of a store), `path` (full files, or empty),
            `train`, `valid`, `test` (structures; `train` 0 takes the official split, `valid` 0 its
            own validation set where it has one) and `split_seed`. With `by_group` whole groups are
            drawn (see `group_split`), for about `valid` and `test` structures.

    Raises:
        ValueError: If the set is unknown, unreadable or too small for the split.
    """
    dataset = as_dataset(config.name, **({"path": config.path} if config.path else {}))
    if config.get("by_group", False):
        shares = config.valid / len(dataset), config.test / len(dataset)
        return group_split(dataset, *shares, seed=config.split_seed)
    if config.train:
        test = config.test or None
        return split(dataset, config.train, config.valid, test=test, seed=config.split_seed)
    return official_split(dataset, config.valid or None, seed=config.split_seed)
