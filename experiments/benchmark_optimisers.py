"""SAMO-COBRA beside other optimisers, and beside the published results of its authors.

    python -m experiments.benchmark_optimisers --methods=samo-cobra,optuna-tpe --seeds=0,1,2,3,4
    python -m experiments.benchmark_optimisers --norun --figure=convergence.png   # report only
    python -m experiments.benchmark_optimisers --suite=published --seeds=0,1,2 --batch=5
    python -m experiments.benchmark_optimisers --suite=published --results=published.csv

The suite `comparison` runs every method on 15 problems from the same initial design; methods other
than samo-cobra, sobol, random and Optuna's TPE and NSGA-II need `pip install ".[rivals]"`, and so
do the problems HPOLib-slice and NB201-cifar100. The suite `published` runs ours on the 18 problems
of the papers, 40 evaluations per variable. Finished runs are kept in the work directory and not
made again; a seed is finished before the next one begins. Costs are CPU seconds: set
OPENBLAS_NUM_THREADS=1 and OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

_SUITE = flags.DEFINE_enum("suite", "comparison", ["comparison", "published"], "What to run.")
_METHODS = flags.DEFINE_list(
    "methods",
    ["samo-cobra", "sobol", "optuna-tpe", "optuna-nsga2"],
    "samo-cobra, sobol, random, optuna-tpe, optuna-nsga2, optuna-gp, botorch-qlognehvi, "
    "pymoo-nsga2, or all.",
)
_PROBLEMS = flags.DEFINE_list("problems", ["all"], "Problems of the suite, or all.")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds.")
_BUDGET = flags.DEFINE_integer(
    "budget", None, "Evaluations; by default 100, in the published suite 40 per variable.", 1
)
_BATCH = flags.DEFINE_integer("batch", 1, "Points at a time, in the published suite.", 1)
_WORKDIR = flags.DEFINE_string("workdir", "runs/optimisers", "Folder that keeps finished runs.")
_RUN = flags.DEFINE_bool("run", True, "Make missing runs; otherwise only report.")
_RESULTS = flags.DEFINE_string(
    "results",
    None,
    "CSV with a line per finished run of the suite: runs in it are not made again, new ones are "
    "added.",
)
_AT = flags.DEFINE_list("at", [], "Evaluations after which methods are compared, e.g. 60,100.")
_FIGURE = flags.DEFINE_string("figure", None, "PNG of the convergence of all methods.")
_MARKDOWN = flags.DEFINE_string("markdown", None, "File that the tables are written to.")

DEFAULT_BUDGET = 100


def chosen(kind: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Returns the names of a flag.

    Raises:
        ValueError: An unknown name.
    """
    if list(names) == ["all"]:
        return list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown {kind} {unknown[0]}; choose from {', '.join(known)}, all")
    return list(names)


def integers(flag: flags.FlagHolder[list[str]]) -> list[int]:
    """Returns the integers of a flag.

    Raises:
        ValueError: Something else is among them.
    """
    try:
        return [int(value) for value in flag.value]
    except ValueError:
        given = ",".join(flag.value)
        raise ValueError(f"--{flag.name}: expected integers, e.g. 40,100, got {given}") from None


def compare(seeds: Sequence[int]) -> list[tuple[list[str], list[list[str]]]]:
    """Runs methods on the problems of the comparison; returns tables."""
    from experiments.optimisers import curves, methods, pictures, report, runs, tasks
    from experiments.optimisers.results import COMPARISON

    problems = chosen("problem", _PROBLEMS.value, tasks.names())
    names = chosen("method", _METHODS.value, methods.names())
    budget, folder = _BUDGET.value or DEFAULT_BUDGET, Path(_WORKDIR.value) / "comparison"
    moments = integers(_AT) or [budget]
    for n in moments:
        if not 1 <= n <= budget:
            raise ValueError(f"--at: expected evaluations from 1 to {budget}, got {n}")
    kept = COMPARISON.read(Path(_RESULTS.value)) if _RESULTS.value else []
    if _RUN.value:
        jobs = runs.jobs(names, problems, seeds, budget)
        for job in runs.missing(folder, curves.beyond(jobs, kept)):
            print(runs.describe(runs.save(folder, job, runs.run(job))), flush=True)
    merged = COMPARISON.merge(kept, map(curves.curve, runs.load(folder)))
    if _RESULTS.value:
        COMPARISON.write(Path(_RESULTS.value), merged)
    shown = [c for p in problems for c in merged if (c.job.problem, c.job.budget) == (p, budget)]
    if not shown:
        return []
    known = {problem: runs.best_known(problem) for problem in problems}
    if _FIGURE.value:
        pictures.draw(Path(_FIGURE.value), shown, known)
    return [report.table(shown, n, known) for n in moments]


def reproduce(seeds: Sequence[int]) -> list[tuple[list[str], list[list[str]]]]:
    """Runs ours on the published problems; returns a table, and one of costs at some sizes."""
    from experiments.optimisers import published, runs
    from experiments.optimisers.results import PUBLISHED
    from samo_cobra import benchmark, problems

    names = chosen("problem", _PROBLEMS.value, problems.published_names())
    folder = Path(_WORKDIR.value) / "published"
    jobs = published.jobs(names, seeds, _BATCH.value, _BUDGET.value)
    kept = PUBLISHED.read(Path(_RESULTS.value)) if _RESULTS.value else []
    if _RUN.value:
        for job in runs.missing(folder, published.beyond(jobs, kept)):
            print(runs.describe(runs.save(folder, job, published.run(job))), flush=True)
    made = [r for job in jobs for r in runs.load(folder, job.file)]
    merged = PUBLISHED.merge(kept, [benchmark.summary(r) for r in made])
    if _RESULTS.value:
        PUBLISHED.write(Path(_RESULTS.value), merged)
    shown = published.among(merged, jobs)
    parts = [(benchmark.HEADER, benchmark.rows(shown)), (benchmark.COSTS, benchmark.costs(made))]
    return [(list(header), rows) for header, rows in parts if rows]


def main(_: list[str]) -> None:
    """Makes the missing runs and prints the tables."""
    from experiments.benchmarks import table

    try:
        seeds = integers(_SEEDS)
        tables = {"comparison": compare, "published": reproduce}[_SUITE.value](seeds)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))
    print("\n\n".join(table.text(*parts) for parts in tables) or "no finished runs")
    if _MARKDOWN.value:
        text = "\n\n".join(table.markdown(*parts) for parts in tables)
        Path(_MARKDOWN.value).write_text(text + "\n")


if __name__ == "__main__":
    app.run(main)
