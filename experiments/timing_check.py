"""How far trainings beside it spoil the timing of a potential, with and without the lock.

    python -m experiments.timing_check --workdir=DIR

Times one potential while the other processes are stopped, then while they train, under the lock
that searches use (`experiments.timing_lock`), then while they train without it, and again. Prints a
JSON line for each way with all timings, their median, and its ratio to that of the first. Takes two
minutes on two cores.
"""

from __future__ import annotations

import contextlib
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import app, flags

if TYPE_CHECKING:
    from allegro_jax.timing import InferencePass

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the lock.", required=True)
_TRAININGS = flags.DEFINE_integer("trainings", 2, "Processes that train beside it.", lower_bound=1)
_PASSES = flags.DEFINE_integer("passes", 7, "Passes of a timing.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timings of each way.", lower_bound=1)
_TRAIN = flags.DEFINE_bool("train", False, "Be one of the trainings; set by the program itself.")


def main(_: list[str]) -> None:
    """Runs the check, or one of its trainings."""
    lock = Path(_WORKDIR.value) / "timing.lock"
    if _TRAIN.value:
        train_for_ever(lock)
    for row in check(lock, _TRAININGS.value, _PASSES.value, _REPEATS.value):
        print(json.dumps(row), flush=True)


def check(lock: Path, trainings: int, passes: int, repeats: int) -> Iterator[dict[str, Any]]:
    """Yields medians of timings taken in turns, as the speed of a machine drifts.

    On its own: the trainings are stopped by a signal, whatever they are doing.
    """
    item = potential_to_time()
    seconds: dict[str, list[float]] = {"on its own": [], "under the lock": [], "without it": []}
    with beside(trainings, lock) as processes:
        for _ in range(repeats):
            with stopped(processes):
                seconds["on its own"].append(median_s(item, None, passes))
            for what, path in (("under the lock", lock), ("without it", None)):
                time.sleep(1.0)
                seconds[what].append(median_s(item, path, passes))
    own = statistics.median(seconds["on its own"])
    for what, values in seconds.items():
        median = statistics.median(values)
        yield {"what": what, "median_s": median, "ratio": median / own, "s": values}


def potential_to_time() -> InferencePass:
    """Returns a potential of the demonstration's size, compiled for test structures."""
    from allegro_jax.potential import Potential, initial_params
    from allegro_jax.timing import InferencePass
    from experiments import spaces
    from experiments.configs import demo
    from experiments.data import load_splits
    from experiments.models import model_config

    config = demo.get_config()
    splits = load_splits(config.data)
    params = spaces.default_trial("allegro", config.ranges)
    model = model_config("allegro", params, config.model, splits.train)
    potential = Potential(model, initial_params(model))
    return InferencePass(potential, splits.test, config.timing.batch_size)


def median_s(item: InferencePass, lock: Path | None, passes: int) -> float:
    """Returns the median of some passes; without a lock they are taken as they come."""
    from allegro_jax.timing import measure
    from experiments.timing_lock import exclusive

    with exclusive(lock) if lock is not None else contextlib.nullcontext():
        return float(measure([item], passes)[0].median_s)


@contextlib.contextmanager
def stopped(processes: Sequence[subprocess.Popen[str]]) -> Iterator[None]:
    """Stops processes for a while."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def beside(trainings: int, lock: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Lets other processes train, from their first steps on, as workers of a search do."""
    command = [sys.executable, "-m", "experiments.timing_check", "--train"]
    command.append(f"--workdir={lock.parent}")
    pipe = {"stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipe) for _ in range(trainings)]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != "trains\n":
                raise RuntimeError(f"a training ended with {process.wait()} before it began")
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def train_for_ever(lock: Path) -> None:
    """Trains without end, and pauses for timings."""
    from allegro_jax.training import Progress, train
    from experiments import spaces
    from experiments.configs import demo
    from experiments.data import load_splits
    from experiments.models import model_config, training_config
    from experiments.timing_lock import shared

    config = demo.get_config()
    config.training.update({"max_epochs": 10**6, "time_limit_s": 86400.0})
    splits = load_splits(config.data)
    params = spaces.default_trial("allegro", config.ranges)
    model = model_config("allegro", params, config.model, splits.train)
    training = training_config(params, config.training, seed=0)
    said = False
    with shared(lock) as share:

        def on_progress(_: Progress) -> None:
            nonlocal said
            if not said:
                print("trains", flush=True)
                said = True
            share.pause()

        train(model, training, splits.train, splits.valid, on_progress=on_progress)


if __name__ == "__main__":
    app.run(main)
