"""SAMO-COBRA as an Optuna sampler: Optuna keeps the trials, samo_cobra decides.

What the sampler holds can all be computed again from the study's history, so a study can be
continued, and many processes can work on one storage: each rebuilds the optimiser from the
finished trials and takes the running ones as pending. From 200 finished trials of six parameters,
two objectives and two constraints that takes 0.05 s of CPU time, and 0.1 to 0.2 s more to read them
from SQLite, once per process.
"""

from __future__ import annotations

import threading
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import optuna
except ImportError as error:
    raise ImportError(
        "the sampler needs optuna: pip install optuna, or the extra samo-cobra[optuna]"
    ) from error
from optuna.distributions import BaseDistribution
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from samo_cobra import optuna_trials
from samo_cobra.exact import Function
from samo_cobra.optimizer import Optimizer
from samo_cobra.optuna_trials import INTERRUPTED, PARAMS
from samo_cobra.optuna_values import OptunaSpace
from samo_cobra.settings import Settings
from samo_cobra.space import Restriction, Restrictions
from samo_cobra.statement import Direction

__all__ = ["INTERRUPTED", "PARAMS", "SamoCobraSampler"]


class SamoCobraSampler(optuna.samplers.BaseSampler):
    """Suggests trials by SAMO-COBRA (de Winter et al., EMO 2021).

    Objectives go in the directions of the study. Constraints are those that trials set with
    `trial.set_constraint`, feasible where <= 0; one that a trial has not set counts as not
    measured, and such a trial stays off the front.

    Failed and pruned trials, and completed ones with a value that is infinite or beyond 1e30, are
    avoided; the constraints that they had set are modelled all the same. Trials with the user
    attribute `"interrupted"` are left out, and so are trials with values outside the search space.

    Args:
        search_space: Distribution of every parameter, the same in every worker. None takes the
            parameters that all completed trials have in common, with equal distributions; trials
            before the first of them has completed are then random, as are other parameters always.
        seed: Decides the initial design and all random choices.
        initial_trials: Size of the initial design; None takes d + 1. Trial number n takes its
            point n, so that workers share the design without talking.
        reference_point: In the study's own signs; None lets it follow the data.
        constraints: Names of the constraints that trials set, others are ignored. None takes
            the names that completed trials have set; each new one makes all models start
            again from the trials that have it.
        ordered: Names of the categorical parameters whose choices are in order.
        known_constraints: Restrictions on the parameters that every suggestion keeps:
            `samo_cobra.Linear`, or functions of the named values that return a number, feasible
            where <= 0, or True. Random and enqueued values do not keep them.
        inexpensive_objectives: Objectives that are functions of the named values, by their place;
            they are called in the search and never modelled.
        inexpensive_constraints: The same for constraints, by name; trials need not set them.
        settings: Choices of method.
        pending_age_s: Running trials older than this, in seconds, count as lost.

    Raises:
        ValueError: If a distribution cannot be mapped, or an argument does not fit.

    Example:
        >>> import optuna
        >>> from optuna.distributions import FloatDistribution
        >>> space = {"x": FloatDistribution(0.0, 5.0), "y": FloatDistribution(0.0, 3.0)}
        >>> study = optuna.create_study(
        ...     sampler=SamoCobraSampler(space, seed=1), directions=["minimize", "maximize"]
        ... )
        >>> def objectives(trial):
        ...     x, y = trial.suggest_float("x", 0.0, 5.0), trial.suggest_float("y", 0.0, 3.0)
        ...     trial.set_constraint("sum", x + y - 6.0)
        ...     return x**2 + y**2, x * y
        >>> study.optimize(objectives, n_trials=3)
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int = 0,
        initial_trials: int | None = None,
        reference_point: Sequence[float] | None = None,
        constraints: Sequence[str] | None = None,
        ordered: Sequence[str] = (),
        known_constraints: Sequence[Restriction] = (),
        inexpensive_objectives: Mapping[int, Function] | None = None,
        inexpensive_constraints: Mapping[str, Function] | None = None,
        settings: Settings | None = None,
        pending_age_s: float = 86400.0,
    ) -> None:
        functions = (known_constraints, inexpensive_objectives, inexpensive_constraints)
        if search_space is None and any(functions):
            raise ValueError(
                "known constraints and inexpensive outputs need a search_space: their parameters "
                "must be there from the first trial"
            )
        self._fixed = None if search_space is None else OptunaSpace(search_space, tuple(ordered))
        if self._fixed is not None:
            items = [self._fixed.restriction(item) for item in known_constraints]
            Restrictions(self._fixed.space, items)
        self._seed = seed
        self._initial_trials = initial_trials
        self._reference_point = reference_point
        self._constraints = None if constraints is None else frozenset(constraints)
        self._ordered = tuple(ordered)
        self._known_constraints = tuple(known_constraints)
        self._inexpensive_objectives = dict(inexpensive_objectives or {})
        self._inexpensive_constraints = dict(inexpensive_constraints or {})
        self._settings = settings
        self._pending_age_s = pending_age_s
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._optimizer: Optimizer | None = None
        self._statement: tuple[Any, ...] = ()
        self._told: list[tuple[Any, ...]] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what the history holds as well."""
        made = ("_lock", "_optimizer", "_statement", "_told")
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Returns the parameters that are searched, without those of one value."""
        if self._fixed is not None:
            return dict(self._fixed.free)
        return _common(study)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns a value for every parameter of the search space."""
        if search_space.keys() <= trial.system_attrs.get("fixed_params", {}).keys():
            return {}
        space = self._space(search_space)
        with self._lock:  # threads share one sampler
            trials = study.get_trials(deepcopy=False)
            optimizer = self._updated(study.directions, trials, space)
            pending = optuna_trials.under_way(
                trials, trial, space, self._pending_age_s, optimizer.suggest
            )
            params = space.params(optimizer.suggest(trial.number, pending))
            study._storage.set_trial_system_attr(trial._trial_id, PARAMS, space.encode(params))
        return params

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns a random value of a parameter that is not in the search space."""
        searched = self._fixed.distributions if self._fixed else _common(study)
        if searched and searched.get(param_name) != param_distribution:
            whose = "search_space" if self._fixed else "the completed trials in common"
            warnings.warn(
                f"{param_name!r} is chosen at random: {whose} had "
                f"{searched.get(param_name)!r} for it, not {param_distribution!r}",
                stacklevel=2,
            )
        # A stream of random numbers would be the same one in every worker.
        seed = zlib.crc32(f"{self._seed} {trial.number} {param_name}".encode())
        sampler = optuna.samplers.RandomSampler(seed=seed)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Does nothing: suggestions depend on the seed, the trial's number and the history."""

    def optimizer(self, study: Study) -> Optimizer:
        """Returns the optimiser, told of every finished trial in the order of their ends.

        Raises:
            ValueError: If the search space is to come from completed trials and there are none.
        """
        space = self._fixed or self._space(_common(study))
        with self._lock:
            return self._updated(study.directions, study.get_trials(deepcopy=False), space)

    def _space(self, search_space: Mapping[str, BaseDistribution]) -> OptunaSpace:
        if self._fixed is not None:
            return self._fixed
        return OptunaSpace(search_space, [n for n in self._ordered if n in search_space])

    def _updated(
        self,
        directions: Sequence[StudyDirection],
        trials: Sequence[FrozenTrial],
        space: OptunaSpace,
    ) -> Optimizer:
        """Tells the optimiser what is new; makes it anew where that does not continue the old."""
        names = self._constraint_names(trials)
        statement = (tuple(directions), space.distributions, names)
        finished = optuna_trials.finished(trials, space)
        ends = [(trial.number, trial.datetime_complete) for trial, _ in finished]
        continues = statement == self._statement and ends[: len(self._told)] == self._told
        if self._optimizer is None or not continues:
            self._optimizer = self._fresh(directions, space, names)
            self._statement, self._told = statement, []
        for (trial, point), end in list(zip(finished, ends, strict=True))[len(self._told) :]:
            optuna_trials.tell(self._optimizer, trial, point, names)
            self._told.append(end)
        return self._optimizer

    def _constraint_names(self, trials: Sequence[FrozenTrial]) -> list[str]:
        given = self._constraints
        names = optuna_trials.constraint_names(trials) if given is None else given
        return sorted(names | self._inexpensive_constraints.keys())

    def _fresh(
        self, directions: Sequence[StudyDirection], space: OptunaSpace, names: Sequence[str]
    ) -> Optimizer:
        cheap = self._inexpensive_constraints
        ways: dict[StudyDirection, Direction] = {
            StudyDirection.MINIMIZE: "minimize",
            StudyDirection.MAXIMIZE: "maximize",
        }
        return Optimizer(
            space.space,
            n_objectives=len(directions),
            n_constraints=len(names),
            directions=[ways[direction] for direction in directions],
            reference_point=self._reference_point,
            known_constraints=[space.restriction(item) for item in self._known_constraints],
            inexpensive_objectives={
                place: space.function(f) for place, f in self._inexpensive_objectives.items()
            },
            inexpensive_constraints={
                names.index(name): space.function(f) for name, f in cheap.items()
            },
            seed=self._seed,
            initial_points=self._initial_trials,
            settings=self._settings,
        )


def _common(study: Study) -> dict[str, BaseDistribution]:
    """Returns the parameters of more than one value that all completed trials have in common."""
    common = IntersectionSearchSpace().calculate(study)
    return {name: d for name, d in common.items() if not d.single()}
