"""Options of a training run in the whole of it: batches in parts, schedules, going on exactly."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from allegro_jax.datasets import load
from allegro_jax.sharding.data import DataParallel
from allegro_jax.training import TrainingConfig, TrainingDivergedError, config_from_data, train
from allegro_jax.training import windows as windows_module
from allegro_jax.training.validation import Validation
from allegro_jax.training.windows import TrainingWindows
from tests.allegro_jax.training.tiny import TINY, graphs_of, molecules

FRAMES = load("rmd17-benzene").select(range(10))
ENERGIES = dataclasses.replace(FRAMES, forces=None)
"""Frames of one molecule, so that every program has one size."""
CONFIG = config_from_data(ENERGIES, 2.5, **TINY)


class StoppedError(Exception):
    """Stands for a run that is cut off."""


def run(training: TrainingConfig, workdir: Path | None = None, stop: int = -1):
    """Trains on six frames, validates on four; may be cut off after an epoch."""

    def check(row: dict[str, float]) -> None:
        if row["epoch"] == stop:
            raise StoppedError

    parts = ENERGIES.select(range(6)), ENERGIES.select(range(6, 10))
    return train(CONFIG, training, *parts, workdir=workdir, on_epoch=check)


def test_an_epoch_is_dealt_out_to_batches_whether_it_is_streamed_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graphs = graphs_of(molecules())
    alone = DataParallel.over(1, 1)
    monkeypatch.setattr(windows_module, "_WINDOW_BYTES", 1e4)
    whole, streamed = (TrainingWindows(graphs, 2, alone, gb, accumulate=2) for gb in (1.0, 0.0))
    assert whole.steps_per_epoch == streamed.steps_per_epoch == 3
    ((steps, window),) = whole.epoch(0, 0)
    assert (steps, window.rows.shape, window.levels.shape) == (3, (3, 1, 4), (3, 2))
    used = np.sort(np.ravel(window.rows))
    np.testing.assert_array_equal(used, [*range(10), 10, 10])  # 10 stands for an empty place
    atoms = np.asarray(window.flat.n_node)[0][np.asarray(window.rows)]
    parts = list(streamed.epoch(0, 0))
    assert sum(steps for steps, _ in parts) == 3
    assert len(parts) > 1
    found = [
        np.asarray(part.flat.n_node)[0][np.asarray(part.rows)][:steps] for steps, part in parts
    ]
    np.testing.assert_array_equal(np.concatenate(found), atoms)
    levels = np.concatenate([np.asarray(part.levels)[:steps] for steps, part in parts])
    np.testing.assert_array_equal(levels, window.levels)


EXACT = {
    "learned weights, plateau, muon": TrainingConfig(
        max_epochs=5, batch_size=3, optimizer="muon", weight_decay=0.01, balancing="uncertainty",
        schedule="plateau", plateau_patience=0, learning_rate=0.3, loss="mae",
    ),
    "accumulated, stages, schedule-free": TrainingConfig(
        max_epochs=5, batch_size=2, accumulate=2, optimizer="schedule_free", schedule="constant",
        loss="huber", weight_points=((0.5, 10.0, 1.0, 0.0),),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("training", EXACT.values(), ids=EXACT)
def test_an_interrupted_run_continues_exactly_with_every_option(
    training: TrainingConfig, tmp_path: Path
) -> None:
    """Slow: `test_combinations.py` shows it for others, whose state is kept in the same way."""
    training = dataclasses.replace(training, checkpoint_interval_s=1e-9)
    whole = run(training)
    with pytest.raises(StoppedError):
        run(training, tmp_path, stop=4)
    resumed = run(training, tmp_path)
    names = ("loss", "learning_rate", "energy_mae")
    for row, other in zip(whole.history, resumed.history, strict=True):
        assert [row[name] for name in names] == [other[name] for name in names]
    jax.tree.map(np.testing.assert_array_equal, whole.potential.params, resumed.potential.params)
    if training.schedule == "plateau":
        assert len({row["learning_rate"] for row in whole.history}) > 1


def test_a_validation_set_without_the_deciding_label_is_refused() -> None:
    parts = FRAMES.select(range(6)), ENERGIES.select(range(6, 10))
    with pytest.raises(ValueError, match=r"forces_mae decides .* none of the 4 structures"):
        train(CONFIG, TrainingConfig(max_epochs=1), *parts)


def test_a_run_without_a_finite_validation_error_leaves_no_potential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validation, "errors", lambda *_: {"energy_mae": np.nan})
    with pytest.raises(TrainingDivergedError, match="energy_mae of the validation set was finite"):
        run(TrainingConfig(max_epochs=1, batch_size=3), tmp_path)
    assert not (tmp_path / "potential").exists()
