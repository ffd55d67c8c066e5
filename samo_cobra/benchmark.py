"""Runs the optimiser on the test problems beside the published results of the authors.

    python -m samo_cobra.benchmark --problems=BNH,TNK,ZDT1 --seeds=5
    python -m samo_cobra.benchmark --problems=published --seeds=3 --batch=5

prints one JSON line per run and then a table: median hypervolume, evaluations to 99 % of the
authors' median, and CPU seconds per suggestion; then the costs of single suggestions where the
authors' code was timed.
"""

import argparse
import dataclasses
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from samo_cobra import problems
from samo_cobra.optimizer import Optimizer
from samo_cobra.problems import Problem
from samo_cobra.settings import Settings

PRESETS = {
    "recommended": Settings(),
    "published": Settings.published(),
    "published-sms": Settings.published("sms"),
}

Record = dict[str, Any]

SHARES = (0.9, 0.95, 0.99, 0.999)
"""Shares of the authors' median hypervolume for which evaluations are counted."""

HEADER = (
    "problem",
    "runs",
    "median",
    "authors",
    "difference",
    "to 99 %",
    "authors",
    "CPU s/point",
    "authors (points)",
)

COSTS = ("problem", "points", "CPU s/infill", "authors", "ratio")

# Suggestions before and after the one of a size whose median is its cost.
_AROUND = 2


def run(
    problem: Problem,
    budget: int,
    seed: int,
    batch: int = 1,
    callback: Callable[[int, float], None] | None = None,
    settings: Settings | None = None,
) -> list[float]:
    """Optimises a test problem from a scrambled initial design.

    Args:
        problem: the test problem.
        budget: number of evaluations, initial design included.
        seed: seed of design and search.
        batch: points per ``ask``; the last of the design may be fewer.
        callback: called with the number of points asked for and the CPU seconds of ``ask`` and
            of the ``tell`` of its points.
        settings: choices of method.

    Returns:
        Hypervolume after every evaluation.
    """
    optimizer = Optimizer(
        problem.space,
        problem.n_objectives,
        problem.n_constraints,
        reference_point=problem.reference_point,
        seed=seed,
        settings=settings,
    )
    curve: list[float] = []
    while len(curve) < budget:
        started = time.process_time()
        # Models begin where the design ends: no batch reaches beyond it.
        design = optimizer.initial_points - len(curve)
        whole = min(batch, design) if design > 0 else batch
        points = optimizer.ask(min(whole, budget - len(curve)))
        seconds = time.process_time() - started
        for point in points:
            outcome = problem.evaluate(point.x)
            started = time.process_time()
            optimizer.tell(point, *outcome)
            seconds += time.process_time() - started
            curve.append(optimizer.hypervolume())
        if callback is not None:
            callback(len(points), seconds)
    return curve


def measure(
    problem: Problem, budget: int, seed: int, batch: int = 1, preset: str = "recommended"
) -> Record:
    """Runs once; the record is plain data.

    Returns:
        Hypervolumes and CPU seconds of every evaluation, those of a batch shared by its points,
        beside what was run.
    """
    seconds: list[float] = []
    started = time.perf_counter()
    settings = PRESETS[preset]
    curve = run(problem, budget, seed, batch, lambda n, s: seconds.extend([s / n] * n), settings)
    return {
        "problem": problem.name,
        "seed": seed,
        "budget": budget,
        "batch": batch,
        "preset": preset,
        "initial_points": problem.space.dims + 1,
        "hypervolumes": curve,
        "cpu_seconds": [round(s, 6) for s in seconds],
        "wall_s": time.perf_counter() - started,
    }


