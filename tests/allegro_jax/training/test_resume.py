"""A run that is killed goes on to the curve of one that is not, to the last bit.

The 20 random deaths: `python -m pytest -m slow tests/allegro_jax/training/test_resume.py`
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from allegro_jax.committee import load_potential
from allegro_jax.training import Progress, TrainingStoppedError
from allegro_jax.training import windows as windows_module
from tests.allegro_jax.training import killed

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work directory of a run that nothing interrupted."""
    workdir = tmp_path_factory.mktemp("whole")
    killed.run(str(workdir))
    return workdir


def die(workdir: Path, death: str, members: int = 1) -> None:
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".jax_cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    program = [sys.executable, "-m", "tests.allegro_jax.training.killed"]
    command = [*program, str(workdir), death, str(members)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def rows(workdir: Path) -> list[dict[str, float]]:
    """The history without its clock, from the checkpoint."""
    (newest,) = sorted(workdir.glob("checkpoints/*"), key=lambda path: int(path.name))[-1:]
    history = json.loads((newest / "run" / "metadata").read_text())["progress"]["history"]
    return [{name: row[name] for name in row if name != "seconds"} for row in history]


def assert_same_run(workdir: Path, whole: Path) -> None:
    assert (workdir / "losses.csv").read_text() == (whole / "losses.csv").read_text()
    assert rows(workdir) == rows(whole)
    ours, theirs = (load_potential(folder / "potential").params for folder in (workdir, whole))
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, ours, theirs)))


def test_a_run_killed_in_the_middle_of_an_epoch_has_the_curve_of_one_that_was_not(
    whole: Path, tmp_path: Path
) -> None:
    die(tmp_path, "15")
    killed.run(str(tmp_path))
    curve = np.genfromtxt(whole / "losses.csv", delimiter=",", names=True)
    steps = killed.STEPS_PER_EPOCH * killed.TRAINING.max_epochs
    assert curve["step"].tolist() == list(range(1, steps + 1))
    means = [row["loss"] for row in rows(whole)]
    np.testing.assert_allclose(curve["loss"].reshape(3, -1).mean(axis=1), means, rtol=1e-15)
    assert_same_run(tmp_path, whole)
    resumed = json.loads((tmp_path / "run.json").read_text())["resumed"]
    assert [10 < entry["step"] < 15 for entry in resumed] == [True]


@pytest.mark.slow
def test_20_random_deaths_leave_the_curve_as_it_is(whole: Path, tmp_path: Path) -> None:
    """Ten runs, each killed twice: at a random step, and inside a random write or before any."""
    rng = random.Random(7)
    for number in range(10):
        workdir = tmp_path / str(number)
        step = rng.randint(1, 25)
        deaths = [str(step), f"write:{rng.randint(0, 2)}:{rng.uniform(0.0, 0.12):.3f}"]
        if number % 2 and step > 3:
            deaths.reverse()
        for death in deaths:
            die(workdir, death)
        killed.run(str(workdir))
        assert_same_run(workdir, whole)


@pytest.mark.slow
def test_a_committee_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, workdir = tmp_path / "whole", tmp_path / "killed"
    killed.run(str(whole), members=2)
    for death in ("15", "write:1:0.020"):
        die(workdir, death, members=2)
    killed.run(str(workdir), members=2)
    assert_same_run(workdir, whole)


def test_a_streamed_run_goes_on_within_a_window_and_at_the_end_of_an_epoch(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of windows of three, three, three and one batches; it is the run of a set on the device."""
    monkeypatch.setattr(windows_module, "_WINDOW_BYTES", 20e3)
    streamed = {"resident_gb": 0.0, "checkpoint_interval_s": 1e9}
    seen: list[Progress] = []

    def stop_in_epoch(epoch: int, step: int):
        return lambda: (seen[-1].epoch, seen[-1].step) >= (epoch, step)

    for place in [(1, 5), (2, killed.STEPS_PER_EPOCH)]:
        with pytest.raises(TrainingStoppedError, match=f"in epoch {place[0]} after"):
            killed.run(str(tmp_path), seen.append, stop_in_epoch(*place), **streamed)
    killed.run(str(tmp_path), seen.append, **streamed)
    assert_same_run(tmp_path, whole)
    places = [(progress.epoch, progress.step) for progress in seen]
    assert places == sorted(set(places))
