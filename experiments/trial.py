"""One trial of a search: train briefly, validate, time, keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from allegro_jax.timing import InferencePass, measure
from allegro_jax.training import train
from experiments.models import model_config, training_config
from experiments.records import TrialRecord, environment

OnEpoch = Callable[[dict[str, float]], None]


def run_trial(
    config: ConfigDict,
    splits: Splits,
    variant: str,
    number: int,
    params: Mapping[str, Any],
    folder: Path,
    on_epoch: OnEpoch | None = None,
) -> TrialRecord:
    """Trains one configuration, measures it, and leaves potential and record in `folder`.

    Args:
        config: Settings of the search; see `experiments/configs/search.py`.
        splits: Structures.
        variant: "allegro", "allegro-mlp" or "allegro-qdi".
        number: Number of the trial; the seed is `config.seed + number`.
        params: Hyperparameters.
        folder: Receives `potential/` and, last, `record.json`.
        on_epoch: Called with every row of the training curve.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
    """
    begin = time.monotonic()
    seed = config.seed + number
    model = model_config(variant, params, config.model, splits.train)
    training = training_config(params, config.training, seed)
    result = train(model, training, splits.train, splits.valid, on_epoch=on_epoch)
    inference = InferencePass(result.potential, splits.test, config.timing.batch_size)
    latency = measure([inference], config.timing.passes)[0]
    result.potential.save(folder / "potential")
    record = TrialRecord(
        variant=variant,
        number=number,
        params=dict(params),
        objectives=[result.best[error_name(splits)], latency.median_s],
        valid=result.best,
        history=result.history,
        latency=latency._asdict(),
        cost=inference.cost._asdict(),
        seconds={
            "training": result.history[-1]["seconds"],
            "compilation": result.compile_s + inference.compile_s,
            "trial": time.monotonic() - begin,
        },
        compilations=result.compilations + inference.compilations,
        n_parameters=sum(leaf.size for leaf in jax.tree.leaves(result.potential.params)),
        padding_waste=result.padding_waste,
        seed=seed,
        stopped_by=result.stopped_by,
        environment=environment(),
    )
    record.save(folder / "record.json")
    return record


def error_name(splits: Splits) -> str:
    """Returns the error that is minimised: of forces, or of energies where none exist."""
    return "energy_mae" if splits.train.forces is None else "forces_mae"
