"""A long training: continued from its checkpoint if it was killed, measured, and kept."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Splits
from allegro_jax.files import write_json
from allegro_jax.timing import InferencePass, Latency, measure
from allegro_jax.training import Progress, TrainingConfig, TrainingResult, train
from allegro_jax.training.evaluation import evaluate
from experiments import timing_lock
from experiments.models import model_config, training_config
from experiments.objectives import ERRORS, shown
from experiments.reproduction.jobs import Job
from experiments.reproduction.scales import Length
from experiments.searches.records import environment

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

RECORD, FAILURE = "record.json", "failure.json"

OF_THE_TRAINING = (ArithmeticError, MemoryError, RuntimeError, ValueError)
"""What a training may raise because of its hyperparameters; anything else ends the study."""


@dataclasses.dataclass(frozen=True)
class Training:
    """A finished long training.

    Attributes:
        job: What was trained.
        valid: Validation errors of the kept parameters, eV and Å.
        test: Errors on the test set, eV and Å.
        history: Learning curve, a row per epoch.
        latency: Fields of `allegro_jax.timing.Latency`, of the test set.
        n_parameters: Trained numbers.
        seconds: Of training, compilation, and all.
        stopped_by: What ended the training.
        model: The model.
        training: Settings of the training.
        environment: Versions and device.
    """

    job: Job
    valid: dict[str, float]
    test: dict[str, float]
    history: list[dict[str, float]]
    latency: dict[str, float]
    n_parameters: int
    seconds: dict[str, float]
    stopped_by: str
    model: dict[str, Any]
    training: dict[str, Any]
    environment: dict[str, str]


def load(folder: Path) -> Training | str | None:
    """Returns a finished training, the reason why it failed, or None if it is still to be made.

    Raises:
        ValueError: If its record is not whole.
    """
    if (path := folder / FAILURE).exists():
        return str(json.loads(path.read_text())["reason"])
    if not (path := folder / RECORD).exists():
        return None
    try:
        values = json.loads(path.read_text())
        job = Job(**values.pop("job"))
        job = dataclasses.replace(job, origins=tuple(job.origins))
        return Training(job=job, **values)
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not the record of a training: {error}") from error


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Holds the folder of a training for this process; says whether it could.

    The system drops the lock with the process, however that ends. Where there are no such locks,
    one process at a time must work on a study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "job.lock").open("a") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True


def summary(result: Training | str) -> str:
    """Says in a line how a training ended."""
    if isinstance(result, str):
        return f"failed: {result}"
    parts = [f"{n} {shown(n, result.valid[n])}" for n in ERRORS if n in result.valid]
    return f"valid {', '.join(parts)}; {result.seconds['all']:.0f} s"


def run(
    job: Job,
    config: ConfigDict,
    splits: Splits,
    length: Length,
    workdir: Path,
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Training | str:
    """Makes a training and writes its record; a failure is recorded too, and not made again.

    Args:
        job: What to train.
        config: Settings of the search on the data set.
        splits: Structures of the data set.
        length: When it ends.
        workdir: Folder of the study.
        should_stop: See `allegro_jax.train`.

    Raises:
        TrainingStoppedError: If `should_stop` said so; the same call goes on from there.
        OSError: If the file system fails.
    """
    folder = job.folder(workdir)
    try:
        training = _made(job, config, splits, length, folder, should_stop)
    except OF_THE_TRAINING as error:  # the others are still worth having
        reason = f"{type(error).__name__}: {error}"[:2000]
        write_json(folder / FAILURE, {"job": dataclasses.asdict(job), "reason": reason})
        return reason
    write_json(folder / RECORD, dataclasses.asdict(training))
    return training


def _made(
    job: Job,
    config: ConfigDict,
    splits: Splits,
    length: Length,
    folder: Path,
    should_stop: Callable[[], bool] | None,
) -> Training:
    begin = time.monotonic()
    model = model_config(job.variant, job.params, config.model, splits.train)
    settings = config.training.copy_and_resolve_references()
    settings.update(length.fields)
    training = training_config(job.params, settings, job.seed)
    result = _trained(model, training, config, splits, folder / "training", should_stop)
    latency, compile_s = _timed(result, config, splits)
    return Training(
        job=job,
        valid=result.best,
        test=evaluate(result.potential, splits.test),
        history=result.history,
        latency=latency._asdict(),
        n_parameters=sum(leaf.size for leaf in jax.tree.leaves(result.potential.params)),
        seconds={
            "training": result.history[-1]["seconds"],
            "compilation": result.compile_s + compile_s,
            "all": time.monotonic() - begin,
        },
        stopped_by=result.stopped_by,
        model=model.to_json(),
        training=training.to_json(),
        environment=environment(),
    )


def _trained(
    model: ModelConfig,
    training: TrainingConfig,
    config: ConfigDict,
    splits: Splits,
    workdir: Path,
    should_stop: Callable[[], bool] | None,
) -> TrainingResult:
    """Trains, or goes on, and pauses while another process of this machine times."""
    with timing_lock.shared(timing_lock.path_of(config)) as share:

        def on_progress(_: Progress) -> None:
            share.pause()

        return train(
            model,
            training,
            splits.train,
            splits.valid,
            workdir=workdir,
            on_progress=on_progress,
            should_stop=should_stop,
        )


def _timed(result: TrainingResult, config: ConfigDict, splits: Splits) -> tuple[Latency, float]:
    """Times the test set as the search does, while other trainings of this machine pause."""
    inference = InferencePass(result.potential, splits.test, config.timing.batch_size)
    with timing_lock.exclusive(timing_lock.path_of(config)):
        return measure([inference], config.timing.final_passes)[0], inference.compile_s
