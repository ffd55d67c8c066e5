"""SAMO-COBRA as an Optuna sampler: Optuna keeps the trials, samo_cobra decides.

The sampler holds no state that the study's history does not hold, so a study can be continued,
and many processes can work on one storage: each rebuilds the optimiser from the finished trials
and takes the running ones as pending.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from samo_cobra.optimizer import Optimizer
from samo_cobra.space import Categorical, Integer, Parameter, Real, Space

PARAMS = "samo_cobra:params"
"""System attribute of a trial: what was suggested, visible to other workers while it runs."""

INTERRUPTED = "interrupted"
"""User attribute of a failed trial that says nothing about its parameters: its process ended."""


class SamoCobraSampler(optuna.samplers.BaseSampler):
    """Suggests trials by SAMO-COBRA (de Winter et al., EMO 2021).

    Failed and pruned trials are told as failures, which are avoided and never modelled; trials
    with the user attribute `"interrupted"` are left out. Constraints set with
    `trial.set_constraint` are used (feasible where <= 0).

    Args:
        search_space: Distribution of every parameter, the same in every worker.
        seed: Decides the initial design and all random choices.
        initial_trials: Size of the initial design; None takes d + 1. Trial number n takes its
            point n, so that workers share the design without talking.
        reference_point: In the study's own directions; None lets it follow the data.
        constraints: Names of the constraints that trials set.
        pending_age_s: Running trials older than this, in seconds, count as lost.

    Raises:
        ValueError: If a distribution cannot be mapped.

    Example:
        >>> import optuna
        >>> from optuna.distributions import FloatDistribution
        >>> space = {"x": FloatDistribution(0.0, 5.0), "y": FloatDistribution(0.0, 3.0)}
        >>> study = optuna.create_study(
        ...     sampler=SamoCobraSampler(space, seed=1), directions=["minimize", "minimize"]
        ... )
        >>> study.optimize(lambda t: objectives(t.suggest_float("x", 0, 5), ...))  # doctest: +SKIP
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution],
        *,
        seed: int = 0,
        initial_trials: int | None = None,
        reference_point: Sequence[float] | None = None,
        constraints: Sequence[str] = (),
        pending_age_s: float = 86400.0,
    ) -> None:
        self._distributions = {
            name: distribution
            for name, distribution in search_space.items()
            if not distribution.single()
        }
        self._space = Space([_parameter(n, d) for n, d in self._distributions.items()])
        self._seed = seed
        self._initial_trials = initial_trials
        self._reference_point = reference_point
        self._constraints = tuple(sorted(constraints))
        self._pending_age_s = pending_age_s
        self._optimizer: Optimizer | None = None
        self._told: list[int] = []
        self._independent = optuna.samplers.RandomSampler(seed=seed)

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Returns the search space of the constructor, without parameters of one value."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns a value for every parameter of the search space."""
        fixed = trial.system_attrs.get("fixed_params", {})
        if set(search_space) <= set(fixed):
            return {}
        optimizer = self.optimizer(study)
        point = optimizer.suggest(trial.number, pending=self.pending(study, trial))
        params = {n: _value(d, point[n]) for n, d in self._distributions.items()}
        encoded = json.dumps(point)
        study._storage.set_trial_system_attr(trial._trial_id, PARAMS, encoded)
        return params

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns a random value of a parameter that is not in the search space."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Does nothing for suggestions: they depend on the seed and the history alone."""
        self._independent.reseed_rng()

    def optimizer(self, study: Study) -> Optimizer:
        """Returns the optimiser, told of every finished trial in the order of their ends."""
        states = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
        trials = study.get_trials(deepcopy=False, states=states)
        trials = [trial for trial in trials if self._tellable(trial)]
        trials.sort(key=lambda trial: (trial.datetime_complete, trial.number))
        numbers = [trial.number for trial in trials]
        if self._optimizer is None or numbers[: len(self._told)] != self._told:
            self._optimizer = self._fresh(study.directions)
            self._told = []
        for trial in trials[len(self._told) :]:
            self._tell(self._optimizer, trial, study.directions)
        self._told = numbers
        return self._optimizer

    def _fresh(self, directions: Sequence[StudyDirection]) -> Optimizer:
        reference = self._reference_point
        return Optimizer(
            self._space,
            n_objectives=len(directions),
            n_constraints=len(self._constraints),
            reference_point=None if reference is None else _signed(reference, directions),
            seed=self._seed,
            initial_points=self._initial_trials,
        )

    def _tellable(self, trial: FrozenTrial) -> bool:
        known = all(name in trial.params for name in self._distributions)
        return known and not trial.user_attrs.get(INTERRUPTED, False)

    def _tell(
        self, optimizer: Optimizer, trial: FrozenTrial, directions: Sequence[StudyDirection]
    ) -> None:
        point = {n: _raw(d, trial.params[n]) for n, d in self._distributions.items()}
        constraints = [trial.constraints.get(name, math.nan) for name in self._constraints]
        if trial.state == TrialState.COMPLETE:
            optimizer.tell(point, _signed(trial.values, directions), constraints or None)
        else:
            optimizer.tell(point, None)

    def pending(self, study: Study, trial: FrozenTrial) -> list[dict[str, Any]]:
        """Returns what the other running trials evaluate, in samo_cobra's values."""
        now = dt.datetime.now()
        pending = []
        for other in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if other.number == trial.number or other.datetime_start is None:
                continue
            recent = (now - other.datetime_start).total_seconds() < self._pending_age_s
            if recent and PARAMS in other.system_attrs:
                pending.append(json.loads(other.system_attrs[PARAMS]))
        return pending


def _parameter(name: str, distribution: BaseDistribution) -> Parameter:
    """Returns the parameter of samo_cobra for a distribution of Optuna.

    Numbers with a step become the integers that count the steps.
    """
    if isinstance(distribution, CategoricalDistribution):
        return Categorical(name, distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise ValueError(
            f"{name!r}: expected a float, int or categorical distribution, got {distribution!r}"
        )
    low, high, step = distribution.low, distribution.high, _step(distribution)
    if step is not None:
        return Integer(name, 0, round((high - low) / step))
    if isinstance(distribution, IntDistribution):
        return Integer(name, distribution.low, distribution.high, log=distribution.log)
    return Real(name, low, high, log=distribution.log)


def _step(distribution: BaseDistribution) -> float | None:
    """Returns the step of a number whose values are counted in steps, else None."""
    if isinstance(distribution, IntDistribution):
        return None if distribution.step == 1 else distribution.step
    return distribution.step if isinstance(distribution, FloatDistribution) else None


def _value(distribution: BaseDistribution, raw: Any) -> Any:
    """Returns Optuna's value of samo_cobra's."""
    step = _step(distribution)
    if step is None:
        return raw
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return type(distribution.low)(distribution.low + raw * step)


def _raw(distribution: BaseDistribution, value: Any) -> Any:
    """Returns samo_cobra's value of Optuna's."""
    step = _step(distribution)
    if step is None:
        return value
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return round((value - distribution.low) / step)


def _signed(values: Sequence[float], directions: Sequence[StudyDirection]) -> list[float]:
    """Returns values to minimise."""
    maximise = StudyDirection.MAXIMIZE
    return [-v if d == maximise else v for v, d in zip(values, directions, strict=True)]
