"""SIGTERM, SIGUSR1 and Ctrl-C end a training after its checkpoint."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from allegro_jax.interruption import Interruption

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_the_first_signal_is_noted_and_the_second_does_what_it_always_did(number: int) -> None:
    second = threading.Event()
    before = signal.signal(number, lambda *_: second.set())
    try:
        with Interruption() as interruption:
            assert not interruption.requested()
            assert interruption.exit_status == 0
            os.kill(os.getpid(), number)
            assert interruption.requested()
            assert not second.is_set()
            assert interruption.exit_status == 128 + number
            os.kill(os.getpid(), number)
            assert second.is_set()
    finally:
        signal.signal(number, before)


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


PROGRAM = """
import os, signal, sys
from allegro_jax.training.trainer import Trainer
from absl import app
from experiments import train

calls = Trainer.calls
def interrupted(*arguments):
    for number, call in enumerate(calls(*arguments)):
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        yield call
if sys.argv.pop() == "interrupted":
    Trainer.calls = interrupted
app.run(train.main)
"""


@pytest.mark.slow
def test_a_preempted_program_continues_to_the_end(tmp_path: Path) -> None:
    """The program itself, sent SIGTERM in its first epoch as a scheduler does. Slow: two starts."""
    flags = [
        f"--workdir={tmp_path}", "--config=experiments/configs/train.py:rmd17-benzene",
        "--config.data.train=40", "--config.data.valid=5", "--config.data.test=5",
        "--config.model.num_scalar_features=8", "--config.model.num_tensor_features=2",
        "--config.training.max_epochs=2", "--config.training.time_limit_s=1000.0",
    ]  # fmt: skip
    command = [sys.executable, "-c", PROGRAM, *flags]
    pipes = {"cwd": ROOT, "capture_output": True, "text": True}
    done = subprocess.run([*command, "interrupted"], **pipes)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert "stopped as asked, in epoch 1 after" in done.stderr
    assert "the same command continues" in done.stderr
    assert list((tmp_path / "checkpoints").iterdir())
    done = subprocess.run([*command, "whole"], **pipes)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "potential").is_dir()
