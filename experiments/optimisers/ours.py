"""SAMO-COBRA as a method of the comparison."""

from __future__ import annotations

from typing import Any

from experiments.optimisers.method import Start
from experiments.optimisers.tasks import Outcome, Task
from samo_cobra import Optimizer, Settings, Suggestion


class SamoCobra:
    """Our optimiser, told the shared design, with the reference point of the problem.

    As Optuna's GPSampler it is told whether a problem has noise.
    """

    def __init__(self, task: Task, start: Start) -> None:
        self.settings: dict[str, Any] = {"noise": task.noise > 0, "reference_point": "given"}
        self._design = list(start.design)
        self._point: Suggestion | dict[str, Any] = {}
        self._optimizer = Optimizer(
            task.space,
            task.n_objectives,
            task.n_constraints,
            reference_point=task.reference_point,
            seed=start.seed,
            initial_points=len(start.design),
            settings=Settings(noise=task.noise > 0),
        )

    def ask(self) -> dict[str, Any]:
        """Returns a point of the design, or the optimiser's suggestion."""
        if self._design:
            self._point = self._design.pop(0)
            return self._point
        (self._point,) = self._optimizer.ask()
        return dict(self._point.x)

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Tells the optimiser."""
        del x
        self._optimizer.tell(self._point, outcome.objectives, outcome.constraints)
