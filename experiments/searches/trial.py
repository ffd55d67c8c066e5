"""One trial of a search: train briefly, validate, time, keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from allegro_jax.timing import InferencePass, Latency, measure
from allegro_jax.training import Progress, TrainingResult, train
from experiments import timing_lock
from experiments.models import model_config, training_config
from experiments.objectives import QUANTITIES
from experiments.searches.records import TrialRecord, environment

OnEpoch = Callable[[dict[str, float]], None]
OnProgress = Callable[[Progress], None]


def run_trial(
    config: ConfigDict,
    splits: Splits,
    variant: str,
    number: int,
    params: Mapping[str, Any],
    folder: Path,
    on_epoch: OnEpoch | None = None,
    on_progress: OnProgress | None = None,
) -> TrialRecord:
    """Trains one configuration, measures it, and leaves potential and record in `folder`.

    Args:
        config: Settings of the search with its objectives named; see
            `experiments/configs/search.py` and `objectives.resolved`.
        splits: Structures.
        variant: "allegro", "allegro-mlp" or "allegro-qdi".
        number: Number of the trial; the seed is `config.seed + number`.
        params: Hyperparameters.
        folder: Receives `potential/` and, last, `record.json`.
        on_epoch: Called with every row of the training curve.
        on_progress: Called about once a second; what it raises ends the trial.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
    """
    begin = time.monotonic()
    seed = config.seed + number
    model = model_config(variant, params, config.model, splits.train)
    training = training_config(params, config.training, seed)
    result = train(
        model, training, splits.train, splits.valid, on_epoch=on_epoch, on_progress=on_progress
    )
    inference = InferencePass(result.potential, splits.test, config.timing.batch_size)
    with timing_lock.exclusive(timing_lock.path_of(config)) as alone:
        latency = measure([inference], config.timing.passes)[0]
    result.potential.save(folder / "potential")
    measured = measurements(result, inference, latency)
    record = TrialRecord(
        variant=variant,
        number=number,
        params=dict(params),
        objectives=[measured[name] for name in config.objectives],
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
        n_parameters=int(measured["parameters"]),
        padding_waste=result.padding_waste,
        seed=seed,
        stopped_by=result.stopped_by,
        environment=environment(),
        measured=measured,
        timed_alone=alone,
    )
    record.save(folder / "record.json")
    return record


def measurements(
    result: TrainingResult, inference: InferencePass, latency: Latency
) -> dict[str, float]:
    """Returns every quantity of `experiments.objectives` that a training and its timing tell."""
    errors = {name: result.best[name] for name in QUANTITIES if name in result.best}
    return {
        **errors,
        "inference_time": latency.median_s,
        "us_per_atom": latency.us_per_atom,
        "flops": inference.cost.flops,
        "peak_memory": float(inference.memory_bytes),
        "parameters": float(sum(leaf.size for leaf in jax.tree.leaves(result.potential.params))),
        "training_time": result.history[-1]["seconds"],
    }
