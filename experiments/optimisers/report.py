"""Finished runs as a table: who reaches which share of the best, at which cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from experiments.optimisers.curves import Curve


def methods_of(curves: Sequence[Curve]) -> list[str]:
    """Methods in the order of their mean share, best first."""
    found = dict.fromkeys(c.job.method for c in curves)
    shares = mean_shares(curves)
    return sorted(found, key=lambda name: -shares[name])


def problems_of(curves: Sequence[Curve]) -> list[str]:
    """Problems in the order in which the runs name them."""
    return list(dict.fromkeys(c.job.problem for c in curves))


def runs_of(curves: Sequence[Curve], problem: str, method: str) -> list[Curve]:
    """The runs of a method on a problem, one per seed."""
    return [c for c in curves if (c.job.problem, c.job.method) == (problem, method)]


def median_at(curves: Sequence[Curve], problem: str, method: str, evaluations: int) -> float:
    """Median hypervolume over the seeds; NaN without runs."""
    values = [c.hypervolumes[evaluations - 1] for c in runs_of(curves, problem, method)]
    return statistics.median(values) if values else float("nan")


def shares(curves: Sequence[Curve], problem: str, evaluations: int) -> dict[str, float]:
    """Median hypervolume of every method that has runs, as a share of the best median."""
    names = dict.fromkeys(c.job.method for c in curves if c.job.problem == problem)
    medians = {name: median_at(curves, problem, name, evaluations) for name in names}
    best = max(medians.values())
    return {name: m / best if best > 0 else 0.0 for name, m in medians.items()}


def mean_shares(curves: Sequence[Curve], evaluations: int = 0) -> dict[str, float]:
    """Mean share of every method over its problems; at the budget where `evaluations` is 0."""
    collected: dict[str, list[float]] = {}
    for problem in problems_of(curves):
        for name, share in shares(curves, problem, evaluations).items():
            collected.setdefault(name, []).append(share)
    return {name: statistics.fmean(values) for name, values in collected.items()}


def cpu_per_suggestion(curves: Sequence[Curve], method: str) -> float:
    """Median over runs of the median CPU seconds of a suggestion after the design."""
    seconds = [c.cpu_s for c in curves if c.job.method == method and not math.isnan(c.cpu_s)]
    return statistics.median(seconds) if seconds else float("nan")


def table(
    curves: Sequence[Curve], evaluations: int, best_known: Mapping[str, float | None]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: medians as shares of the best one, with the number of seeds.

    Args:
        curves: Finished runs of one budget.
        evaluations: After how many evaluations to compare.
        best_known: Hypervolume of the best known front by problem.
    """
    names = methods_of(curves)
    header = [f"after {evaluations}", *names, "best", "best / known"]
    rows, wins = [], dict.fromkeys(names, 0)
    for problem in problems_of(curves):
        found = shares(curves, problem, evaluations)
        winner = max(found, key=lambda name: found[name])
        best = median_at(curves, problem, winner, evaluations)
        wins[winner] += best > 0
        cells = [_share(found, name, len(runs_of(curves, problem, name))) for name in names]
        rows.append([problem, *cells, f"{best:.6g}", _ratio(best, best_known.get(problem))])
    means = mean_shares(curves, evaluations)
    seconds = {name: cpu_per_suggestion(curves, name) for name in names}
    rows.append(["wins", *[str(wins[name]) for name in names], "", ""])
    rows.append(["mean share", *[f"{means[name]:.3f}" for name in names], "", ""])
    rows.append(["CPU s/suggestion", *[f"{seconds[name]:.2g}" for name in names], "", ""])
    return header, rows


def _share(found: Mapping[str, float], name: str, seeds: int) -> str:
    return f"{found[name]:.3f} ({seeds})" if name in found else "-"


def _ratio(value: float, known: float | None) -> str:
    return "-" if known is None else f"{value / known:.3f}"
