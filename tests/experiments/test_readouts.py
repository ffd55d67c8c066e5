"""The comparison of readouts: runs that are kept, resumed and paired; statistics; the picture."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from allegro_jax.training import TrainingConfig
from experiments.readouts import choices, comparison, paired, pictures, runs, tables
from experiments.readouts.settings import PRESETS, Settings, settings

ROOT = Path(__file__).parents[2]
TINY = {
    "epochs": 2,
    "train": 20,
    "valid": 5,
    "test": 12,
    "batch_size": 5,
    "cutoff": 2.5,
    "n_qubits": 2,
    "final_width": 3,
}
NAMES = ["linear", "qdi"]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole comparison: two readouts, two seeds."""
    folder = tmp_path_factory.mktemp("comparison")
    comparison.compare(["rmd17-benzene"], NAMES, 2, folder, **TINY)
    return folder


def compared(folder: Path, **changes: Any) -> list[runs.Record]:
    return comparison.compare(["rmd17-benzene"], NAMES, 2, folder, **(TINY | changes))


def forbid(*_: object) -> None:
    raise AssertionError("this run was finished")


def test_every_readout_and_seed_makes_the_same_number_of_steps_on_the_same_data(workdir):
    records = compared(workdir, make=False)
    assert [(r["seed"], r["readout"]) for r in records] == [(s, n) for s in (0, 1) for n in NAMES]
    assert {r["steps"] for r in records} == {8}
    assert {len(r["per_structure"]["forces_mae"]) for r in records} == {12}
    assert len({r["test"]["forces_mae"] for r in records}) == 4
    assert all(r["train_cpu_s"] > 0 and r["inference_us_per_atom"] > 0 for r in records)


def test_errors_of_structures_of_equal_size_average_to_the_error_of_the_set(workdir):
    for record in compared(workdir, make=False):
        for quantity in ("forces_mae", "energy_mae"):
            mean = np.mean(record["per_structure"][quantity])
            assert mean == pytest.approx(record["test"][quantity], rel=1e-6)


