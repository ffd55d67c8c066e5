"""The final front: its potentials timed side by side, and tested on unseen structures."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from allegro_jax.potential import Potential
from allegro_jax.timing import InferencePass, Latency, measure
from allegro_jax.training.evaluation import evaluate
from experiments.records import TrialRecord, write_json
from experiments.study import trial_folder
from samo_cobra.pareto import non_dominated


@dataclasses.dataclass(frozen=True)
class FrontTrial:
    """A trial on the front of its variant, after the final timing.

    Attributes:
        record: The trial.
        latency: Inference time of the test set, measured side by side with the other trials.
        test: Errors on the test set.
    """

    record: TrialRecord
    latency: Latency
    test: dict[str, float]


def candidates(records: Mapping[str, Sequence[TrialRecord]]) -> list[TrialRecord]:
    """Returns the non-dominated trials of every variant, most accurate first."""
    chosen: list[TrialRecord] = []
    for trials in records.values():
        if trials:
            keep = non_dominated(np.array([trial.objectives for trial in trials]))
            front = [trial for trial, kept in zip(trials, keep, strict=True) if kept]
            chosen += sorted(front, key=lambda trial: trial.objectives[0])
    return chosen


def measure_front(
    trials: Sequence[TrialRecord], config: ConfigDict, splits: Splits, workdir: Path
) -> list[FrontTrial]:
    """Times all trials in turns in this process and tests them.

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
        FrontTrial(trial, Latency(**row["latency"]), row["test"])
        for trial, row in zip(trials, rows, strict=True)
    ]


def _measure(
    trials: Sequence[TrialRecord], config: ConfigDict, splits: Splits, workdir: Path
) -> list[dict[str, dict[str, float]]]:
    folders = [trial_folder(workdir, trial.variant, trial.number) for trial in trials]
    potentials = [Potential.load(folder / "potential") for folder in folders]
    size = config.timing.batch_size
    passes = [InferencePass(potential, splits.test, size) for potential in potentials]
    latencies = measure(passes, config.timing.final_passes)
    tests = [evaluate(potential, splits.test) for potential in potentials]
    pairs = zip(latencies, tests, strict=True)
    return [{"latency": latency._asdict(), "test": test} for latency, test in pairs]


def copy_best(front: Sequence[FrontTrial], workdir: Path) -> dict[str, Path]:
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
