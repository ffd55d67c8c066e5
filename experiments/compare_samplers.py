"""Samplers side by side on the real search problem: hypervolume at equal trials and seeds.

    python -m experiments.compare_samplers --seeds=3 --trials=40 --workdir=runs/samplers
    python -m experiments.compare_samplers --objectives=forces_mae,flops --workdir=runs/exact
    python -m experiments.compare_samplers --norun --figure=samplers.png --markdown=samplers.md

All samplers of a seed begin with the same trials, made once. A training lasts for some epochs, so
that its error does not depend on how busy the machine is; with `--objectives=forces_mae,flops` all
that is measured is the same in every run. Finished trials are kept and not made again; a seed is
finished before the next one begins. docs/study.md has the measurement.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import app, flags

from experiments import runtime

if TYPE_CHECKING:
    from experiments.sampler_comparison.runs import Problem

# The small linear systems of the surrogates lose more to waiting threads than they gain.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_SAMPLERS = flags.DEFINE_list("samplers", ["samo", "tpe", "random"], "Also nsga2, gp.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds 0 to n - 1.", lower_bound=1)
_WORKDIR = flags.DEFINE_string("workdir", "runs/samplers", "Folder that keeps the searches.")
_RUN = flags.DEFINE_bool("run", True, "Make missing trials; otherwise only report.")
_AT = flags.DEFINE_list("at", [], "Trials after which to compare; by default three moments.")
_MARKDOWN = flags.DEFINE_string("markdown", None, "File that the tables are written to.")
_FIGURE = flags.DEFINE_string("figure", None, "PNG of the convergence.")
_OBJECTIVES = flags.DEFINE_list("objectives", ["forces_mae", "inference_time"], "Minimised.")
PROBLEM = {
    "dataset": flags.DEFINE_string("dataset", "rmd17-aspirin", "Registered name."),
    "variant": flags.DEFINE_string("variant", "allegro", "Which readout."),
    "trials": flags.DEFINE_integer("trials", 40, "Trials of a search.", 1),
    "initial_trials": flags.DEFINE_integer("initial_trials", 8, "Of them shared by all.", 1),
    "epochs": flags.DEFINE_integer("epochs", 8, "Of a training; 0 for seconds alone.", 0),
    "seconds": flags.DEFINE_float("seconds", 0.0, "Limit of a training; 0 for none.", 0.0),
    "train": flags.DEFINE_integer("train", 500, "Training structures; 0: as published.", 0),
}


def main(_: list[str]) -> None:
    """Makes the missing trials and prints the tables."""
    from allegro_jax.interruption import Interruption  # `--help` answers at once
    from experiments.sampler_comparison.comparison import compare, report
    from experiments.sampler_comparison.runs import Problem
    from experiments.searches.worker import SearchStoppedError

    runtime.set_up()
    try:
        values: dict[str, Any] = {name: flag.value for name, flag in PROBLEM.items()}
        problem = Problem(objectives=tuple(_OBJECTIVES.value), **values)
        workdir = Path(_WORKDIR.value)
        if _RUN.value:
            with Interruption() as signals:
                compare(problem, _SAMPLERS.value, _SEEDS.value, workdir, signals.requested)
        moments = [int(n) for n in _AT.value] or _moments(problem)
        report(
            problem, _SAMPLERS.value, _SEEDS.value, workdir, moments, _MARKDOWN.value, _FIGURE.value
        )
    except SearchStoppedError as stopped:
        print(f"{stopped}; the same command continues", file=sys.stderr)
        sys.exit(signals.exit_status)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # the second Ctrl-C
        sys.exit("stopped; the same command continues")


def _moments(problem: Problem) -> Sequence[int]:
    """Half way after the design, three quarters, and the end."""
    first, last = problem.initial_trials, problem.trials
    return [first + (last - first) // 4, first + (last - first) // 2, last]


if __name__ == "__main__":
    app.run(main)
