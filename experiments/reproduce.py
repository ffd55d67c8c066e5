"""The study of the paper at a chosen scale: searches, long trainings, tables, figure, page.

    python -m experiments.reproduce --scale=smoke --workdir=runs/smoke      # tiny, minutes
    python -m experiments.reproduce --scale=laptop --workdir=runs/study     # 2 cores, 2.5 hours
    python -m experiments.reproduce --scale=laptop --workdir=runs/study --norun   # report only

Four data sets, three variants on each: searches of error against inference time, long trainings of
the fronts' best trials with several seeds, controls of equal capacity, transfer of hyperparameters
between data sets. `report/index.html` in the work directory holds the counterparts of the paper's
Tables 1 to 6 and Figure 2 beside the published numbers, the tables also as LaTeX and CSV.

The program prints what it plans and how long that is expected to take, and makes fewer trials
rather than take longer than `--minutes`. It can be stopped at any moment; the same command goes
on, and what is finished is not made again. docs/study.md says more.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from absl import app, flags

from experiments import runtime

# The small linear systems of the surrogates lose more to waiting threads than they gain.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_SCALE = flags.DEFINE_enum("scale", "laptop", ["smoke", "laptop", "gpu", "paper"], "How large.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the study; made when missing.")
_MINUTES = flags.DEFINE_float("minutes", None, "Time for all of it; by default the scale's.", 0.0)
_TRIALS = flags.DEFINE_integer("trials", None, "Trials of each variant and data set.", 1)
_SEEDS = flags.DEFINE_integer("seeds", None, "Seeds of long trainings.", 1)
_DATASETS = flags.DEFINE_list("datasets", ["all"], "Data sets, for parts of the study, or all.")
_REPORT = flags.DEFINE_string("report", None, "Folder of the report; by default WORKDIR/report.")
_RUN = flags.DEFINE_bool("run", True, "Train what is missing; otherwise only report.")
flags.mark_flag_as_required("workdir")


def main(_: list[str]) -> None:
    """Runs or continues the study and writes its report."""
    from allegro_jax.interruption import Interruption
    from allegro_jax.training import TrainingStoppedError  # `--help` answers at once
    from experiments.reproduction import report
    from experiments.reproduction.published import DATASETS
    from experiments.reproduction.scales import SCALES
    from experiments.reproduction.study import reproduce
    from experiments.searches.worker import SearchStoppedError

    runtime.set_up()
    given: dict[str, Any] = {
        "minutes": _MINUTES.value,
        "trials": _TRIALS.value,
        "seeds": _SEEDS.value,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    scale = dataclasses.replace(SCALES[_SCALE.value], **changes)
    datasets = DATASETS if _DATASETS.value == ["all"] else tuple(_DATASETS.value)
    workdir = Path(_WORKDIR.value)
    try:
        with Interruption() as signals:
            options: dict[str, Any] = {"make": _RUN.value, "should_stop": signals.requested}
            results = reproduce(scale, workdir, datasets=datasets, **options)
        path = report.write(results, Path(_REPORT.value or workdir / "report"))
        print(f"open {path}")
    except (SearchStoppedError, TrainingStoppedError) as stopped:
        print(f"{stopped}; the same command continues", file=sys.stderr)
        sys.exit(signals.exit_status)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # the second Ctrl-C
        sys.exit("stopped; the same command continues")


if __name__ == "__main__":
    app.run(main)
