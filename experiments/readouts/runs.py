"""One training of one readout with one seed, and the folder that keeps finished ones."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from allegro_jax.datasets import Dataset, Splits
from allegro_jax.datasets.dataset import Structure
from allegro_jax.files import write_json
from allegro_jax.graphs import GraphDataset, ordered_batches
from allegro_jax.models.capacity import count_parameters
from allegro_jax.potential import Potential, Result
from allegro_jax.training import train
from experiments.readouts.settings import Settings
from experiments.searches.records import environment

Record = dict[str, Any]

BATCH, TIMED_PASSES = 20, 5


@dataclasses.dataclass(frozen=True)
class Job:
    """A run to make."""

    settings: Settings
    readout: str
    seed: int

    @property
    def name(self) -> str:
        """What files and folders of the run are called."""
        return f"{Path(self.settings.dataset).stem}_{self.readout}_{self.seed}"


def jobs(settings: Sequence[Settings], readouts: Sequence[str], seeds: int) -> list[Job]:
    """All runs, a whole seed before the next one, so that partial results compare."""
    each = range(seeds)
    return [Job(s, readout, seed) for seed in each for s in settings for readout in readouts]


def load(folder: Path, job: Job) -> Record | None:
    """Returns the record of a finished run, None while it is not finished.

    Raises:
        ValueError: If the run in this folder had other settings.
    """
    path = folder / f"{job.name}.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    wanted = dataclasses.asdict(job.settings)
    different = [
        f"{name} was {record['settings'].get(name)!r}, is now {value!r}"
        for name, value in wanted.items()
        if record["settings"].get(name) != value
    ]
    if different:
        raise ValueError(
            f"{path} is a run with other settings: {'; '.join(different)}. "
            "Use another --workdir, or the settings it was made with"
        )
    return record


def missing(folder: Path, wanted: Iterable[Job]) -> list[Job]:
    """Returns the runs that are not finished."""
    return [job for job in wanted if load(folder, job) is None]


def finished(folder: Path, wanted: Iterable[Job]) -> list[Record]:
    """Returns the records of the runs that are finished."""
    return [record for job in wanted if (record := load(folder, job)) is not None]


def run(job: Job, splits: Splits, folder: Path) -> Record:
    """Makes a run, or goes on with one that was stopped; writes its record, whole and last.

    Args:
        job: What to train.
        splits: Structures of its settings.
        folder: Receives the record and the folder of the training, with the potential.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
    """
    model = job.settings.model(job.readout, splits.train)
    clock = StepClock()
    training = job.settings.training(job.seed)
    workdir = folder / "trainings" / job.name
    result = train(
        model, training, splits.train, splits.valid, workdir=workdir, on_epoch=clock.epoch_done
    )
    steps = int(result.history[-1]["step"])
    record = {
        "settings": dataclasses.asdict(job.settings),
        "dataset": job.settings.dataset,
        "readout": job.readout,
        "seed": job.seed,
        "config": model.to_json()["readout"],
        **_sizes(result.potential),
        "steps": steps,
        "train_cpu_s": None if clock.cpu_per_step is None else clock.cpu_per_step * steps,
        "valid": result.best,
        **measure(result.potential, splits.test),
        "history": result.history,
        "environment": environment(),
    }
    write_json(folder / f"{job.name}.json", record)
    return record


class StepClock:
    """CPU seconds per optimiser step, validation included.

    Programs are compiled in the first epoch that a process makes, which therefore does not count if
    there are more. Epochs made before the run was stopped are not seen.
    """

    def __init__(self) -> None:
        self._begin = time.process_time()
        self._readings: list[tuple[float, float]] = []

    def epoch_done(self, row: dict[str, float]) -> None:
        """Reads the clock at the end of an epoch."""
        self._readings.append((row["step"], time.process_time()))

    @property
    def cpu_per_step(self) -> float | None:
        """CPU seconds; None if no epoch was seen."""
        if not self._readings:
            return None
        (first, begin), (last, end) = self._readings[0], self._readings[-1]
        return (end - begin) / (last - first) if last > first else (end - self._begin) / last


def _sizes(potential: Potential) -> dict[str, int]:
    """Parameters of the whole model, of the readout, and those of it that are trained."""
    readout = potential.config.readout
    whole, ours = (
        sum(leaf.size for leaf in jax.tree.leaves(tree))
        for tree in (potential.params, potential.params["readout"])
    )
    fixed = count_parameters(readout, 1) - count_parameters(readout, 1, trained=True)
    return {"parameters": whole, "readout_parameters": ours, "trained_readout": ours - fixed}


def measure(potential: Potential, test_set: Dataset) -> dict[str, Any]:
    """Returns errors and time of a potential on the test set.

    Keys: "per_structure", lists of the mean absolute errors of forces (eV/Å, over the components of
    a structure) and of energies (eV); "test", the mean absolute errors over all components and all
    structures; "inference_us_per_atom", CPU time of energies and forces without neighbour lists,
    the median of some passes. Potentials of equal config share a program.
    """
    config = potential.config
    graphs = GraphDataset.build(test_set, config.cutoff, config.atomic_numbers)
    batches = ordered_batches(graphs, BATCH)
    seconds = []
    for _ in range(1 + TIMED_PASSES):  # the first one compiles
        begin = time.process_time()
        predictions = [jax.device_get(potential.predict(graph)) for graph in batches]
        seconds.append(time.process_time() - begin)
    structures = list(test_set)
    parts = [structures[k : k + BATCH] for k in range(0, len(structures), BATCH)]
    results = [potential.results(*pair) for pair in zip(parts, predictions, strict=True)]
    flat = [result for part in results for result in part]
    return {
        **_errors(structures, flat),
        "inference_us_per_atom": 1e6 * statistics.median(seconds[1:]) / int(graphs.n_atoms.sum()),
    }


def _errors(structures: Sequence[Structure], results: Sequence[Result]) -> dict[str, Any]:
    pairs = list(zip(structures, results, strict=True))
    energy = [abs(result.energy - structure.energy) for structure, result in pairs]
    each = {"energy_mae": energy}
    overall = {"energy_mae": float(np.mean(energy))}
    if structures[0].forces is not None:
        wrong = [np.abs(result.forces - structure.forces) for structure, result in pairs]
        each["forces_mae"] = [float(error.mean()) for error in wrong]
        overall["forces_mae"] = float(np.concatenate(wrong).mean())
    return {"per_structure": each, "test": overall}


def describe(record: Record) -> str:
    """One line of JSON about a run."""
    line = {key: record[key] for key in ("dataset", "readout", "seed", "steps")}
    line |= {key: round(value, 5) for key, value in record["test"].items()}
    line["train_cpu_s"] = record["train_cpu_s"] and round(record["train_cpu_s"], 1)
    return json.dumps(line)
