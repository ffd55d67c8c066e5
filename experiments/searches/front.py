"""The final front: its potentials timed side by side, and tested on unseen structures."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from allegro_jax.files import write_json
from allegro_jax.potential import Potential
from allegro_jax.timing import InferencePass, Latency, measure
from allegro_jax.training.evaluation import evaluate
from experiments import timing_lock
from experiments.objectives import QUANTITIES, broken, limits
from experiments.searches.records import TrialRecord
from experiments.searches.study import trial_folder

TIMING_SLACK = 1.3
"""Trials within this factor of the front in time are timed again: single timings differ by less."""


@dataclasses.dataclass(frozen=True)
class TimedTrial:
    """A trial at or near the front of its variant, after the final timing.

    Attributes:
        record: The trial.
        latency: Inference time of the test set, measured side by side with the other trials.
        test: Errors on the test set; None for a trial that is not on the front.
    """

    record: TrialRecord
    latency: Latency
    test: dict[str, float] | None

    @property
    def on_front(self) -> bool:
        """Whether the trial keeps all limits and no other of the variant dominates it."""
        return self.test is not None

    @property
    def measured(self) -> dict[str, float]:
        """Every measured quantity, times as measured last."""
        return final(self.record.measured, self.latency)


def final(measured: Mapping[str, float], latency: Latency) -> dict[str, float]:
    """Returns measured quantities with the times of the final timing."""
    times = {"inference_time": latency.median_s, "us_per_atom": latency.us_per_atom}
    return {**measured, **times}


def candidates(
    records: Mapping[str, Sequence[TrialRecord]], config: ConfigDict
) -> list[TrialRecord]:
    """Returns the trials of every variant that may be on its front, best first objective first.

    Left out is what another trial dominates even with its time multiplied by `TIMING_SLACK`, and
    what breaks a limit by more than that.
    """
    chosen: list[TrialRecord] = []
    for trials in records.values():
        allowed = [trial for trial in trials if _may_keep(trial.measured, limits(config))]
        slack = np.array([_slack(name) for name in config.objectives])
        rows = np.array([trial.objectives for trial in allowed])
        near = [t for t, row in zip(allowed, rows, strict=True) if not _beaten(row, rows * slack)]
        chosen += sorted(near, key=lambda trial: trial.objectives[0])
    return chosen


def _slack(name: str) -> float:
    return TIMING_SLACK if QUANTITIES[name].timed else 1.0


def _may_keep(measured: Mapping[str, float], limits: Mapping[str, float]) -> bool:
    return not broken({name: limit * _slack(name) for name, limit in limits.items()}, measured)


def _beaten(
    row: Float[np.ndarray, " objectives"], others: Float[np.ndarray, "trials objectives"]
) -> bool:
    """Whether one of the others is nowhere worse and somewhere better."""
    return bool(np.any(np.all(others <= row, axis=1) & np.any(others < row, axis=1)))


def time_and_test(
    trials: Sequence[TrialRecord], config: ConfigDict, splits: Splits, workdir: Path
) -> list[TimedTrial]:
    """Times all trials in turns in this process and tests those on the fronts.

    The result is kept in `front.json` and read back while the trials and the settings of the
    timing are the same.
    """
    path = workdir / "front.json"
    key = {
        "trials": [[trial.variant, trial.number] for trial in trials],
        "timing": {k: v for k, v in config.timing.to_dict().items() if k != "lock_file"},
    }
    if path.exists() and (kept := json.loads(path.read_text()))["key"] == key:
        rows = kept["rows"]
    else:
        rows = _measure(trials, config, splits, workdir)
        write_json(path, {"key": key, "rows": rows})
    return [
        TimedTrial(trial, Latency(**row["latency"]), row["test"])
        for trial, row in zip(trials, rows, strict=True)
    ]


def _measure(
    trials: Sequence[TrialRecord], config: ConfigDict, splits: Splits, workdir: Path
) -> list[dict[str, Any]]:
    folders = [trial_folder(workdir, trial.variant, trial.number) for trial in trials]
    potentials = [Potential.load(folder / "potential") for folder in folders]
    size = config.timing.batch_size
    passes = [InferencePass(potential, splits.test, size) for potential in potentials]
    with timing_lock.exclusive(timing_lock.path_of(config)):
        latencies = measure(passes, config.timing.final_passes)
    front = _on_fronts(trials, latencies, config)
    return [
        {
            "latency": latency._asdict(),
            "test": evaluate(potential, splits.test) if kept else None,
        }
        for potential, latency, kept in zip(potentials, latencies, front, strict=True)
    ]


def _on_fronts(
    trials: Sequence[TrialRecord], latencies: Sequence[Latency], config: ConfigDict
) -> list[bool]:
    """Marks the trials that keep all limits and that none of their variant dominates."""
    names = config.objectives
    measured = [final(t.measured, latency) for t, latency in zip(trials, latencies, strict=True)]
    rows = np.array([[values[name] for name in names] for values in measured])
    allowed = np.array([not broken(limits(config), values) for values in measured])
    variants = np.array([trial.variant for trial in trials])
    return [
        bool(allowed[k]) and not _beaten(rows[k], rows[allowed & (variants == variants[k])])
        for k in range(len(trials))
    ]


def copy_best(front: Sequence[TimedTrial], workdir: Path) -> dict[str, Path]:
    """Copies the potential of every variant with the least first objective to `best/<variant>`.

    Returns:
        The folder of each variant.
    """
    folders: dict[str, Path] = {}
    for item in front:
        record = item.record
        if record.variant in folders:
            continue
        source = trial_folder(workdir, record.variant, record.number) / "potential"
        folders[record.variant] = workdir / "best" / record.variant
        shutil.rmtree(folders[record.variant], ignore_errors=True)
        shutil.copytree(source, folders[record.variant])
    return folders
