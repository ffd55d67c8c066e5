"""NSGA-II of pymoo; on mixed spaces its MixedVariableGA with the same survival."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.algorithms.moo import nsga2
from pymoo.core.evaluator import Evaluator
from pymoo.core.mixed import MixedVariableGA
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.core.variable import Choice, Integer, Real
from pymoo.problems.static import StaticProblem

from experiments.optimisers.method import Start, value_at
from experiments.optimisers.tasks import Outcome, Task
from samo_cobra import Categorical as OurCategorical
from samo_cobra import Integer as OurInteger

POPULATION = 20


class NSGA2:
    """Generations of 20, the first one the design and further points of its sequence.

    Real parameters and those on a logarithmic scale are seen by their position in [0, 1].
    """

    def __init__(self, task: Task, start: Start) -> None:
        self.settings = {"pop_size": POPULATION, "mixed": task.mixed}
        self._task = task
        first = [*start.design, *start.spare][:POPULATION]
        encoded = [self._encode(x) for x in first]
        sizes = {"n_obj": task.n_objectives, "n_ieq_constr": task.n_constraints}
        if task.mixed:
            self._problem = Problem(vars=self._variables(), **sizes)
            self._algorithm: Any = MixedVariableGA(
                pop_size=POPULATION,
                sampling=Population.new("X", np.array(encoded, dtype=object)),
                survival=nsga2.RankAndCrowding(),
            )
        else:
            self._problem = Problem(n_var=len(task.space.parameters), xl=0.0, xu=1.0, **sizes)
            vectors = np.array([list(x.values()) for x in encoded])
            self._algorithm = nsga2.NSGA2(pop_size=POPULATION, sampling=vectors)
        self._algorithm.setup(self._problem, termination=NoTermination(), seed=start.seed)
        self._infills: Any = None
        self._outcomes: list[Outcome] = []

    def _variables(self) -> dict[str, Any]:
        variables: dict[str, Any] = {}
        for p in self._task.space.parameters:
            if isinstance(p, OurCategorical):
                variables[p.name] = Choice(options=list(p.choices))
            elif isinstance(p, OurInteger) and not p.log:
                variables[p.name] = Integer(bounds=(p.low, p.high))
            else:
                variables[p.name] = Real(bounds=(0.0, 1.0))
        return variables

    def _encode(self, x: dict[str, Any]) -> dict[str, Any]:
        encoded = {}
        for p in self._task.space.parameters:
            plain = isinstance(p, OurCategorical) or (isinstance(p, OurInteger) and not p.log)
            encoded[p.name] = x[p.name] if plain else p.to_unit(x[p.name])[0]
        return encoded

    def _decode(self, individual: Any) -> dict[str, Any]:
        decoded = {}
        for i, p in enumerate(self._task.space.parameters):
            value = individual[p.name] if self._task.mixed else individual[i]
            if isinstance(p, OurCategorical):
                decoded[p.name] = p.choices[list(p.choices).index(value)]
            elif isinstance(p, OurInteger) and not p.log:
                decoded[p.name] = int(value)
            else:
                decoded[p.name] = value_at(p, float(value))
        return decoded

    def ask(self) -> dict[str, Any]:
        """Returns the next individual; after the last one of a generation, that of a new one."""
        if self._infills is None:
            self._infills, self._outcomes = self._algorithm.ask(), []
        return self._decode(self._infills[len(self._outcomes)].X)

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Keeps the outcome; the algorithm is told a whole generation."""
        del x
        self._outcomes.append(outcome)
        if len(self._outcomes) < len(self._infills):
            return
        values = {"F": np.array([o.objectives for o in self._outcomes])}
        if self._task.n_constraints:
            values["G"] = np.array([o.constraints for o in self._outcomes])
        Evaluator().eval(StaticProblem(self._problem, **values), self._infills)
        self._algorithm.tell(infills=self._infills)
        self._infills = None
