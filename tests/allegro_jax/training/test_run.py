"""What a run tells, what it leaves, and how it meets a full disk, damage and other data."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from allegro_jax.datasets import Dataset, load
from allegro_jax.digests import data_digest
from allegro_jax.training import (
    Progress,
    TrainingResult,
    TrainingStoppedError,
    config_from_data,
    train,
)
from allegro_jax.training import checkpoints as checkpoints_module
from allegro_jax.training.evaluation import evaluate
from allegro_jax.training.validation import deciding_metric, named_sets
from tests.allegro_jax.training import killed


@dataclasses.dataclass
class Finished:
    workdir: Path
    result: TrainingResult
    told: list[Progress]

    @property
    def losses(self) -> np.ndarray:
        return np.genfromtxt(self.workdir / "losses.csv", delimiter=",", names=True)["loss"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    workdir, told = tmp_path_factory.mktemp("finished"), []
    return Finished(workdir, killed.run(str(workdir), told.append), told)


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Path:
    return shutil.copytree(finished.workdir, tmp_path / "run")


def losses_of(result: TrainingResult) -> list[float]:
    return [row["loss"] for row in result.history]


def test_every_call_tells_where_the_run_is(finished: Finished) -> None:
    told = finished.told
    per_epoch, epochs = killed.STEPS_PER_EPOCH, killed.TRAINING.max_epochs
    assert {(p.steps_per_epoch, p.max_epochs) for p in told} == {(per_epoch, epochs)}
    ends = [(p.epoch - 1) * per_epoch + p.step for p in told]
    assert ends[-1] == per_epoch * epochs
    for begin, end, progress in zip([0, *ends], ends, told, strict=False):
        assert progress.loss == pytest.approx(finished.losses[begin:end].mean(), rel=1e-12)
        left = progress.elapsed_s / end * (ends[-1] - end)
        assert progress.remaining_s == pytest.approx(left)
        assert progress.structures_per_s > 0
    assert told[-1].learning_rate == finished.result.history[-1]["learning_rate"]
    seconds = [p.elapsed_s for p in told]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= finished.result.history[-1]["seconds"]


def test_the_run_card_says_what_the_run_was_made_of(finished: Finished) -> None:
    card = json.loads((finished.workdir / "run.json").read_text())
    assert card["run"]["seed"] == killed.TRAINING.seed
    assert card["run"]["training"] == killed.TRAINING.to_json()
    assert card["run"]["data"]["train"]["structures"] == 39
    assert set(card["started"]["versions"]) >= {"jax", "flax", "numpy", "orbax-checkpoint"}
    assert card["started"]["devices"] == 1
    assert card["resumed"] == []
    text = (finished.workdir / "run.json").read_text()
    assert os.uname().nodename not in text
    assert str(Path.home()) + "/" not in text


def test_several_validation_sets_are_reported_and_the_first_decides(finished: Finished) -> None:
    data = load("rmd17-benzene")
    train_set, near = data.select(range(39)), data.select(range(40, 45))
    far = data.select(range(100, 103))
    config = config_from_data(train_set, 3.0, **killed.SMALL)
    result = train(config, killed.TRAINING, train_set, {"near": near, "far": far})
    assert losses_of(result) == losses_of(finished.result)
    for row, alone in zip(result.history, finished.result.history, strict=True):
        assert {name: row[name] for name in alone if name != "seconds"} == {
            name: alone[name] for name in alone if name != "seconds"
        }
    errors = evaluate(result.potential, far)
    assert result.best["far/forces_mae"] == pytest.approx(errors["forces_mae"], rel=1e-4)
    assert result.best["far/energy_rmse"] == pytest.approx(errors["energy_rmse"], rel=1e-3)


@pytest.mark.parametrize("sets", [{}, {"": 1}, {"a": 1, "b/c": 2}, {"train": 1}, {3: 1}])
def test_names_of_validation_sets_must_serve_as_columns(sets) -> None:
    with pytest.raises(ValueError, match=r"validation set"):
        named_sets(sets)


def test_a_validation_set_without_forces_cannot_decide_by_forces() -> None:
    data = load("rmd17-benzene").select(range(2))
    energies = dataclasses.replace(data, forces=None, name="energies")
    assert deciding_metric(None, data, data) == "forces_mae"
    assert deciding_metric("energy_mae", data, energies) == "energy_mae"
    with pytest.raises(ValueError, match=r"none of the 2 .* 'energies' has a label"):
        deciding_metric(None, data, energies)


def other_data(data: Dataset) -> Dataset:
    forces = data.forces.copy()
    forces[-1, -1] += 1e-9
    return dataclasses.replace(data, forces=forces)


def test_data_are_told_apart_by_their_content_and_not_by_their_name() -> None:
    data = load("rmd17-benzene").select(range(3))
    assert data_digest(data) == data_digest(dataclasses.replace(data, name="other"))
    assert data_digest(data) != data_digest(other_data(data))
    assert data_digest(data) != data_digest(data.select([1, 0, 2]))


def test_a_run_is_not_continued_on_other_data(copy: Path) -> None:
    data = load("rmd17-benzene")
    train_set, valid_set = data.select(range(39)), data.select(range(40, 45))
    config = config_from_data(train_set, 3.0, **killed.SMALL)
    with pytest.raises(ValueError, match=r"data\.train\.sha256 was .*, is now .* settings and dat"):
        train(config, killed.TRAINING, other_data(train_set), valid_set, workdir=copy)


def test_a_work_directory_that_is_a_file_is_refused_before_anything_is_made(tmp_path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(ValueError, match=r"the work directory .* is a file"):
        train(None, None, None, None, workdir=tmp_path / "run")


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    finished: Finished, copy: Path
) -> None:
    moments = sorted(int(path.name) for path in (copy / "checkpoints").iterdir())
    newest = copy / "checkpoints" / str(moments[-1])
    largest = max(newest.rglob("*"), key=lambda path: path.stat().st_size)
    os.truncate(largest, 100)
    with pytest.warns(RuntimeWarning, match=f"{newest} cannot be read"):
        result = killed.run(str(copy))
    assert losses_of(result) == losses_of(finished.result)
    assert (copy / "losses.csv").read_text() == (finished.workdir / "losses.csv").read_text()


def test_a_full_disk_costs_checkpoints_and_not_the_run(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full from the second epoch on, until the run is started again."""
    disk = SimpleNamespace(free=1e9)
    monkeypatch.setattr(checkpoints_module.shutil, "disk_usage", lambda _: disk)

    def fill(progress: Progress) -> None:
        disk.free = 1000 if progress.epoch >= 2 else 1e9

    with (
        pytest.warns(RuntimeWarning, match=r"No space left .* Training goes on and tries again in"),
        pytest.raises(OSError, match="no checkpoint could be written"),
    ):
        killed.run(str(tmp_path), fill)
    assert not (tmp_path / "potential").exists()
    disk.free = 1e9
    told: list[Progress] = []
    result = killed.run(str(tmp_path), told.append)
    assert told[0].epoch == 2
    assert losses_of(result) == losses_of(finished.result)
    assert (tmp_path / "losses.csv").read_text() == (finished.workdir / "losses.csv").read_text()


