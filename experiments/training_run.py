"""One training from flags or a config to a tested potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from allegro_jax.__main__ import number_or_file, setting
from allegro_jax.datasets import load
from allegro_jax.fitting import FitResult, fit, train_and_test
from allegro_jax.monitoring.selection import callbacks_for
from experiments.data import load_splits
from experiments.models import model_config, training_config


def train_and_evaluate(
    config: ConfigDict,
    workdir: Path,
    quiet: bool = False,
    tensorboard: bool | None = None,
    wandb_project: str | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FitResult:
    """Trains what a config describes, tests, and writes logs, pictures and `result.json`.

    Args:
        config: See `experiments/configs/train.py`.
        workdir: Folder of the run.
        quiet: Print nothing, as all but the first of several processes.
        tensorboard: Write event files; None for where tensorboardX is installed.
        wandb_project: Project of Weights & Biases.
        should_stop: See `allegro_jax.train`.

    Raises:
        ValueError: If a setting, the data or the work directory does not fit.
        FloatingPointError: If the training diverges.
    """
    splits = load_splits(config.data)
    model = model_config(config.variant, config.params, config.model, splits.train)
    training = training_config(config.params, config.training, config.seed)
    about = {
        "dataset": config.data.name,
        "model": model.to_json(),
        "training": training.to_json(),
    }
    callback = callbacks_for(workdir, not quiet, tensorboard, wandb_project, about)
    result = train_and_test(model, training, splits, workdir, callback, about, should_stop)
    return _said(result, quiet)


def fit_and_say(
    dataset: str,
    *,
    path: str | None = None,
    valid: str | None = None,
    test: str | None = None,
    settings: Sequence[str] = (),
    quiet: bool = False,
    **arguments: Any,
) -> FitResult:
    """Trains a preset on a data set and prints what was reached.

    Args:
        dataset: Registered name, or a file.
        path: Folder of full data files of a registered set.
        valid: Number of validation structures, or a file.
        test: Likewise.
        settings: Other settings than the preset's, each "name=value".
        quiet: Print nothing.
        **arguments: Others of `allegro_jax.fit`.

    Raises:
        ValueError: If a setting is not of this form, and as `allegro_jax.fit`.
    """
    data = dataset if path is None else load(dataset, path=path)
    parts = {"valid": number_or_file(valid), "test": number_or_file(test)}
    overrides = dict(map(setting, settings))
    return _said(fit(data, progress=not quiet, **parts, **arguments, **overrides), quiet)


def _said(result: FitResult, quiet: bool) -> FitResult:
    if not quiet:
        print(result.summary())
    return result
