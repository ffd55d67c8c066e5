"""Samplers of Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from experiments.optimisers.method import Start
from experiments.optimisers.tasks import Outcome, Task
from samo_cobra import Categorical, Integer


class OptunaMethod:
    """A study that is asked and told; the design is enqueued."""

    def __init__(
        self,
        task: Task,
        start: Start,
        make_sampler: Callable[[], BaseSampler],
        settings: dict[str, Any],
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.settings = settings
        self._parameters = task.space.parameters
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                directions=["minimize"] * task.n_objectives, sampler=make_sampler()
            )
        for x in start.design:
            self._study.enqueue_trial(x)
        self._trial: optuna.Trial | None = None

    def ask(self) -> dict[str, Any]:
        """Returns the parameters of a new trial."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._trial = trial = self._study.ask()
            x: dict[str, Any] = {}
            for p in self._parameters:
                if isinstance(p, Categorical):
                    x[p.name] = trial.suggest_categorical(p.name, p.choices)
                elif isinstance(p, Integer):
                    x[p.name] = trial.suggest_int(p.name, p.low, p.high, log=p.log)
                else:
                    x[p.name] = trial.suggest_float(p.name, p.low, p.high, log=p.log)
        return x

    def tell(self, x: dict[str, Any], outcome: Outcome) -> None:
        """Finishes the trial."""
        del x
        assert self._trial is not None
        for i, value in enumerate(outcome.constraints):
            self._trial.set_constraint(f"g{i + 1}", float(value))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(self._trial, [float(f) for f in outcome.objectives])


def tpe(task: Task, start: Start) -> OptunaMethod:
    """TPE with Optuna's defaults."""
    sampler = optuna.samplers.TPESampler
    return OptunaMethod(task, start, lambda: sampler(seed=start.seed), {})


def nsga2(task: Task, start: Start) -> OptunaMethod:
    """NSGA-II with a population of 20: the default of 50 would be two generations."""
    settings = {"population_size": 20}
    sampler = optuna.samplers.NSGAIISampler
    return OptunaMethod(task, start, lambda: sampler(seed=start.seed, **settings), settings)


def gp(task: Task, start: Start) -> OptunaMethod:
    """GPSampler with Optuna's defaults; told where a problem is free of noise."""
    import torch

    torch.set_num_threads(1)
    settings = {"deterministic_objective": task.noise == 0.0}
    sampler = optuna.samplers.GPSampler
    return OptunaMethod(task, start, lambda: sampler(seed=start.seed, **settings), settings)
