"""Readouts side by side: the same body, data, seeds and budget, with error bars and paired tests.

    python -m experiments.compare_readouts --datasets=rmd17-aspirin,rmd17-benzene,culi --seeds=3
    python -m experiments.compare_readouts --readouts=qdi,mlp_equal --baseline=mlp_equal
    python -m experiments.compare_readouts --norun --markdown=tables.md --figure=readouts.png

Readouts: mlp, stacked_mlp, qdi, qdi_frozen, mlp_equal, trigonometric, linear; docs/readouts.md says
what they are, and has the measurement. Every finished run is a JSON file in the work directory and
is not made again; one that was stopped goes on from its checkpoint. `--norun` reports only. Times
are CPU seconds: set OPENBLAS_NUM_THREADS=1 and OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app, flags

from experiments import runtime

_DATASETS = flags.DEFINE_list("datasets", ["rmd17-aspirin"], "Registered names, or files.")
_READOUTS = flags.DEFINE_list("readouts", ["all"], "Names of readouts, or all.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds 0 to n - 1.", lower_bound=1)
_BASELINE = flags.DEFINE_string("baseline", "qdi", "Readout that the others are compared with.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/readouts", "Folder that keeps the runs.")
_RUN = flags.DEFINE_bool("run", True, "Make missing runs; otherwise only report.")
_MARKDOWN = flags.DEFINE_string("markdown", None, "File that the tables are written to.")
_FIGURE = flags.DEFINE_string("figure", None, "PNG of the errors with error bars.")
SETTINGS = {
    "epochs": flags.DEFINE_integer("epochs", None, "Passes over the training set.", 1),
    "batch_size": flags.DEFINE_integer("batch_size", None, "Structures per step.", 1),
    "learning_rate": flags.DEFINE_float("learning_rate", None, "Peak learning rate.", 0.0),
    "cutoff": flags.DEFINE_float("cutoff", None, "Cutoff, Å.", 0.0),
    "num_layers": flags.DEFINE_integer("num_layers", None, "Allegro layers.", 1),
    "n_qubits": flags.DEFINE_integer("n_qubits", None, "Qubits.", 1),
    "encodings": flags.DEFINE_integer("encodings", None, "Features per qubit.", 1),
    "depth": flags.DEFINE_integer("depth", None, "Entangling layers per block.", 1),
    "final_width": flags.DEFINE_integer("final_width", None, "Channels behind the circuit.", 1),
    "train": flags.DEFINE_integer("train", None, "Training structures; 0: as published.", 0),
    "valid": flags.DEFINE_integer("valid", None, "Validation structures; 0: as published.", 0),
    "test": flags.DEFINE_integer("test", None, "Test structures; 0: as published.", 0),
}
"""Flags that change the settings of all data sets; left out, each has its own."""


def main(_: list[str]) -> None:
    """Makes the missing runs and prints the tables."""
    from experiments.readouts.comparison import compare, report  # `--help` answers at once

    runtime.set_up()
    changes = {name: flag.value for name, flag in SETTINGS.items()}
    what = _DATASETS.value, _READOUTS.value, _SEEDS.value, Path(_WORKDIR.value)
    try:
        records = compare(*what, make=_RUN.value, **changes)
        if not records:
            sys.exit("no finished runs")
        report(records, _BASELINE.value, _MARKDOWN.value, _FIGURE.value)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from the newest checkpoint")


if __name__ == "__main__":
    app.run(main)
