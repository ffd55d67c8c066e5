"""The final front: its potentials timed side by side, and tested on unseen structures."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from allegro_jax.potential import Potential
from allegro_jax.timing import InferencePass, Latency, measure
from allegro_jax.training.evaluation import evaluate
from experiments.records import TrialRecord, write_json
from experiments.study import trial_folder

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
        """Whether no other trial of the variant is as accurate and as fast."""
        return self.test is not None


def candidates(records: Mapping[str, Sequence[TrialRecord]]) -> list[TrialRecord]:
    """Returns the trials of every variant that may be on its front, most accurate first.

    Left out is what another trial dominates even with its time multiplied by `TIMING_SLACK`.
    """
    chosen: list[TrialRecord] = []
    for trials in records.values():
        near = [trial for trial in trials if not any(_beats(other, trial) for other in trials)]
        chosen += sorted(near, key=lambda trial: trial.objectives[0])
    return chosen


def _beats(trial: TrialRecord, other: TrialRecord) -> bool:
    error, seconds = trial.objectives
    return error <= other.objectives[0] and TIMING_SLACK * seconds < other.objectives[1]


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
        "timing": config.timing.to_dict(),
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
    latencies = measure(passes, config.timing.final_passes)
    front = _on_fronts(trials, latencies)
    return [
        {
            "latency": latency._asdict(),
            "test": evaluate(potential, splits.test) if kept else None,
        }
        for potential, latency, kept in zip(potentials, latencies, front, strict=True)
    ]


def _on_fronts(trials: Sequence[TrialRecord], latencies: Sequence[Latency]) -> list[bool]:
    """Marks the trials that none of their variant dominates by the final times."""
    pairs = [
        (trial.variant, trial.objectives[0], latency.median_s)
        for trial, latency in zip(trials, latencies, strict=True)
    ]
    return [
        not any(
            other[0] == pair[0] and other != pair and other[1] <= pair[1] and other[2] <= pair[2]
            for other in pairs
        )
        for pair in pairs
    ]


def copy_best(front: Sequence[TimedTrial], workdir: Path) -> dict[str, Path]:
    """Copies the most accurate potential of every variant to `best/<variant>`.

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
