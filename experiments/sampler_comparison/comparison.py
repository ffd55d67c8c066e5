"""Makes the searches of a comparison of samplers, and reports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.benchmarks import table
from experiments.sampler_comparison import pictures, runs, tables
from experiments.sampler_comparison.runs import Problem
from experiments.searches.records import TrialRecord
from experiments.searches.samplers import SAMPLERS
from experiments.searches.trial import run_trial


def compare(
    problem: Problem,
    samplers: Sequence[str],
    seeds: int,
    workdir: Path,
    should_stop: Callable[[], bool] | None = None,
    evaluate: Callable[..., TrialRecord] = run_trial,
) -> None:
    """Makes the missing trials, a whole seed before the next one, and says what they cost.

    Args:
        problem: What is searched.
        samplers: Names.
        seeds: How many.
        workdir: Folder that keeps the searches.
        should_stop: Asked about once a second; True ends the run, which can be continued.
        evaluate: Runs a trial.

    Raises:
        ValueError: If a name or a setting does not fit, or the folder holds another comparison.
        SearchStoppedError: If `should_stop` said so.
    """
    unknown = [name for name in samplers if name not in SAMPLERS]
    if unknown or len(set(samplers)) < len(samplers) or not samplers:
        raise ValueError(
            f"expected samplers out of {', '.join(SAMPLERS)}, each once, got {samplers}"
        )
    runs.claim(workdir, problem)
    for seed in range(seeds):
        for sampler in samplers:
            print(f"{sampler}, seed {seed}: {_left(problem, samplers, seeds, workdir)}", flush=True)
            runs.run(
                problem,
                sampler,
                seed,
                workdir,
                samplers,
                evaluate=evaluate,
                should_stop=should_stop,
            )


def _left(problem: Problem, samplers: Sequence[str], seeds: int, workdir: Path) -> str:
    """Says how much is left and how long that takes."""
    each = runs.seconds_per_trial(problem, workdir)
    done = sum(
        len(runs.points(problem, sampler, seed, workdir))
        for sampler in samplers
        for seed in range(seeds)
    )
    shared = (len(samplers) - 1) * problem.initial_trials * seeds
    left = max(0, len(samplers) * seeds * problem.trials - done)
    text = f"{left} trials left, of them at most {min(left, shared)} taken over"
    return text if each is None else f"{text}; {each:.1f} s each, {left * each / 60:.0f} min"


def report(
    problem: Problem,
    samplers: Sequence[str],
    seeds: int,
    workdir: Path,
    moments: Sequence[int],
    markdown: str | None = None,
    figure: str | None = None,
) -> None:
    """Prints the tables, and writes them and the picture where asked for.

    Raises:
        ValueError: If a search has no finished trial.
    """
    points = {
        (sampler, seed): np.array(runs.points(problem, sampler, seed, workdir))
        for seed in range(seeds)
        for sampler in samplers
    }
    if empty := [f"{sampler} {seed}" for (sampler, seed), rows in points.items() if not len(rows)]:
        raise ValueError(f"no finished trial of {', '.join(empty)} in {workdir}")
    found = tables.curves(points)
    place = ", ".join(
        f"{name} {value:.4g}"
        for name, value in zip(problem.objectives, tables.reference_point(points), strict=True)
    )
    title = f"Hypervolume, share of all searches' front; reference point {place}"
    parts = [tables.shares(found, moments), tables.comparisons(found, moments)]
    print("\n\n".join([title, *(table.text(*part) for part in parts if part[1])]))
    if markdown:
        text = "\n\n".join([title, *(table.markdown(*part) for part in parts if part[1])])
        Path(markdown).write_text(text + "\n")
    if figure:
        pictures.draw(Path(figure), found, problem.initial_trials)
