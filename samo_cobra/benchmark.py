"""Runs the optimiser on the published test problems and compares hypervolumes.

    python -m samo_cobra.benchmark --problems=BNH,TNK,ZDT1 --seeds=5

prints one JSON line per run and then a table against the medians of the authors' own runs.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
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
        batch: points per ``ask``.
        callback: called with the number of evaluations and the CPU seconds of each ``ask``.
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
        points = optimizer.ask(min(batch, budget - len(curve)))
        if callback is not None:
            callback(len(curve), time.process_time() - started)
        for point in points:
            optimizer.tell(point, *problem.evaluate(point.x))
            curve.append(optimizer.hypervolume())
    return curve


def _measure(problem: Problem, budget: int, seed: int, batch: int, preset: str) -> dict[str, Any]:
    asks: list[float] = []
    started = time.perf_counter()
    settings = PRESETS[preset]
    curve = run(problem, budget, seed, batch, lambda _, seconds: asks.append(seconds), settings)
    return {
        "problem": problem.name,
        "seed": seed,
        "budget": budget,
        "batch": batch,
        "preset": preset,
        "hypervolume": curve[-1],
        "ask_cpu_ms_median_last_20": 1e3 * statistics.median(asks[-20:]),
        "wall_s": time.perf_counter() - started,
    }


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"{'problem':<9} {'runs':>4} {'median':>14} {'published':>14} {'difference':>10}"]
    for name in dict.fromkeys(row["problem"] for row in rows):
        values = [row["hypervolume"] for row in rows if row["problem"] == name]
        median, published = statistics.median(values), problems.get(name).published_hypervolume
        versus = "-" if published is None else f"{100 * (median / published - 1):+.3f} %"
        target = "-" if published is None else f"{published:.6g}"
        lines.append(f"{name:<9} {len(values):>4} {median:>14.8g} {target:>14} {versus:>10}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", default="BNH,TNK,ZDT1", help="comma-separated names")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--batch", type=int, default=1, help="points per ask")
    parser.add_argument("--budget", type=int, help="evaluations; default: the published budget")
    parser.add_argument("--preset", choices=PRESETS, default="recommended", help="settings")
    options = parser.parse_args(arguments)
    rows = []
    for name in options.problems.split(","):
        problem = problems.get(name)
        for seed in range(options.seeds):
            budget = options.budget or problem.budget
            row = _measure(problem, budget, seed, options.batch, options.preset)
            rows.append(row)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    sys.stdout.write(_table(rows) + "\n")


if __name__ == "__main__":
    main()
