"""A short training that may kill itself; run by `test_resume.py`, or by hand to see it:

python -m tests.allegro_jax.training.killed WORKDIR [STEP | write:NUMBER:SECONDS] [MEMBERS]

It is killed by SIGKILL after STEP optimiser steps, or SECONDS after it began to write the
checkpoint of that NUMBER (from 0, in this process). Started again it goes on. Several MEMBERS are
a committee.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
from unittest import mock

from allegro_jax.datasets import load
from allegro_jax.training import Progress, TrainingConfig, TrainingResult, config_from_data, train
from allegro_jax.training.checkpoints import Checkpoints
from allegro_jax.training.pace import Pace
from tests.small_models import SIZES

SMALL = {**SIZES["2025"], "l_max": 0, "num_layers": 1}
TRAINING = TrainingConfig(
    max_epochs=3, batch_size=4, learning_rate=1e-2, checkpoint_interval_s=1e-9
)
STEPS_PER_EPOCH = 10
LONGEST_CALL = 3  # steps: calls end in the middle of epochs, and checkpoints are written there


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def short_calls(steps):
    return lambda pace, most: min(steps(pace, most), LONGEST_CALL)


def die_at_step(step: int):
    def check(progress: Progress) -> None:
        if (progress.epoch - 1) * progress.steps_per_epoch + progress.step >= step:
            die()

    return check


def die_in_write(number: int, seconds: float) -> None:
    """Lets the write of a checkpoint begin and be cut off."""
    save, count = Checkpoints.save, 0

    def killed_save(*arguments) -> None:
        nonlocal count
        if count == number:
            threading.Timer(seconds, die).start()
        count += 1
        save(*arguments)

    Checkpoints.save = killed_save


def run(workdir: str, on_progress=None, should_stop=None, **settings: float) -> TrainingResult:
    data = load("rmd17-benzene")
    train_set, valid_set = data.select(range(39)), data.select(range(40, 45))
    config = config_from_data(train_set, 3.0, **SMALL)
    training = dataclasses.replace(TRAINING, **settings)
    with mock.patch.object(Pace, "steps", short_calls(Pace.steps)):
        return train(
            config, training, train_set, valid_set, workdir=workdir, on_progress=on_progress,
            should_stop=should_stop,
        )  # fmt: skip


def main(workdir: str, death: str = "", members: str = "1") -> None:
    on_progress = None
    if death.startswith("write:"):
        _, number, seconds = death.split(":")
        die_in_write(int(number), float(seconds))
    elif death:
        on_progress = die_at_step(int(death))
    run(workdir, on_progress, members=int(members))


if __name__ == "__main__":
    main(*sys.argv[1:])
