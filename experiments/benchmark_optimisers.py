"""SAMO-COBRA beside other optimisers on 15 problems, or on the published ones beside its authors.

python -m experiments.benchmark_optimisers --methods=samo-cobra,optuna-tpe --seeds=0,1,2
python -m experiments.benchmark_optimisers --methods= --figure=convergence.png   # report only
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from absl import app, flags

_METHODS = flags.DEFINE_list("methods", ["samo-cobra"], "x")
_PROBLEMS = flags.DEFINE_list("problems", ["all"], "x")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "x")
_BUDGET = flags.DEFINE_integer("budget", 100, "x")
_RESULTS = flags.DEFINE_string("results", "runs/optimisers", "x")


def main(_: list[str]) -> None:
    """Makes the missing runs and reports all."""
    from experiments.optimisers import runs, tasks

    problems = tasks.names() if _PROBLEMS.value == ["all"] else _PROBLEMS.value
    folder = Path(_RESULTS.value)
    wanted = runs.jobs(_METHODS.value, problems, [int(s) for s in _SEEDS.value], _BUDGET.value)
    for job in runs.missing(folder, wanted):
        record = runs.run(job)
        runs.save(folder, job, record)
        late = sorted(record["cpu_seconds"][record["initial_points"] :])
        print(job, record["hypervolumes"][-1], late[len(late) // 2], flush=True)


if __name__ == "__main__":
    app.run(main)
