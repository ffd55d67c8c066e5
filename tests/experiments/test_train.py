"""The training program takes a preset and a file, and ends with one line where it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from allegro_jax.datasets import load
from experiments.configs import records
from experiments.models import model_config, training_config
from experiments.training_run import fit_and_say
from tests.small_fits import SETTINGS, SIZES, write_extxyz

ROOT = Path(__file__).parents[2]


def test_a_file_is_trained_on_and_the_result_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, workdir = write_extxyz(tmp_path / "mine.extxyz"), tmp_path / "run"
    settings = [f"{name}={value}" for name, value in (SETTINGS | {"max_epochs": 1}).items()]
    parts = {"valid": str(SIZES["valid"]), "test": str(SIZES["test"])}
    result = fit_and_say(str(file), preset="tiny", workdir=str(workdir), settings=settings, **parts)
    assert len(result.splits.train) == SIZES["train"]
    assert result.potential.config.l_max == 0
    said = capsys.readouterr()
    assert "parameters" in said.err
    assert "Potential.load(" in said.out
    present = {path.name for path in workdir.iterdir()}
    assert {"potential", "logs", "result.json", "learning_curves.png", "parity.png"} <= present


@pytest.mark.parametrize("setting", ["num_layers", "=3", "num layers=3"])
def test_a_setting_without_a_value_is_named(setting: str) -> None:
    with pytest.raises(ValueError, match="name=value"):
        fit_and_say("rmd17-benzene", settings=[setting])


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.train", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_program_names_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    run = program("--dataset=mine.extxyz", "--preset=tiny", f"--workdir={tmp_path / 'x'}")
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1] == "error: no data file mine.extxyz"
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "x").exists()


def test_a_data_set_or_a_config_is_asked_for(tmp_path: Path) -> None:
    run = program(f"--workdir={tmp_path}")
    assert run.returncode == 1
    assert "config" in run.stderr
    assert "dataset" in run.stderr


@pytest.mark.parametrize("name", ["rmd17-aspirin", "rmd17-benzene", "qm9"])
def test_a_recipe_describes_a_model_of_the_published_size_and_its_training(name: str) -> None:
    config = records.get_config(name)
    few = load(name).select(range(20))
    model = model_config(config.variant, config.params, config.model, few)
    training = training_config(config.params, config.training, config.seed)
    assert (model.num_layers, model.num_tensor_features) == (3, 128)
    assert (training.optimizer, training.loss) == ("muon", "l2")
    assert training.time_limit_s >= 24 * 3600


def test_a_recipe_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="there are recipes of rmd17-aspirin, "):
        records.get_config("culi")
