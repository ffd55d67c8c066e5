"""What a study's trials say: which were measured, failed, or are under way, and where."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from optuna.trial import FrozenTrial, TrialState

from samo_cobra.optimizer import Optimizer
from samo_cobra.optuna_values import OptunaSpace

Point: TypeAlias = dict[str, Any]

PARAMS = "samo_cobra:relative_params"
"""System attribute of a trial: what was suggested, visible to other workers while it runs."""

INTERRUPTED = "interrupted"
"""User attribute of a failed trial that says nothing about its parameters: its process ended."""

# Values beyond are marks of a failure, which would set the scale of every model.
_HUGE = 1e30
# A running trial of this age that shows no suggestion is not waiting for one.
_SUGGESTING_S = 120.0


def finished(trials: Iterable[FrozenTrial], space: OptunaSpace) -> list[tuple[FrozenTrial, Point]]:
    """Returns the finished trials in the order of their ends, with their points.

    Trials whose parameters are not all in the space, and interrupted ones, are left out.
    """
    ended = [t for t in trials if t.state.is_finished() and not t.user_attrs.get(INTERRUPTED)]
    ended.sort(key=lambda trial: (trial.datetime_complete, trial.number))
    points = [(trial, space.point(trial.params)) for trial in ended]
    return [(trial, point) for trial, point in points if point is not None]


def constraint_names(trials: Iterable[FrozenTrial]) -> set[str]:
    """Returns the names of all constraints that completed trials have set."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return {name for trial in complete for name in trial.constraints}


def tell(optimizer: Optimizer, trial: FrozenTrial, point: Point, names: Sequence[str]) -> None:
    """Tells the optimiser of a finished trial.

    Args:
        optimizer: Whom to tell.
        trial: The trial.
        point: Where it was.
        names: The constraints in order; those that the trial has not set count as not measured.
    """
    values: list[float | None] = [None] * optimizer.statement.n_objectives
    if trial.state == TrialState.COMPLETE:  # a pruned trial may hold an intermediate value
        values = [v if abs(v) < _HUGE else None for v in trial.values]
    measured = trial.constraints
    constraints = [measured.get(name) for name in names]
    violated = any(v is not None and v >= _HUGE for v in constraints)
    constraints = [v if v is not None and abs(v) < _HUGE else None for v in constraints]
    optimizer.tell(point, values, constraints, failed=None in values or violated)


def under_way(
    trials: Iterable[FrozenTrial],
    trial: FrozenTrial,
    space: OptunaSpace,
    age_s: float,
    suggest: Callable[[int, list[Point]], Point],
) -> list[Point]:
    """Returns the points that other running trials evaluate.

    Of trials that began before this one and show no suggestion yet, it is worked out: their
    workers are about to make it from the same history.

    Args:
        trials: All trials.
        trial: The trial that asks.
        space: What is searched.
        age_s: Running trials older than this, in seconds, are left out.
        suggest: Returns the suggestion for a trial by its number and the points under way.
    """
    running = [t for t in trials if t.state == TrialState.RUNNING and t.number != trial.number]
    ages = {t.number: _age_s(t) for t in running}
    running = [t for t in running if ages[t.number] < age_s]
    shown = {t.number: space.point(_known(t, space)) for t in running}
    points = [point for point in shown.values() if point is not None]
    for other in sorted(running, key=lambda t: t.number):
        hidden = shown[other.number] is None and PARAMS not in other.system_attrs
        if hidden and other.number < trial.number and ages[other.number] < _SUGGESTING_S:
            guess = space.params(suggest(other.number, points))
            point = space.point({**guess, **_known(other, space)})
            points += [] if point is None else [point]
    return points


def _known(trial: FrozenTrial, space: OptunaSpace) -> dict[str, Any]:
    """Returns the values that a running trial has or will have, as far as it shows them."""
    attributes = trial.system_attrs
    suggested = space.decode(attributes.get(PARAMS, {}))
    return {**suggested, **attributes.get("fixed_params", {}), **trial.params}


def _age_s(trial: FrozenTrial) -> float:
    if trial.datetime_start is None:
        return 0.0
    return (dt.datetime.now() - trial.datetime_start).total_seconds()
