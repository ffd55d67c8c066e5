"""Wrong settings and files are named before anything is written."""

import subprocess
import sys
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from allegro_jax.potential import Potential, initial_params
from experiments import search_loop
from experiments.configs import demo, train
from experiments.evaluate import evaluate_potential
from experiments.training_run import train_and_evaluate
from tests.small_models import small_config

ROOT = Path(__file__).parents[2]


def settings(**changes: object) -> ConfigDict:
    config = demo.get_config()
    for path, value in changes.items():
        part = config
        *parents, name = path.split("__")
        for parent in parents:
            part = part[parent]
        with part.unlocked():
            part[name] = value
    return config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__name": "rmd17-asprin"}, "rmd17-aspirin"),
        ({"data__path": "missing/folder"}, "missing/folder"),
        ({"data__valid": 1001}, "1001"),
        ({"data__train": 5000}, "5000"),
        ({"variants": ("allegro", "alegro")}, "alegro"),
        ({"variants": ()}, "at least one variant"),
        ({"trials": 0}, "trials=0"),
        ({"model__l_max": -1}, "l_max"),
        ({"model__n_qubits": 0}, "n_qubits"),
        ({"ranges__cutoff": (6.0, 4.0)}, "cutoff"),
        ({"training__ema_decay": 2.0}, "ema_decay"),
        ({"training__epochs": 3}, "epochs"),
        ({"storage": "nosql://nowhere"}, "cannot open the storage"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        search_loop.search(settings(**changes), tmp_path / "search")
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert kept <= {"search.json"}


def test_a_truncated_data_file_is_named(tmp_path: Path) -> None:
    whole = ROOT / "allegro_jax/datasets/data/rmd17_aspirin.npz"
    path = tmp_path / "rmd17_aspirin.npz"
    path.write_bytes(whole.read_bytes()[:50_000])
    with pytest.raises(ValueError, match=r"rmd17_aspirin\.npz"):
        search_loop.search(settings(data__path=str(tmp_path)), tmp_path / "search")


@pytest.mark.slow
def test_a_training_in_the_folder_of_another_is_refused(tmp_path: Path) -> None:
    """Slow, since it trains: `fit` and `train` are tested alike."""
    config = train.get_config("rmd17-benzene")
    config.data.update({"train": 20, "valid": 5, "test": 5})
    config.model.update({"l_max": 0, "num_scalar_features": 4, "num_tensor_features": 1})
    config.params.update({"cutoff": 3.0, "edge_mlp_width": 4})
    config.training.update({"max_epochs": 1})
    train_and_evaluate(config, tmp_path)
    config.params.cutoff = 3.5
    with pytest.raises(ValueError, match=r"cutoff was 3\.0, is now 3\.5"):
        train_and_evaluate(config, tmp_path)


def test_errors_of_a_potential_are_those_of_a_split_and_of_elements_that_it_knows(
    tmp_path: Path,
) -> None:
    config = small_config(type_names=("H", "C"), l_max=0, num_layers=1, cutoff=2.5)
    Potential(config, initial_params(config)).save(tmp_path)
    errors = evaluate_potential(str(tmp_path), "rmd17-benzene", "", "test", 100, 1)
    assert errors["errors"]["forces_mae"] > 0
    with pytest.raises(ValueError, match="no split 'tset'"):
        evaluate_potential(str(tmp_path), "rmd17-benzene", "", "tset", 50, 1)
    with pytest.raises(ValueError, match="hold the elements Cu"):
        evaluate_potential(str(tmp_path), "cu", "", "test", 50, 1)


def test_the_program_ends_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.search", f"--workdir={tmp_path / 'x'}"]
    command += ["--config=experiments/configs/demo.py", "--config.data.name=qm10"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in run.stderr
    assert "qm9" in run.stderr
