"""Finished runs as a table: who reaches which share of the best, at which cost."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


def methods_of(records: Sequence[Record]) -> list[str]:
    """Methods in the order of their mean share, best first."""
    found = dict.fromkeys(r["method"] for r in records)
    shares = mean_shares(records)
    return sorted(found, key=lambda name: -shares[name])


def problems_of(records: Sequence[Record]) -> list[str]:
    """Problems in the order in which the records name them."""
    return list(dict.fromkeys(r["problem"] for r in records))


def curves(records: Sequence[Record], problem: str, method: str) -> list[list[float]]:
    """Hypervolumes after every evaluation, one list per seed."""
    chosen = [r for r in records if (r["problem"], r["method"]) == (problem, method)]
    return [r["hypervolumes"] for r in chosen]


def median_at(records: Sequence[Record], problem: str, method: str, evaluations: int) -> float:
    """Median hypervolume over the seeds; NaN without runs."""
    values = [c[evaluations - 1] for c in curves(records, problem, method)]
    return statistics.median(values) if values else float("nan")


def shares(records: Sequence[Record], problem: str, evaluations: int) -> dict[str, float]:
    """Median hypervolume of every method that has runs, as a share of the best median."""
    names = dict.fromkeys(r["method"] for r in records if r["problem"] == problem)
    medians = {name: median_at(records, problem, name, evaluations) for name in names}
    best = max(medians.values())
    return {name: m / best if best > 0 else 0.0 for name, m in medians.items()}


def mean_shares(records: Sequence[Record], evaluations: int = 0) -> dict[str, float]:
    """Mean share of every method over its problems; at the budget where `evaluations` is 0."""
    collected: dict[str, list[float]] = {}
    for problem in problems_of(records):
        for name, share in shares(records, problem, evaluations).items():
            collected.setdefault(name, []).append(share)
    return {name: statistics.fmean(values) for name, values in collected.items()}


def cpu_per_suggestion(records: Sequence[Record], method: str) -> float:
    """Median over runs of the median CPU seconds of a suggestion after the design."""
    chosen = [r for r in records if r["method"] == method]
    late = [r["cpu_seconds"][r["initial_points"] :] for r in chosen]
    medians = [statistics.median(seconds) for seconds in late if seconds]
    return statistics.median(medians) if medians else float("nan")


def table(
    records: Sequence[Record], evaluations: int, best_known: Mapping[str, float | None]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: medians as shares of the best one, with the number of seeds.

    Args:
        records: Finished runs of one budget.
        evaluations: After how many evaluations to compare.
        best_known: Hypervolume of the best known front by problem.
    """
    names = methods_of(records)
    header = [f"after {evaluations}", *names, "best", "best / known"]
    rows, wins = [], dict.fromkeys(names, 0)
    for problem in problems_of(records):
        found = shares(records, problem, evaluations)
        winner = max(found, key=lambda name: found[name])
        best = median_at(records, problem, winner, evaluations)
        wins[winner] += best > 0
        cells = [_share(found, name, len(curves(records, problem, name))) for name in names]
        rows.append([problem, *cells, f"{best:.6g}", _ratio(best, best_known.get(problem))])
    means = mean_shares(records, evaluations)
    seconds = {name: cpu_per_suggestion(records, name) for name in names}
    rows.append(["wins", *[str(wins[name]) for name in names], "", ""])
    rows.append(["mean share", *[f"{means[name]:.3f}" for name in names], "", ""])
    rows.append(["CPU s/suggestion", *[f"{seconds[name]:.2g}" for name in names], "", ""])
    return header, rows


def _share(found: Mapping[str, float], name: str, seeds: int) -> str:
    return f"{found[name]:.3f} ({seeds})" if name in found else "-"


def _ratio(value: float, known: float | None) -> str:
    return "-" if known is None else f"{value / known:.3f}"
