"""Trains with and without ZBL repulsion, and pushes atoms together to find holes.

    python -m experiments.compare_repulsion --dataset=rmd17-aspirin --workdir=DIR

For every training (none, "zbl", "zbl-covalent"; several seeds) the nearest two atoms of every pair
of elements are pushed together in some test structures. A hole is a fall of the energy on the way
inwards. Prints a table; `DIR` receives `holes.json`, `holes.png` and the trainings. The same
command goes on where it was stopped. Six trainings by default, of aspirin
about two CPU minutes each with compilation.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from absl import app, flags

from experiments import runtime

_DATASET = flags.DEFINE_string("dataset", "rmd17-aspirin", "Registered name, or a file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the trainings and of the result.")
_PRESET = flags.DEFINE_string("preset", "tiny", "Of the trainings.")
_EPOCHS = flags.DEFINE_integer("epochs", 8, "Of every training.", lower_bound=1)
_SEEDS = flags.DEFINE_integer("seeds", 2, "Trainings of each kind.", lower_bound=1)
_STRUCTURES = flags.DEFINE_integer("structures", 5, "Test structures.", lower_bound=1)
_CLOSEST = flags.DEFINE_float("closest", 0.4, "Distance to which atoms are pushed, Å.")
_SET = flags.DEFINE_multi_string("set", [], "Another setting than the preset's.")
flags.mark_flag_as_required("workdir")


def main(_: list[str]) -> None:
    """Compares what the flags name."""
    runtime.set_up()
    from experiments.repulsion.comparison import compare
    from experiments.repulsion.report import picture, table
    from experiments.training_run import setting

    options = {
        "preset": _PRESET.value,
        "epochs": _EPOCHS.value,
        "seeds": _SEEDS.value,
        "structures": _STRUCTURES.value,
        "closest": _CLOSEST.value,
    }
    try:
        settings = dict(setting(text) for text in _SET.value)
        outcomes = compare(_DATASET.value, _WORKDIR.value, settings=settings, **options)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    folder = Path(_WORKDIR.value)
    numbers = [dataclasses.asdict(outcome) for outcome in outcomes]
    (folder / "holes.json").write_text(json.dumps(numbers) + "\n")
    (folder / "holes.png").write_bytes(picture(outcomes))
    print(table(outcomes))


if __name__ == "__main__":
    app.run(main)
