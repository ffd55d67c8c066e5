"""What an optimiser of the comparison is, and the initial design that all of them share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from experiments.optimisers.tasks import Outcome, Task
from samo_cobra import design
from samo_cobra.space import Parameter


@dataclasses.dataclass(frozen=True)
class Start:
    """What a method is constructed with, besides the problem.

    Attributes:
        design: Points that every method evaluates first.
        spare: Further points of the same sequence, for populations larger than the design.
        seed: Seed of everything random.
    """

    design: list[dict[str, Any]]
    spare: list[dict[str, Any]]
    seed: int


class Method(Protocol):
    """An optimiser that suggests one point at a time; built as `Method(task, start)`.

    It suggests the points of the design first, in their order.
    """

    settings: Mapping[str, Any]
    """What of its configuration is not the default, for the record."""

    def ask(self) -> dict[str, Any]:
        """Returns the next point to evaluate."""
        ...

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Takes the outcome of the point that was asked for last."""
        ...


def value_at(parameter: Parameter, position: float) -> Any:
    """The value of a parameter at a position on its axis, moved into [0, 1]."""
    return parameter.values(np.array([[min(max(position, 0.0), 1.0)]]))[0].item()


def design_size(parameters: int) -> int:
    """Number of points of the shared initial design."""
    return min(max(10, 2 * (parameters + 1)), 20)


def start(task: Task, seed: int, length: int) -> Start:
    """Returns the shared start of a seed: `length` points of a scrambled Sobol sequence."""
    n = design_size(len(task.space.parameters))
    units = design.low_discrepancy(max(length, n, 20), task.space.dims, seed)
    points = [task.space.from_unit(u) for u in units]
    return Start(points[:n], points[n:], seed)
