"""Trainings that need not go on: their error is far above that of every finished one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from experiments import objectives

Row = Mapping[str, float]


class HopelessError(Exception):
    """A training was ended early because its curve is far behind."""


class Judge:
    """Compares the curve of a training with those of the finished ones.

    A training is hopeless if, from a share `after` of its time on, the lowest error it had is more
    than `factor` times the lowest error that the worst of at least `trials` finished ones had
    at the same time. Being behind them all, it is on no front unless by speed alone, and the
    fastest of those finished were as little trained as it is.

    Args:
        config: Settings of the search, resolved: `prune`, `training` and `objectives`.
        curves: Histories of the finished trials of the variant.
    """

    def __init__(self, config: ConfigDict, curves: Sequence[Sequence[Row]]) -> None:
        self._error = objectives.leading_error(config.objectives)
        self._factor, self._trials = config.prune.factor, config.prune.trials
        limit = config.training.get("time_limit_s")
        self._clock = "epoch" if limit is None else "seconds"
        self._begin = config.prune.after * (limit or config.training.get("max_epochs", math.inf))
        self._curves = [list(rows) for rows in curves]
        self._best = math.inf

    def epoch_done(self, row: Row) -> None:
        """Takes note of an epoch.

        Raises:
            HopelessError: If the training need not go on.
        """
        self._best = min(self._best, _finite(row[self._error]))
        time = row[self._clock]
        if time < self._begin:
            return
        others = [
            best for rows in self._curves if (best := self._best_until(rows, time)) < math.inf
        ]
        if len(others) >= self._trials and self._best > self._factor * max(others):
            raise HopelessError(
                f"hopeless: after {row['seconds']:.1f} s its {self._error} was at best "
                f"{objectives.shown(self._error, self._best)}; the worst finished trial had "
                f"{objectives.shown(self._error, max(others))} at that time"
            )

    def _best_until(self, rows: Sequence[Row], time: float) -> float:
        return min(
            (_finite(r[self._error]) for r in rows if r[self._clock] <= time), default=math.inf
        )


def _finite(error: float) -> float:
    return math.inf if math.isnan(error) else error
