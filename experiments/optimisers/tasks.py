"""What the optimisers are compared on: 15 problems, test functions and hyperparameter searches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import Categorical, Integer, Space, problems

Outputs = tuple[list[float], list[float]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one evaluation gives.

    Attributes:
        objectives: What the optimiser is told, with noise where the problem has it.
        constraints: Feasible where <= 0, without noise.
        exact: Objectives without noise, from which hypervolumes are computed.
    """

    objectives: Float[np.ndarray, " objectives"]
    constraints: Float[np.ndarray, " constraints"]
    exact: Float[np.ndarray, " objectives"]

    @property
    def feasible(self) -> bool:
        """Whether no constraint is violated."""
        return bool(np.all(self.constraints <= 0))


@dataclasses.dataclass(frozen=True)
class Task:
    """A problem of the comparison, all objectives minimised.

    Attributes:
        name: Name in tables.
        space: What is searched.
        reference_point: Upper corner of the hypervolume.
        n_constraints: Number of constraints, feasible where <= 0.
        function: Exact objectives and constraints of named values.
        noise: Standard deviation of the relative error of the objectives.
        best_known: Hypervolume of the best known front, if any.
    """

    name: str
    space: Space
    reference_point: tuple[float, ...]
    n_constraints: int
    function: Callable[[Mapping[str, Any]], Outputs]
    noise: float = 0.0
    best_known: float | None = None

    @property
    def n_objectives(self) -> int:
        """Number of objectives."""
        return len(self.reference_point)

    @property
    def mixed(self) -> bool:
        """Whether some parameters are not real."""
        return any(isinstance(p, Integer | Categorical) for p in self.space.parameters)

    def evaluate(self, x: Mapping[str, Any], seed: int, index: int) -> Outcome:
        """Evaluates a point; the noise is a function of seed and index of the evaluation."""
        objectives, constraints = self.function(x)
        exact = np.array(objectives, dtype=float)
        errors = np.random.default_rng([seed, index]).normal(size=len(exact))
        observed = exact * (1.0 + self.noise * errors)
        return Outcome(observed, np.array(constraints, dtype=float), exact)


def hypervolumes(
    objectives: Float[np.ndarray, "evaluations objectives"],
    feasible: Bool[np.ndarray, " evaluations"],
    reference_point: Float[np.ndarray, " objectives"],
) -> list[float]:
    """Returns the hypervolume of the feasible points after every evaluation."""
    from samo_cobra.pareto import hypervolume, non_dominated

    curve: list[float] = []
    front = np.empty((0, len(reference_point)))
    for f, good in zip(objectives, feasible, strict=True):
        if good and np.all(f < reference_point) and not np.any(np.all(front <= f, axis=1)):
            front = np.concatenate([front, f[None]])
            front = front[non_dominated(front)]
            curve.append(hypervolume(front, reference_point))
        else:
            curve.append(curve[-1] if curve else 0.0)
    return curve


def of_problem(problem: problems.Problem, name: str | None = None, **changes: Any) -> Task:
    """Returns a test problem as a task."""

    def function(x: Mapping[str, Any]) -> Outputs:
        objectives, constraints = problem.evaluate(x)
        return objectives.tolist(), constraints.tolist()

    task = Task(
        name=name or problem.name,
        space=problem.space,
        reference_point=problem.reference_point,
        n_constraints=problem.n_constraints,
        function=function,
        best_known=problem.best_known_hypervolume,
    )
    return dataclasses.replace(task, **changes)


TNK_BEST_KNOWN = 3.148392
"""Front on the curve of the first constraint, 400,000 angles, reference point (2, 2)."""


def _of_library(name: str) -> Task:
    short = {"BNH": "BNH-standard", "CTP1": "CTP1-standard", "WB": "WB-standard"}
    problem = problems.get(short.get(name, name))
    if name == "TNK":  # the usual reference point, nearer than the authors'
        return of_problem(problem, name, reference_point=(2.0, 2.0), best_known=TNK_BEST_KNOWN)
    return of_problem(problem, name)


def names() -> list[str]:
    """The 15 problems of the comparison."""
    return [*_MAKERS]


def get(name: str) -> Task:
    """Returns a problem of the comparison.

    Raises:
        ValueError: The name is unknown.
        ImportError: The data of a table are not installed.
    """
    if name not in _MAKERS:
        raise ValueError(f"unknown problem {name}; choose from {', '.join(names())}")
    return _MAKERS[name](name)


def _synthetic(name: str) -> Task:
    from experiments.optimisers import synthetic

    return synthetic.task(name)


def _table(name: str) -> Task:
    from experiments.optimisers import tables

    return tables.task(name)


_FUNCTIONS = ("ZDT1", "ZDT2", "ZDT3", "DTLZ2", "BNH", "SRN", "TNK", "OSY", "C2DTLZ2", "WB", "CTP1")
_MAKERS: dict[str, Callable[[str], Task]] = {
    **dict.fromkeys(_FUNCTIONS, _of_library),
    **dict.fromkeys(["HPO-synth", "HPO-synth-C"], _synthetic),
    **dict.fromkeys(["HPOLib-slice", "NB201-cifar100"], _table),
}
