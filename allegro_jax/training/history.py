"""What a run has done so far, epoch by epoch, and when that is enough."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from allegro_jax.training.config import TrainingConfig

Row = dict[str, float]


@dataclasses.dataclass
class History:
    """The curve of a run.

    Attributes:
        metric: Column of the rows that decides which parameters are kept.
        rows: One per finished epoch.
        losses: Of the steps of the epoch in work.
        rate: Learning rate of the last step.
    """

    metric: str
    rows: list[Row] = dataclasses.field(default_factory=list)
    losses: list[float] = dataclasses.field(default_factory=list)
    rate: float = 0.0

    @property
    def best(self) -> Row:
        """The first row with the lowest error; empty while there is none."""
        return min(self.rows, key=lambda row: _or_infinite(row[self.metric]), default={})

    @property
    def errors(self) -> list[float]:
        """The validation error that decides, of every finished epoch."""
        return [row[self.metric] for row in self.rows]

    def end_epoch(self, step: int, seconds: float, errors: Row) -> Row:
        """Adds the row of the epoch in work and returns it."""
        row = {
            "epoch": float(len(self.rows) + 1),
            "step": float(step),
            "seconds": seconds,
            "learning_rate": self.rate,
            "loss": float(np.mean(self.losses)),
            **errors,
        }
        self.rows.append(row)
        self.losses = []
        return row

    def to_json(self) -> dict[str, Any]:
        """Returns the values of a checkpoint."""
        return {"history": self.rows, "losses": self.losses, "learning_rate": self.rate}

    def restore(self, values: dict[str, Any]) -> None:
        """Takes the values of a checkpoint."""
        self.rows, self.losses = values["history"], values["losses"]
        self.rate = values["learning_rate"]


def reason_to_stop(
    limits: TrainingConfig, errors: Sequence[float], out_of_time: bool
) -> str | None:
    """Returns the name of the limit that ends a run after an epoch, None while there is none.

    Args:
        limits: Settings of the run.
        errors: The validation error that decides, of every epoch so far.
        out_of_time: Whether the time limit is reached.
    """
    if errors and limits.target_error is not None and errors[-1] <= limits.target_error:
        return "target_error"
    if len(errors) >= limits.max_epochs:
        return "max_epochs"
    if out_of_time:
        return "time_limit"
    if limits.patience is not None and waited(errors, limits.min_delta) >= limits.patience:
        return "patience"
    return None


def is_lower(error: float, than: float) -> bool:
    """Tells whether an error is lower than another; one that is no number is above all."""
    return _or_infinite(error) < _or_infinite(than)


def waited(errors: Sequence[float], min_delta: float = 0.0) -> int:
    """Returns how many epochs ago the error last fell by more than `min_delta`.

    A fall is measured from the error of the last epoch that counted, so that many small ones count
    when they add up.

    Example:
        >>> from allegro_jax.training.history import waited
        >>> waited([1.0, 0.5, 0.45, 0.44], min_delta=0.1)
        2
    """
    reference, epochs = math.inf, 0
    for error in errors:
        epochs += 1
        if error < reference - min_delta:
            reference, epochs = error, 0
    return epochs


def _or_infinite(error: float) -> float:
    return math.inf if math.isnan(error) else error
