"""Trains this library's model and nequip-allegro's of equal size for equal minutes, and compares.

    python -m experiments.benchmarks.peers.environments nequip            # once
    python -m experiments.compare_training --dataset=rmd17-aspirin --workdir=runs/beside-nequip
    python -m experiments.compare_training --dataset=rmd17-benzene --minutes=10 --rows=ours,nequip

The rows are trained one after the other, on the same data and the same cores (`taskset` chooses
them): "ours" and "nequip" with their own settings, "ours-published" and "nequip-preset" with each
other's. docs/performance.md says what is measured. Prints a table and writes `table.md`,
`curves.csv` and `curves.png`. A finished row is not trained again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app, flags, logging

ROWS = ["ours", "nequip", "ours-published", "nequip-preset"]
_DATASET = flags.DEFINE_string("dataset", "rmd17-aspirin", "Registered name, or a file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder that keeps the rows.", required=True)
_ROWS = flags.DEFINE_list("rows", ROWS, "Rows to train and to show.")
_MINUTES = flags.DEFINE_float("minutes", 30.0, "Minutes of training each.", lower_bound=0.01)
_PRESET = flags.DEFINE_string("preset", "small", "Preset: size of the models, our settings.")
_SEED = flags.DEFINE_integer("seed", 0, "Of split, initial parameters and order.", lower_bound=0)
_PEER_RATE = flags.DEFINE_float(
    "peer_learning_rate", None, "Peak learning rate in place of the published 0.002.", 0.0
)
_COMPILE = flags.DEFINE_bool("peer_compile", True, "Let nequip compile its model for training.")
_THREADS = flags.DEFINE_integer(
    "peer_threads", None, "Threads of torch; by default as many as cores.", lower_bound=1
)


def main(_: list[str]) -> None:
    """Trains the missing rows and reports."""
    import jax  # `--help` answers at once

    from experiments.side_by_side.comparison import compare
    from experiments.side_by_side.report import report

    jax.config.update("jax_enable_compilation_cache", False)  # both compile from an empty cache
    logging.set_verbosity(logging.WARNING)  # Orbax reports every file it writes
    workdir = Path(_WORKDIR.value)
    try:
        results = compare(
            _DATASET.value,
            workdir,
            _ROWS.value,
            minutes=_MINUTES.value,
            preset_name=_PRESET.value,
            seed=_SEED.value,
            peer_rate=_PEER_RATE.value,
            compiled=_COMPILE.value,
            threads=_THREADS.value,
        )
        print(report(results, workdir))
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; finished rows are kept, the same command makes the others")


if __name__ == "__main__":
    app.run(main)
