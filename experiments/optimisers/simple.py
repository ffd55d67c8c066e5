"""Methods that learn nothing: the Sobol sequence continued, and uniformly random points."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.optimisers.method import Start
from experiments.optimisers.tasks import Outcome, Task


class Sobol:
    """Continues the sequence of the initial design."""

    def __init__(self, task: Task, start: Start) -> None:
        del task
        self.settings: dict[str, Any] = {}
        self._points = iter([*start.design, *start.spare])

    def ask(self) -> dict[str, Any]:
        """Returns the next point of the sequence."""
        return next(self._points)

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Ignores the outcome."""


class Random:
    """Uniformly random points after the initial design."""

    def __init__(self, task: Task, start: Start) -> None:
        self.settings: dict[str, Any] = {}
        self._design = list(start.design)
        self._space = task.space
        self._rng = np.random.default_rng(start.seed)

    def ask(self) -> dict[str, Any]:
        """Returns a point of the design, or a random one."""
        if self._design:
            return self._design.pop(0)
        return self._space.from_unit(self._rng.uniform(size=self._space.dims))

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Ignores the outcome."""