def test_a_loss_curve_that_was_cut_is_told_and_the_run_goes_on(
    finished: Finished, copy: Path
) -> None:
    os.truncate(copy / "losses.csv", 50)
    with pytest.warns(RuntimeWarning, match=r"losses\.csv is shorter than when"):
        result = killed.run(str(copy))
    assert losses_of(result) == losses_of(finished.result)


def test_a_run_limited_by_time_goes_on_with_its_clock_and_its_losses(tmp_path: Path) -> None:
    """Later learning rates follow the clock, so the rest of the curve is one of many."""
    limit = 1.0
    settings = {"time_limit_s": limit, "max_epochs": 10**6, "checkpoint_interval_s": 1e9}
    told: list[Progress] = []
    with pytest.raises(TrainingStoppedError):
        killed.run(str(tmp_path), told.append, lambda: told[-1].step >= 5, **settings)
    before, seconds = (tmp_path / "losses.csv").read_text(), told[-1].elapsed_s
    assert before.count("\n") == 1 + told[-1].step
    told.clear()
    result = killed.run(str(tmp_path), told.append, **settings)
    assert (tmp_path / "losses.csv").read_text().startswith(before)
    assert seconds < told[0].elapsed_s < told[-1].elapsed_s
    assert told[-1].remaining_s == pytest.approx(max(limit - told[-1].elapsed_s, 0.0))
    assert result.stopped_by == "time_limit"
    assert result.history[-1]["seconds"] >= limit