def evaluations_to(curve: Sequence[float], hypervolume: float) -> float:
    """Number of evaluations after which a run has reached a hypervolume; else infinite."""
    return next((n for n, v in enumerate(curve, start=1) if v >= hypervolume), math.inf)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What the tables need of one run.

    Attributes:
        problem, seed, budget, batch, preset: what was run.
        hypervolume: after the last evaluation.
        evaluations: number of evaluations to :data:`SHARES` of the authors' median with one point
            at a time; infinite where the budget was not enough, NaN without published results.
        cpu_s: median CPU seconds per point after the initial design; NaN without such points.
    """

    problem: str
    seed: int
    budget: int
    batch: int
    preset: str
    hypervolume: float
    evaluations: tuple[float, ...]
    cpu_s: float


def summary(record: Mapping[str, Any]) -> Summary:
    """Reduces the record of a run."""
    curve, single = record["hypervolumes"], problems.get(record["problem"]).published_hypervolume
    late = record["cpu_seconds"][record["initial_points"] :]
    return Summary(
        **{name: record[name] for name in ("problem", "seed", "budget", "batch", "preset")},
        hypervolume=curve[-1],
        evaluations=tuple(
            math.nan if single is None else evaluations_to(curve, share * single)
            for share in SHARES
        ),
        cpu_s=statistics.median(late) if late else math.nan,
    )


def rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """Rows of a table under :data:`HEADER`, one per problem and batch size."""
    groups = dict.fromkeys((s.problem, s.batch) for s in summaries)
    return [
        _row(problems.get(name), [s for s in summaries if (s.problem, s.batch) == (name, batch)])
        for name, batch in groups
    ]


def _row(problem: Problem, runs: Sequence[Summary]) -> list[str]:
    batch = runs[0].batch
    median = statistics.median(r.hypervolume for r in runs)
    published = problem.published_median(batch)
    needed = statistics.median(r.evaluations[SHARES.index(0.99)] for r in runs)
    seconds = statistics.median(r.cpu_s for r in runs)
    return [
        problem.name if batch == 1 else f"{problem.name} x{batch}",
        str(len(runs)),
        f"{median:.7g}",
        _number(published, ".7g"),
        "-" if published is None else f"{100 * (median / published - 1):+.3f} %",
        _number(needed, "g"),
        _number(problem.published_evaluations(0.99), "g"),
        _number(seconds, ".3f"),
        _authors_seconds(problem),
    ]


def costs(records: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Rows under :data:`COSTS`, one per number of points at which the authors' code was timed.

    Only runs with one point at a time count.
    """
    found = []
    for name in dict.fromkeys(r["problem"] for r in records):
        results = problems.get(name).results
        runs = [r["cpu_seconds"] for r in records if (r["problem"], r["batch"]) == (name, 1)]
        for n, theirs in results.cpu_seconds.items() if results else ():
            around = [s for run in runs for s in run[n - _AROUND : n + _AROUND + 1] if len(run) > n]
            if around:
                ours = statistics.median(around)
                found.append([name, str(n), f"{ours:.3f}", f"{theirs:.2f}", f"{ours / theirs:.2f}"])
    return found


def _number(value: float | None, form: str) -> str:
    if value is None or math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:{form}}"


def _authors_seconds(problem: Problem) -> str:
    """The authors' cost of one infill (batch size 1): of whole runs, else with most points."""
    results = problem.results
    if results is None:
        return "-"
    if results.cpu_seconds_of_run is not None:
        return f"{results.cpu_seconds_of_run:.2f} (all)"
    if not results.cpu_seconds:
        return "-"
    points, seconds = max(results.cpu_seconds.items())
    return f"{seconds:.2f} ({points})"


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Finished runs as aligned text."""
    return _aligned(HEADER, rows([summary(record) for record in records]))


def _aligned(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [header, *body]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--problems", default="BNH,TNK,ZDT1", help="comma-separated names, or: published"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--batch", type=int, default=1, help="points per ask")
    parser.add_argument("--budget", type=int, help="evaluations; default: the published budget")
    parser.add_argument("--preset", choices=PRESETS, default="recommended", help="settings")
    options = parser.parse_args(arguments)
    published = options.problems == "published"
    names = problems.published_names() if published else options.problems.split(",")
    chosen = [problems.get(name) for name in names]
    records = []
    for problem in chosen:
        for seed in range(options.seeds):
            budget = options.budget or problem.budget
            records.append(measure(problem, budget, seed, options.batch, options.preset))
            sys.stdout.write(json.dumps(_short(records[-1])) + "\n")
            sys.stdout.flush()
    sys.stdout.write(table(records) + "\n")
    if timed := costs(records):
        sys.stdout.write("\n" + _aligned(COSTS, timed) + "\n")


def _short(record: Mapping[str, Any]) -> Record:
    line = {key: record[key] for key in ("problem", "seed", "budget", "batch", "wall_s")}
    line["hypervolume"] = record["hypervolumes"][-1]
    line["cpu_s_per_point_last_20"] = statistics.median(record["cpu_seconds"][-20:])
    return line


if __name__ == "__main__":
    main()
