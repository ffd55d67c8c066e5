"""A progress bar for terminals; elsewhere a line now and then."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from tqdm import tqdm

from allegro_jax.memory import gigabytes
from allegro_jax.monitoring.callbacks import Callback
from allegro_jax.monitoring.quantities import text
from allegro_jax.training.footprint import Footprint
from allegro_jax.training.progress import Progress

_FORMAT = "{percentage:3.0f}%|{bar:20}| {desc}"


class ProgressBar(Callback):
    """Shows epoch, step, loss, validation errors, speed and remaining time.

    The bar measures time, since a training may end by its epochs or by its time limit.

    Args:
        file: Where it is shown; None for standard error.
        interval_s: Seconds between lines where `file` is no terminal.
    """

    def __init__(self, file: TextIO | None = None, interval_s: float = 60.0) -> None:
        self._file = sys.stderr if file is None else file
        self._interval_s = interval_s
        self._errors = ""
        self._structures = 0
        self._said_at = -math.inf
        terminal = self._file.isatty()
        self._bar = tqdm(
            total=100.0, bar_format=_FORMAT, file=self._file, disable=not terminal, leave=False,
            dynamic_ncols=True,
        )  # fmt: skip

    def on_start(self, footprint: Footprint) -> None:
        """Says what the run takes."""
        self._structures = footprint.structures
        tqdm.write(description(footprint), file=self._file)

    def on_progress(self, progress: Progress) -> None:
        """Moves the bar, or writes a line where the last one is long past."""
        line = status(progress, self._errors, self._structures)
        if not self._bar.disable:
            self._bar.n = 100.0 * share(progress)
            self._bar.set_description_str(line)
        elif time.monotonic() - self._said_at >= self._interval_s:
            self._said_at = time.monotonic()
            self._file.write(f"{100 * share(progress):3.0f} % {line}\n")
            self._file.flush()

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Takes the validation errors into the line."""
        self._errors = text(row)

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.close()


def status(progress: Progress, errors: str = "", structures: int = 0) -> str:
    """Writes where a run is in one line.

    Args:
        progress: Where it is.
        errors: Of the last validation; empty before the first.
        structures: Structures of an epoch; 0 where unknown.
    """
    speed = (
        f"{progress.structures_per_s:,.{0 if progress.structures_per_s > 10 else 2}f} structures/s"
    )
    if structures and progress.structures_per_s > 0:
        speed += f", {duration(structures / progress.structures_per_s)} an epoch"
    parts = [
        f"epoch {progress.epoch:,} of {progress.max_epochs:,}",
        f"step {progress.step}/{progress.steps_per_epoch}",
        f"loss {progress.loss:.3g}",
        f"valid {errors}" if errors else "",
        speed,
        f"{duration(progress.remaining_s)} left" if math.isfinite(progress.remaining_s) else "",
    ]
    return " | ".join(part for part in parts if part)


def share(progress: Progress) -> float:
    """Returns how much of the run's time is over; 0 before that is known."""
    if not math.isfinite(progress.remaining_s):
        return 0.0
    return progress.elapsed_s / max(progress.elapsed_s + progress.remaining_s, 1e-9)


def duration(seconds: float) -> str:
    """Writes seconds as a person says them: "0.4 s", "45 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 100:
        return f"{seconds:.1f} s" if 0 < seconds < 9.95 else f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def description(footprint: Footprint) -> str:
    """Writes what a run takes."""
    memory = (
        f"about {gigabytes(footprint.needed_bytes)} of memory "
        f"({gigabytes(footprint.resident_bytes)} data and parameters, "
        f"{gigabytes(footprint.step_bytes)} a step)"
    )
    if footprint.available_bytes is not None:
        memory += f" of {gigabytes(footprint.available_bytes)}"
    return (
        f"{footprint.parameters:,} parameters, {footprint.edges_per_atom:.1f} edges per atom; "
        f"{footprint.structures:,} structures, {footprint.steps_per_epoch:,} steps of "
        f"{footprint.batch_size} per epoch, {100 * footprint.padding_waste:.0f} % of the edges are "
        f"padding\n{memory}; compiled in "
        f"{footprint.compile_s:.1f} s"
    )
