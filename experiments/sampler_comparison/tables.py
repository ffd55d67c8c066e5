"""Hypervolumes of the searches at equal numbers of trials, with their spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from experiments.readouts import paired
from samo_cobra.pareto import hypervolume, non_dominated

REFERENCE_FACTOR = 1.1
"""The reference point is this times the largest value of each objective on any search's front."""

Points = Mapping[tuple[str, int], Float[np.ndarray, "trials objectives"]]
Curves = Mapping[str, Mapping[int, Float[np.ndarray, " trials"]]]
Table = tuple[list[str], list[list[str]]]


def reference_point(points: Points) -> Float[np.ndarray, " objectives"]:
    """Returns the reference point of all searches together."""
    fronts = [rows[non_dominated(rows)] for rows in points.values() if len(rows)]
    return REFERENCE_FACTOR * np.max(np.concatenate(fronts), axis=0)


def curves(points: Points) -> dict[str, dict[int, Float[np.ndarray, " trials"]]]:
    """Returns the hypervolume after every trial, by sampler and seed.

    As a share of that of the front of all searches together.
    """
    reference = reference_point(points)
    ones = np.ones(len(reference))
    best = hypervolume(np.concatenate(list(points.values())) / reference, ones)
    result: dict[str, dict[int, Float[np.ndarray, " trials"]]] = {}
    for (sampler, seed), rows in points.items():
        scaled = rows / reference
        values = [hypervolume(scaled[: n + 1], ones) / best for n in range(len(rows))]
        result.setdefault(sampler, {})[seed] = np.array(values)
    return result


def shares(found: Curves, moments: Sequence[int]) -> Table:
    """Returns a row per sampler: mean ± standard deviation over seeds, lowest to highest."""
    header = ["sampler", "seeds", *(f"after {n} trials" for n in moments)]
    rows = []
    for sampler, runs in found.items():
        row = [sampler, str(len(runs))]
        for n in moments:
            values = [curve[n - 1] for curve in runs.values() if len(curve) >= n]
            row.append(_spread(values))
        rows.append(row)
    return header, rows


def comparisons(found: Curves, moments: Sequence[int], ours: str = "samo") -> Table:
    """Returns the paired differences of a sampler from the others, over seeds."""
    header = ["against", *(f"difference after {n} trials [95 %]" for n in moments)]
    rows = []
    for sampler, runs in found.items():
        if sampler == ours or ours not in found:
            continue
        row = [sampler]
        for n in moments:
            seeds = [s for s, c in runs.items() if len(c) >= n and len(found[ours].get(s, ())) >= n]
            mine = np.array([found[ours][seed][n - 1] for seed in seeds])
            difference = paired.over_seeds(mine, np.array([runs[seed][n - 1] for seed in seeds]))
            row.append(
                "-"
                if difference is None
                else f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
            )
        rows.append(row)
    return header, rows


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    deviation = statistics.stdev(values)
    return f"{mean:.3f} ± {deviation:.3f} ({min(values):.3f} to {max(values):.3f})"
