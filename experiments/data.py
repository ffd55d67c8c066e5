"""Which structures an experiment uses, from the `data` part of its config."""

from __future__ import annotations

from ml_collections import ConfigDict

from allegro_jax.datasets import Splits, load, official_split, split


def load_splits(config: ConfigDict) -> Splits:
    """Loads a data set and splits it.

    Args:
        config: `name` (registered name or file), `path` (full files, or empty), `train`, `valid`,
            `test` (structures; `train` 0 takes the official split, `valid` 0 its own validation
            set where it has one) and `split_seed`.

    Raises:
        ValueError: If the set is unknown, unreadable or too small for the split.
    """
    dataset = load(config.name, path=config.path or None)
    if config.train:
        test = config.test or None
        return split(dataset, config.train, config.valid, test=test, seed=config.split_seed)
    return official_split(dataset, config.valid or None, seed=config.split_seed)
