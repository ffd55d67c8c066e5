"""Training learns, resumes, refuses what does not fit, and leaves what it reports."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from allegro_jax.configs import AllegroConfig
from allegro_jax.datasets import Dataset, load
from allegro_jax.potential import Potential
from allegro_jax.training import (
    TrainingConfig,
    TrainingDivergedError,
    TrainingResult,
    config_from_data,
    train,
)
from allegro_jax.training.evaluation import evaluate
from tests.small_models import SIZES

SMALL = {**SIZES["2025"], "num_layers": 1}
TRAINING = TrainingConfig(max_epochs=4, batch_size=5, learning_rate=1e-2)


@pytest.fixture(scope="module")
def benzene() -> Dataset:
    return load("rmd17-benzene")


@pytest.fixture(scope="module")
def sets(benzene: Dataset) -> tuple[Dataset, Dataset]:
    return benzene.select(range(40)), benzene.select(range(40, 50))


@pytest.fixture(scope="module")
def config(sets: tuple[Dataset, Dataset]) -> AllegroConfig:
    return config_from_data(sets[0], 3.5, **SMALL)


class StoppedError(Exception):
    """Stands for a run that is cut off."""


def stop_after(epoch: int):
    def check(row: dict[str, float]) -> None:
        if row["epoch"] == epoch:
            raise StoppedError

    return check


def test_the_architecture_of_2023_trains_too(sets) -> None:
    config = config_from_data(sets[0], 3.5, architecture="2023", num_layers=1, **SIZES["2023"])
    longer = TrainingConfig(max_epochs=15, batch_size=4, learning_rate=2e-2)
    result = train(config, longer, *sets)
    assert result.best["forces_mae"] < 0.5 * np.abs(sets[1].forces).mean()
    error = evaluate(result.potential, sets[1])["forces_mae"]
    assert error == pytest.approx(result.best["forces_mae"], rel=1e-4)


def test_a_short_training_beats_predicting_zero(config: AllegroConfig, sets) -> None:
    longer = TrainingConfig(max_epochs=15, batch_size=4, learning_rate=2e-2)
    result = train(config, longer, *sets)
    zero = np.abs(sets[1].forces).mean()
    assert result.best["forces_mae"] < 0.6 * zero
    assert result.best["forces_mae"] == min(row["forces_mae"] for row in result.history)
    assert result.stopped_by == "max_epochs"


@dataclasses.dataclass
class Finished:
    """A run, and its folder."""

    workdir: Path
    result: TrainingResult


@pytest.fixture(scope="module")
def finished(config: AllegroConfig, sets, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    workdir = tmp_path_factory.mktemp("finished")
    return Finished(workdir, train(config, TRAINING, *sets, workdir=workdir))


def test_the_saved_potential_has_the_reported_error(finished: Finished, sets) -> None:
    again = evaluate(Potential.load(finished.workdir / "potential"), sets[1])
    for name in ("forces_mae", "energy_mae", "energy_per_atom_rmse"):
        assert again[name] == pytest.approx(finished.result.best[name], rel=1e-3)


def test_rows_hold_the_errors_of_every_type(finished: Finished) -> None:
    row = finished.result.best
    assert {name for name in row if "/" in name} == {
        f"forces_{kind}/{name}" for kind in ("mae", "rmse") for name in "HC"
    }
    mean = (row["forces_mae/H"] + row["forces_mae/C"]) / 2  # as many of each
    assert row["forces_mae"] == pytest.approx(mean, rel=1e-5)


def test_the_same_seed_gives_the_same_run(finished: Finished, config: AllegroConfig, sets) -> None:
    again = train(config, TRAINING, *sets)
    assert losses(again) == losses(finished.result)


def losses(result: TrainingResult) -> list[float]:
    return [row["loss"] for row in result.history]


@pytest.mark.slow
def test_an_interrupted_run_continues_with_the_same_losses(
    finished: Finished, config: AllegroConfig, sets, tmp_path: Path
) -> None:
    """Slow: `test_combinations.py` and `test_run.py` show the same, also within epochs."""
    often = dataclasses.replace(TRAINING, checkpoint_interval_s=1e-9)
    with pytest.raises(StoppedError):
        train(config, often, *sets, workdir=tmp_path, on_epoch=stop_after(3))
    seen: list[float] = []
    resumed = train(
        config, often, *sets, workdir=tmp_path, on_epoch=lambda row: seen.append(row["epoch"])
    )
    assert seen == [3.0, 4.0]
    assert losses(resumed) == losses(finished.result)
    whole = finished.result.potential.params
    equal = jax.tree.map(np.array_equal, resumed.potential.params, whole)
    assert all(jax.tree.leaves(equal))


def test_a_finished_run_is_not_run_again(finished: Finished, config: AllegroConfig, sets) -> None:
    again = train(config, TRAINING, *sets, workdir=finished.workdir, on_epoch=stop_after(1))
    assert again.history == finished.result.history


def test_a_checkpoint_of_another_model_is_refused_and_kept(
    finished: Finished, config: AllegroConfig, sets
) -> None:
    wider = config_from_data(sets[0], 3.5, **{**SMALL, "num_scalar_features": 16})
    with pytest.raises(ValueError, match="num_scalar_features was 8, is now 16"):
        train(wider, TRAINING, *sets, workdir=finished.workdir)
    again = train(config, TRAINING, *sets, workdir=finished.workdir, on_epoch=stop_after(1))
    assert again.best == finished.result.best


def test_a_diverging_run_says_so(config: AllegroConfig, sets) -> None:
    wild = TrainingConfig(max_epochs=5, learning_rate=1e30, warmup=0.0)
    with pytest.raises(TrainingDivergedError, match="learning rate"):
        train(config, wild, *sets)


def test_patience_and_time_end_a_run(config: AllegroConfig, sets) -> None:
    frozen = TrainingConfig(max_epochs=50, learning_rate=1e-30, patience=2)
    result = train(config, frozen, *sets)
    assert result.stopped_by == "patience"
    brief = TrainingConfig(max_epochs=10**6, time_limit_s=0.5)
    assert train(config, brief, *sets).stopped_by == "time_limit"


def test_energies_alone_can_be_trained() -> None:
    molecules = load("qm9").select(range(60))
    train_set, valid_set = molecules.select(range(50)), molecules.select(range(50, 60))
    config = config_from_data(train_set, 3.0, **SMALL)
    training = TrainingConfig(max_epochs=6, batch_size=10, learning_rate=1e-2)
    result = train(config, training, train_set, valid_set)
    assert "forces_mae" not in result.best
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_a_cutoff_without_neighbours_is_named(benzene: Dataset) -> None:
    with pytest.raises(ValueError, match=r"no atom .* has a neighbour"):
        config_from_data(benzene.select(range(3)), 0.5)
