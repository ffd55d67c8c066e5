"""Training beside nequip: its config, its logs, the table and the picture; torch is not needed."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import yaml

from allegro_jax.datasets import Splits, load, official_split
from allegro_jax.fitting.settings import configs
from allegro_jax.models.energy import initial_params
from allegro_jax.presets import preset
from allegro_jax.training import TrainingConfig
from allegro_jax.training.schedule import learning_rate
from allegro_jax.training.setup import atomic_energies
from experiments.benchmarks import peer_runs
from experiments.side_by_side import comparison, nequip_config, nequip_training, report
from experiments.side_by_side.contestants import PUBLISHED, contestants
from experiments.side_by_side.result import Result

TIMED = TrainingConfig(time_limit_s=60.0)
ALL = ("ours", "nequip", "ours-published", "nequip-preset")


@pytest.fixture(scope="module")
def splits() -> Splits:
    parts = official_split(load("rmd17-benzene"), valid=50, seed=0)
    return Splits(*(part.select(range(12)) for part in (parts.train, parts.valid, parts.test)))


@pytest.fixture(scope="module")
def arguments(splits: Splits) -> dict[str, Any]:
    model, _ = configs(preset("small"), splits.train, 1.0, {})
    return nequip_config.model_arguments(model, atomic_energies(splits.train))


def result(name: str, error: float, **changes: Any) -> Result:
    """A finished row whose force error falls to `error` (eV/Å)."""
    program = "nequip" if name.startswith("nequip") else "allegro_jax"
    training = dataclasses.replace(TIMED, batch_size=5).to_json()
    curve = [
        {
            "epoch": float(k),
            "step": 190.0 * k,
            "seconds": 10.0 * k,
            "learning_rate": 1e-3,
            "forces_mae": error * 3 / k,
            "energy_mae": 2 * error,
        }
        for k in (1, 2, 3)
    ]
    test = {"forces_mae": error, "energy_mae": 2 * error}
    known = {
        "settings": "preset",
        "request": {
            "dataset": "rmd17-benzene",
            "training": training,
            "cores": 2,
            "train": {"structures": 950, "sha256": ""},
        },
        "parameters": 57248,
        "compile_s": 12.0,
        "own_test": test if program == "nequip" else None,
        "environment": {},
    }
    return Result(name=name, program=program, curve=curve, test=test, **(known | changes))


def test_nequip_builds_a_model_of_as_many_parameters(splits, arguments):
    """Counted from its arguments by the rules of its modules; 57,248 is what nequip prints."""
    model, _ = configs(preset("small"), splits.train, 1.0, {})
    ours = sum(leaf.size for leaf in jax.tree.leaves(initial_params(model)))
    scalars, tensors, degrees = 64, 16, 3
    assert arguments["num_scalar_features"] == scalars
    assert arguments["num_tensor_features"] == tensors
    both = scalars + degrees * tensors
    embed = 2 * 2 * scalars // 2 + 8 * scalars + 2 * scalars**2 + scalars * degrees * tensors
    layers = scalars * both
    layers += (scalars + tensors) * scalars + scalars * both
    layers += (2 * scalars + tensors) * scalars + scalars * scalars
    products = tensors * (11 + 3)
    readout = 3 * scalars * scalars + scalars
    assert ours == embed + layers + products + readout == 57248


def test_the_config_names_the_same_files_sizes_and_settings(tmp_path, splits, arguments):
    (row,) = contestants(TIMED, ["nequip"])
    nequip_config.write_nequip_run(tmp_path, arguments, row.training, splits)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    module = config["training_module"]
    assert config["run"] == ["train", "test"]
    assert Path(config["data"]["val_file_path"]) == tmp_path / "valid.extxyz"
    assert config["data"]["train_dataloader"]["batch_size"] == PUBLISHED["batch_size"]
    assert config["trainer"]["callbacks"][0]["limit_s"] == 60.0
    assert module["model"]["compile_mode"] == "compile"
    assert module["model"]["type_names"] == ["H", "C"]
    assert module["optimizer"]["_target_"] == "torch.optim.Adam"
    assert module["optimizer"]["lr"] == PUBLISHED["learning_rate"]
    assert [term["coeff"] for term in module["loss"]["metrics"]] == [1.0, 1000.0]
    assert "&id" not in (tmp_path / "config.yaml").read_text()


def test_the_files_hold_the_labels(tmp_path, splits):
    nequip_config.write_extxyz(tmp_path / "test.extxyz", splits.test)
    again = load(str(tmp_path / "test.extxyz"))
    np.testing.assert_allclose(again.forces, splits.test.forces, atol=1e-7)
    np.testing.assert_allclose(again.energy, splits.test.energy, rtol=1e-12)
    np.testing.assert_allclose(again.positions, splits.test.positions, atol=1e-7)


def test_nequip_gets_our_loss_and_muon_where_it_trains_with_our_settings(arguments, tmp_path):
    ours = dataclasses.replace(TIMED, optimizer="muon", loss="l2", learning_rate=0.01)
    module = nequip_config.nequip_config(arguments, ours, tmp_path)["training_module"]
    metrics = module["loss"]["metrics"]
    assert {term["metric"]["_target_"] for term in metrics} == {"nequip_parts.VectorLength"}
    groups = module["optimizer"]["param_groups"]
    assert groups["adam"]["lr"] == 0.01
    assert groups["muon"]["lr"] == pytest.approx(0.01 * 8)  # √64, see `_optimizer`


def test_settings_that_nequip_does_not_have_are_refused(arguments, tmp_path):
    for changes in (
        {"optimizer": "schedule_free", "schedule": "constant"},
        {"schedule": "plateau"},
        {"time_limit_s": None},
        {"accumulate": 2},
        {"weight_points": ((0.5, 1.0, 1.0, 0.0),)},
    ):
        with pytest.raises(ValueError, match="nequip"):
            nequip_config.nequip_config(arguments, dataclasses.replace(TIMED, **changes), tmp_path)


def test_rows_have_the_settings_of_their_names():
    rows = {row.name: row for row in contestants(TIMED, ALL)}
    assert rows["ours"].training == rows["nequip-preset"].training == TIMED
    assert rows["nequip"].training == rows["ours-published"].training
    assert rows["nequip"].training.time_limit_s == TIMED.time_limit_s
    faster = contestants(TIMED, ["ours", "nequip"], peer_rate=5e-3)
    assert [row.training.learning_rate for row in faster] == [TIMED.learning_rate, 5e-3]
    with pytest.raises(ValueError, match="unknown rows"):
        contestants(TIMED, ["mace"])


def test_a_curve_of_nequip_is_read_under_our_names(tmp_path):
    row = {"epoch": 1, "step": 190, "structures": 950, "seconds": 9.5, "learning_rate": 1e-3}
    errors = {"forces_mae": 0.1, "total_energy_mae": 0.2, "weighted_sum": 3.0}
    (tmp_path / "epochs.jsonl").write_text(json.dumps({**row, **errors}) + "\n")
    (read,) = nequip_training.read_curve(tmp_path / "epochs.jsonl")
    assert read["forces_mae"] == 0.1
    assert read["energy_mae"] == 0.2
    assert set(read) == {"epoch", "step", "seconds", "learning_rate", "forces_mae", "energy_mae"}


def test_the_report_has_a_line_and_a_curve_for_every_row(tmp_path):
    results = [result("ours", 0.002), result("nequip", 0.009, settings="published")]
    text = report.report(results, tmp_path)
    assert "warning" not in text
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert len(lines) == 4
    cells = dict(zip(report.HEADER, [c.strip() for c in lines[3].split("|")[1:-1]], strict=True))
    assert cells["structures/s"] == "95.0"  # 570 steps of 5 structures in 30 s
    assert cells["epochs"] == "3.0"
    assert cells["test F meV/Å"] == cells["test F, by itself"] == "9.00"
    curves = (tmp_path / "curves.csv").read_text().splitlines()
    assert len(curves) == 7
    assert curves[1].startswith("ours,1,190,0.1666")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_unfair_comparison_is_doubted():
    assert not report.doubts([result("ours", 0.002), result("nequip", 0.009)])
    other = {"forces_mae": 0.0091, "energy_mae": 0.018}
    odd = result("nequip", 0.009, parameters=60_000, own_test=other)
    odd.request["cores"] = 1
    doubts = report.doubts([result("ours", 0.002), odd])
    assert [word in " ".join(doubts) for word in ("size", "cores", "own test")] == [True] * 3


def test_a_finished_row_is_not_trained_again_unless_it_was_another(tmp_path, monkeypatch, splits):
    trained: list[str] = []

    def train(row: Any, *others: Any) -> Result:
        trained.append(row.name)
        return result(row.name, 0.01, request=others[-1])

    monkeypatch.setattr(comparison, "train_ours", train)
    monkeypatch.setattr(comparison, "train_nequip", train)
    monkeypatch.setattr(comparison, "default_splits", lambda *_, **__: splits)
    monkeypatch.setattr(peer_runs, "interpreter", lambda _: Path(sys.executable))
    for _ in range(2):
        rows = comparison.compare("rmd17-benzene", tmp_path, ALL, minutes=1.0)
        assert [row.name for row in rows] == list(ALL)
    assert trained == list(ALL)
    with pytest.raises(ValueError, match="other settings"):
        comparison.compare("rmd17-benzene", tmp_path, ALL, minutes=2.0)


def test_a_missing_environment_is_told_before_anything_is_trained(tmp_path, monkeypatch, splits):
    monkeypatch.setattr(comparison, "default_splits", lambda *_, **__: splits)
    monkeypatch.setattr(peer_runs, "ENVIRONMENTS", tmp_path)
    with pytest.raises(RuntimeError, match="environments nequip"):
        comparison.compare("rmd17-benzene", tmp_path / "rows", ["ours", "nequip"], minutes=1.0)
    assert not (tmp_path / "rows").exists()


def test_a_failed_nequip_train_is_quoted(tmp_path):
    program = tmp_path / "nequip-train"
    program.write_text("#!/bin/sh\necho the reason\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(nequip_training.NequipError, match=r"ended with 3(.|\n)*the reason"):
        nequip_training.run_nequip(tmp_path / "python", tmp_path, threads=1)


def test_the_clock_of_nequip_sets_the_learning_rates_of_ours():
    """The callback runs where torch is; its formula is read from the file."""
    source = (peer_runs.SCRIPTS / "nequip_parts.py").read_text()
    body = source[source.index("    def _schedule") :].split("\n\n\n")[0]
    space: dict[str, Any] = {"math": math}
    exec("class Clock:\n" + body, space)
    clock = space["Clock"]()
    clock._warmup, clock._final = TIMED.warmup, TIMED.final_learning_rate
    for share in (0.0, 0.01, 0.02, 0.3, 1.0):
        theirs = TIMED.learning_rate * clock._schedule(share)
        assert theirs == pytest.approx(learning_rate(TIMED, share))
