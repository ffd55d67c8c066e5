"""What the presets cost on this machine: a JSON line for each.

    python -m experiments.preset_costs --dataset=rmd17-aspirin --presets=tiny,small,medium

Parameters, edges per atom, memory and compilation of the training program, and the median time of
an optimiser step, of the processor's cores together and on the wall. `seconds` of training each,
beside the compilation.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from absl import app, flags

from experiments import runtime

if TYPE_CHECKING:
    from allegro_jax.training.progress import Progress

_DATASET = flags.DEFINE_string("dataset", "rmd17-aspirin", "Registered name, or a file.")
_PRESETS = flags.DEFINE_list("presets", ["tiny", "small", "medium"], "Names of presets.")
_SECONDS = flags.DEFINE_float("seconds", 20.0, "Seconds of training for each.", lower_bound=1.0)


def cost(name: str, dataset: str, seconds: float) -> dict[str, Any]:
    """Trains a preset for a moment and returns what that took.

    Raises:
        ValueError: If the preset or the data set is unknown, or too few steps were made.
    """
    from allegro_jax.fitting import as_dataset, default_splits  # quick `--help`
    from allegro_jax.fitting.settings import configs
    from allegro_jax.presets import preset
    from allegro_jax.training import Footprint, train

    splits = default_splits(as_dataset(dataset))
    model, training = configs(preset(name), splits.train, seconds / 60.0, {})
    footprints: list[Footprint] = []
    times = StepTimes()
    few = splits.valid.select(range(1))
    options = {"on_start": footprints.append, "on_progress": times.take}
    train(model, training, splits.train, few, **options)
    return {
        "preset": name,
        "dataset": dataset,
        "cpu_ms_per_step": times.median_ms(1),
        "wall_ms_per_step": times.median_ms(2),
        **dataclasses.asdict(footprints[0]),
    }


class StepTimes:
    """Collects the clocks after every call of the device."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float, float]] = []

    def take(self, progress: Progress) -> None:
        """Notes steps done, processor time and wall time."""
        done = (progress.epoch - 1) * progress.steps_per_epoch + progress.step
        self._marks.append((done, time.process_time(), time.monotonic()))

    def median_ms(self, clock: int) -> float:
        """Returns milliseconds of a step: by processor time (1) or wall time (2).

        The first step, which the compilation precedes, does not count.
        """
        steps = sorted(
            (after[clock] - before[clock]) / (after[0] - before[0])
            for before, after in itertools.pairwise(self._marks)
        )
        if not steps:
            raise ValueError("one call of the device took all the time; give more --seconds")
        return 1e3 * steps[len(steps) // 2]


def main(_: list[str]) -> None:
    """Prints the costs."""
    runtime.set_up()
    try:
        for name in _PRESETS.value:
            print(json.dumps(cost(name, _DATASET.value, _SECONDS.value)), flush=True)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
