"""Samplers compared: shared initial trials, equal numbers of trials, hypervolumes with spread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.sampler_comparison import comparison, runs, tables
from experiments.sampler_comparison.runs import Problem
from experiments.searches.records import TrialRecord

PROBLEM = Problem(dataset="rmd17-benzene", trials=6, initial_trials=4, train=30)
NAMES = ["tpe", "random"]  # SAMO-COBRA compiles its models, which takes seconds


class Invented:
    """Measures a made-up trade-off at once, and counts how often."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int, int]] = []

    def __call__(
        self,
        config: Any,
        _splits: Any,
        variant: str,
        number: int,
        params: Mapping[str, Any],
        folder: Path,
        **_: Any,
    ) -> TrialRecord:
        self.made.append((config.sampler, config.seed, number))
        error, seconds = 0.3 / params["cutoff"], 0.1 * params["cutoff"] * params["num_layers"]
        measured = {"forces_mae": error, "inference_time": seconds}
        record = TrialRecord(
            variant, number, dict(params), [error, seconds], {"forces_mae": error}, [], {}, {},
            {"trial": 1.0, "compilation": 0.5}, 0, 1, 0, "max_epochs", {}, 0.0, measured,
        )  # fmt: skip
        record.save(folder / "record.json")
        return record


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Invented]:
    """A whole comparison of two samplers with one seed."""
    folder, invented = tmp_path_factory.mktemp("samplers"), Invented()
    comparison.compare(PROBLEM, NAMES, 1, folder, evaluate=invented)
    return folder, invented


def params(folder: Path, sampler: str, seed: int) -> list[dict[str, Any]]:
    trials = runs.folder(folder, sampler, seed) / "trials" / PROBLEM.variant
    return [TrialRecord.load(path).params for path in sorted(trials.glob("*/record.json"))]


def test_samplers_of_a_seed_share_their_initial_trials_and_nothing_else(workdir):
    folder, _ = workdir
    ours, others = (params(folder, name, 0) for name in NAMES)
    assert len(ours) == len(others) == PROBLEM.trials
    assert ours[:4] == others[:4] == runs.initial_params(PROBLEM, 0)
    assert ours[4:] != others[4:]
    assert runs.initial_params(PROBLEM, 1)[1:] != ours[1:4]


def test_shared_trials_are_measured_once(workdir):
    _, invented = workdir
    initial = [(sampler, seed) for sampler, seed, number in invented.made if number < 4]
    assert initial == [("tpe", 0)] * 4
    assert len(invented.made) == 2 * PROBLEM.trials - 4


def test_a_second_run_measures_nothing_and_more_trials_go_on(workdir):
    folder, _ = workdir
    again = Invented()
    comparison.compare(PROBLEM, NAMES, 1, folder, evaluate=again)
    assert again.made == []
    with pytest.raises(ValueError, match=r"epochs was 8, is now 9.*another --workdir"):
        comparison.compare(Problem(**{**vars(PROBLEM), "epochs": 9}), NAMES, 1, folder)


def test_the_report_has_a_row_per_sampler_and_a_picture(workdir, tmp_path, capsys):
    folder, _ = workdir
    files = str(tmp_path / "t.md"), str(tmp_path / "t.png")
    comparison.report(PROBLEM, NAMES, 1, folder, [4, 6], *files)
    printed = capsys.readouterr().out
    assert "reference point forces_mae" in printed
    text = (tmp_path / "t.md").read_text()
    assert "| tpe | 1 |" in text
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no finished trial of tpe 1"):
        comparison.report(PROBLEM, NAMES, 2, folder, [4])


def test_hypervolumes_grow_to_that_of_the_front_of_all():
    points = {
        ("samo", 0): np.array([[1.0, 4.0], [2.0, 2.0], [4.0, 1.0]]),
        ("random", 0): np.array([[4.0, 4.0], [4.0, 4.0], [2.0, 2.0]]),
    }
    np.testing.assert_allclose(tables.reference_point(points), [4.4, 4.4])
    found = tables.curves(points)
    assert found["samo"][0][-1] == pytest.approx(1.0)
    assert found["random"][0][0] == pytest.approx(0.16 / (3.4 * 0.4 + 2.4 * 2.0 + 0.4 * 1.0))
    assert np.all(np.diff(found["random"][0]) >= 0)


def test_differences_are_paired_over_seeds():
    found = {
        "samo": {0: np.array([0.5, 0.9]), 1: np.array([0.5, 0.81])},
        "tpe": {1: np.array([0.5, 0.7]), 0: np.array([0.5, 0.8])},
        "random": {0: np.array([0.5])},
    }
    _, rows = tables.comparisons(found, [2])
    assert rows[0][0] == "tpe"
    assert rows[0][1] == "+0.105 [+0.041, +0.169]"  # 0.005 · 12.706
    assert rows[1] == ["random", "-"]


def test_wrong_settings_are_named(tmp_path):
    with pytest.raises(ValueError, match="out of samo"):
        comparison.compare(PROBLEM, ["annealing"], 1, tmp_path)
    with pytest.raises(ValueError, match="fewer than trials"):
        Problem(trials=4, initial_trials=4)
    with pytest.raises(ValueError, match="needs a length"):
        Problem(epochs=0)