def test_finished_runs_are_not_made_again_and_a_lost_one_is_made_as_before(
    workdir, monkeypatch: pytest.MonkeyPatch
):
    lost = workdir / "rmd17-benzene_linear_1.json"
    before = json.loads(lost.read_text())
    lost.unlink()
    made = []
    original = runs.run
    monkeypatch.setattr(runs, "run", lambda job, *a: made.append(job.name) or original(job, *a))
    compared(workdir)
    assert made == ["rmd17-benzene_linear_1"]
    assert json.loads(lost.read_text())["test"] == before["test"]
    monkeypatch.setattr(runs, "run", forbid)
    assert len(compared(workdir)) == 4


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_the_same_result(
    workdir, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    """Killed after its first epoch, with a checkpoint written. Slow: `train` is tested alike."""
    job = runs.Job(settings("rmd17-benzene", **TINY), "linear", 0)
    splits = job.settings.splits()
    seen: list[float] = []

    class Killed(BaseException):
        pass

    class Clock(runs.StepClock):
        def epoch_done(self, row: dict[str, float]) -> None:
            seen.append(row["epoch"])
            super().epoch_done(row)
            if len(seen) == 2:
                raise Killed

    monkeypatch.setattr(runs, "StepClock", Clock)
    training = Settings.training

    def with_frequent_checkpoints(self: Settings, seed: int) -> TrainingConfig:
        return dataclasses.replace(training(self, seed), checkpoint_interval_s=1e-9)

    monkeypatch.setattr(Settings, "training", with_frequent_checkpoints)
    with pytest.raises(Killed):
        runs.run(job, splits, tmp_path)
    assert runs.load(tmp_path, job) is None
    record = runs.run(job, splits, tmp_path)
    assert seen == [1, 2, 2]
    whole = next(r for r in compared(workdir, make=False) if r["readout"] == "linear")
    assert record["test"] == pytest.approx(whole["test"], rel=1e-6)


def test_a_folder_of_other_settings_is_refused(workdir):
    with pytest.raises(ValueError, match=r"epochs was 2, is now 3.*another --workdir"):
        compared(workdir, epochs=3)


def test_the_body_of_a_seed_starts_alike_with_every_readout():
    from allegro_jax.models.energy import initial_params

    tiny = settings("rmd17-benzene", **TINY)
    train_set = tiny.splits().train
    bodies = []
    for name in choices.READOUTS:
        params = dict(initial_params(tiny.model(name, train_set), seed=4))
        del params["readout"]
        bodies.append(params)
    for body in bodies[1:]:
        jax.tree.map(np.testing.assert_array_equal, body, bodies[0])


def test_tables_and_picture_show_every_readout(workdir, tmp_path, capsys):
    markdown, figure = tmp_path / "tables.md", tmp_path / "readouts.png"
    records = compared(workdir, make=False)
    comparison.report(records, "qdi", str(markdown), str(figure))
    printed, written = capsys.readouterr().out, markdown.read_text()
    for name in NAMES:
        assert name in printed
        assert f"| {name} |" in written
    forces = [1e3 * r["test"]["forces_mae"] for r in records if r["readout"] == "linear"]
    cell = written.split("| linear | 2 |")[1].split("|")[1]
    mean, deviation = map(float, cell.split("±"))
    assert mean == pytest.approx(np.mean(forces), rel=1e-2)
    assert deviation == pytest.approx(np.std(forces, ddof=1), rel=1e-2, abs=0.5)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_baseline_without_runs_is_named(workdir):
    with pytest.raises(ValueError, match=r"baseline 'mlp'.*linear, qdi"):
        comparison.report(compared(workdir, make=False), "mlp")


def record(readout: str, seed: int, errors: list[float]) -> runs.Record:
    each = {"forces_mae": errors, "energy_mae": errors}
    mean = {name: float(np.mean(values)) for name, values in each.items()}
    sizes = {"readout_parameters": 10, "trained_readout": 10, "steps": 5}
    costs = {"train_cpu_s": None, "inference_us_per_atom": 1.0}
    common = {"dataset": "x", "settings": {"batch_size": 1}, **sizes, **costs}
    return {"readout": readout, "seed": seed, "test": mean, "per_structure": each, **common}


def test_the_tests_pair_runs_by_seed_in_whatever_order_they_come():
    ours = [record("a", seed, 2 * [0.002 + 0.0101 * seed]) for seed in (2, 0, 1)]
    base = [record("qdi", seed, 2 * [0.001 + 0.01 * seed]) for seed in (0, 1, 2, 3)]
    _, rows = tables.tests_table(ours + base, "qdi")
    assert rows[0][:4] == ["a", "force MAE", "meV/Å", "3"]
    # Differences 1.0, 1.1, 1.2; half the interval is 4.303 · 0.1 / √3.
    assert rows[0][4] == "+1.10 [+0.85, +1.35]"


def test_a_single_seed_has_no_test_over_seeds_but_one_over_structures():
    rng = np.random.default_rng(0)
    records = [record("a", 0, list(rng.uniform(size=9))), record("qdi", 0, [0.0] * 9)]
    _, rows = tables.tests_table(records, "qdi")
    assert rows[0][4:6] == ["-", "-"]
    assert float(rows[0][7]) < 0.01


def test_the_test_over_seeds_is_the_paired_t_test():
    """Student's own example, hours of sleep gained with two drugs: t = 4.0621, p = 0.00283."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    result = paired.over_seeds(second, first)
    assert result is not None
    assert result.mean == pytest.approx(1.58)
    assert result.p == pytest.approx(0.002833, abs=1e-6)
    half = stats.t.ppf(0.975, 9) * (second - first).std(ddof=1) / np.sqrt(10)
    assert (result.low, result.high) == pytest.approx((1.58 - half, 1.58 + half))
    assert paired.over_seeds(second[:1], first[:1]) is None


def test_the_bootstrap_over_structures_agrees_with_the_normal_interval_of_many():
    rng = np.random.default_rng(1)
    base = rng.uniform(5, 50, (2, 800))  # structures differ much, readouts little
    ours = base + rng.normal(0.3, 2.0, (2, 800))
    result = paired.over_structures(ours, base)
    differences = (ours - base).mean(axis=0)
    half = 1.96 * differences.std(ddof=1) / np.sqrt(800)
    assert result.mean == pytest.approx(differences.mean())
    assert (result.low, result.high) == pytest.approx(
        (result.mean - half, result.mean + half), abs=0.05 * half
    )
    assert result.p < 0.01
    nothing = paired.over_structures(base + rng.normal(0.0, 2.0, (2, 800)), base)
    assert nothing.p > 0.05


def test_holm_is_the_published_step_down_procedure():
    """Worked example: 0.005·4, 0.01·3, 0.03·2 -> 0.06, and 0.04 cannot be below it."""
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([0.9, 0.8]) == [1.0, 1.0]
    assert paired.holm([]) == []


def test_unknown_readouts_and_repeated_ones_are_named():
    with pytest.raises(ValueError, match="unknown readout 'mpl'; choose from mlp, stacked_mlp"):
        choices.chosen(["qdi", "mpl"])
    with pytest.raises(ValueError, match="each once"):
        choices.chosen(["qdi", "qdi"])
    assert choices.chosen(["all"]) == list(choices.READOUTS)


def test_presets_compare_models_of_equal_body_and_mlp_of_equal_size():
    from allegro_jax.models.capacity import count_parameters

    for preset in PRESETS.values():
        equal = choices.readout("mlp_equal", preset.qdi)
        assert count_parameters(equal, 64) == count_parameters(preset.qdi, 64)


def test_the_program_ends_with_one_line_where_a_name_is_wrong(tmp_path):
    command = [sys.executable, "-m", "experiments.compare_readouts", "--readouts=qdi,mpl"]
    command += [f"--workdir={tmp_path}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith("error: unknown readout 'mpl'")
    assert "Traceback" not in run.stderr


def test_a_picture_of_one_seed_has_no_error_bars_but_is_drawn(tmp_path):
    pictures.draw(tmp_path / "one.png", [record("a", 0, [0.1]), record("qdi", 0, [0.2])])
    assert (tmp_path / "one.png").stat().st_size > 1000
