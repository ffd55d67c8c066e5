"""What is logged of a training: to CSV files, and to services that draw numbers against steps.

A run that is taken up tells the steps after its checkpoint again; every log shows each step once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from allegro_jax.monitoring.callbacks import Callback
from allegro_jax.monitoring.quantities import QUANTITIES
from allegro_jax.monitoring.tables import GrowingTable
from allegro_jax.training.progress import Progress


class CsvLog(Callback):
    """Writes `epochs.csv`, the rows of the history, and `steps.csv`, a row about every second.

    Args:
        folder: Where; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._epochs = GrowingTable(folder / "epochs.csv", "epoch")
        self._steps = GrowingTable(folder / "steps.csv", "step")

    def on_progress(self, progress: Progress) -> None:
        """Adds a row to `steps.csv`."""
        self._steps.append({"step": steps_done(progress), **_speed_and_loss(progress)})

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Adds the row to `epochs.csv`."""
        self._epochs.append(row)


class Scalars(Protocol):
    """A service that draws numbers against steps."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Takes the numbers of a step."""

    def close(self) -> None:
        """Ends the log."""


class ScalarLog(Callback):
    """Sends losses as `train/...` and validation errors as `valid/..._meV` (and Å) to a service.

    What the service cannot write, on a full disk for instance, is lost to it with a warning; the
    training goes on.

    Args:
        scalars: The service.
    """

    def __init__(self, scalars: Scalars) -> None:
        self._scalars, self._failed = scalars, False

    def on_progress(self, progress: Progress) -> None:
        """Sends loss, rate and speed."""
        values = _speed_and_loss(progress)
        self._write(
            steps_done(progress), {f"train/{name}": value for name, value in values.items()}
        )

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Sends the validation errors."""
        errors = {
            f"valid/{column}_meV": QUANTITIES[name].factor * value
            for column, value in row.items()
            if (name := column.rpartition("/")[2]) in QUANTITIES  # of further sets: name/error
        }
        self._write(int(row["step"]), {"valid/epoch": row["epoch"], **errors})

    def close(self) -> None:
        """Ends the log."""
        self._scalars.close()

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        try:
            self._scalars.write(step, values)
        except OSError as error:
            if not self._failed:
                message = f"{type(self._scalars).__name__} misses step {step}: {error}"
                warnings.warn(message, RuntimeWarning, stacklevel=2)
            self._failed = True


def steps_done(progress: Progress) -> int:
    """Returns the optimiser steps of the whole run that are done."""
    return (progress.epoch - 1) * progress.steps_per_epoch + progress.step


def _speed_and_loss(progress: Progress) -> dict[str, float]:
    return {
        "epoch": progress.epoch,
        "seconds": progress.elapsed_s,
        "loss": progress.loss,
        "learning_rate": progress.learning_rate,
        "structures_per_s": progress.structures_per_s,
    }
