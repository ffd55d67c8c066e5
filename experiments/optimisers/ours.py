"""SAMO-COBRA as a method of the comparison."""

from __future__ import annotations

from typing import Any

from experiments.optimisers.method import Start
from experiments.optimisers.tasks import Outcome, Task
from samo_cobra import Optimizer
from samo_cobra.benchmark import values


class SamoCobra:
    """Our optimiser, told the shared design, with the reference point of the problem."""

    def __init__(self, task: Task, start: Start) -> None:
        self.settings: dict[str, Any] = {"reference_point": "given"}
        self._design = list(start.design)
        self._suggestion: Any = None
        self._optimizer = Optimizer(
            task.space,
            task.n_objectives,
            task.n_constraints,
            reference_point=task.reference_point,
            seed=start.seed,
            initial_points=len(start.design),
        )

    def ask(self) -> dict[str, Any]:
        """Returns a point of the design, or the optimiser's suggestion."""
        if self._design:
            self._suggestion = self._design.pop(0)
        else:
            (self._suggestion,) = self._optimizer.ask()
        return values(self._suggestion)

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Tells the optimiser."""
        del x
        self._optimizer.tell(self._suggestion, outcome.objectives, outcome.constraints)
