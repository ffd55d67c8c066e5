"""The Optuna sampler: rebuilt from history, shared by workers, unharmed by failures."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from samo_cobra.optuna import INTERRUPTED, PARAMS, SamoCobraSampler

optuna.logging.set_verbosity(optuna.logging.ERROR)

SPACE = {"x": FloatDistribution(0.0, 5.0), "y": FloatDistribution(0.0, 3.0)}
MIXED = {
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "width": IntDistribution(8, 64, step=8),
    "drop": FloatDistribution(0.0, 0.5, step=0.25),
    "kind": CategoricalDistribution(["a", "b", None]),
    "fixed": IntDistribution(3, 3),
}


def study_of(sampler: optuna.samplers.BaseSampler, **options) -> optuna.Study:
    return optuna.create_study(sampler=sampler, directions=["minimize", "minimize"], **options)


def bnh(trial: optuna.Trial) -> tuple[float, float]:
    x, y = trial.suggest_float("x", 0.0, 5.0), trial.suggest_float("y", 0.0, 3.0)
    trial.set_constraint("disc", (x - 5) ** 2 + y - 25)
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2


def params(study: optuna.Study) -> list[dict]:
    return [trial.params for trial in study.trials]


def test_a_resumed_study_continues_as_if_never_stopped(tmp_path: Path) -> None:
    def sampler() -> SamoCobraSampler:
        return SamoCobraSampler(SPACE, seed=3, constraints=["disc"])

    whole = study_of(sampler())
    whole.optimize(bnh, n_trials=8)
    storage = f"sqlite:///{tmp_path}/study.db"
    study_of(sampler(), storage=storage, study_name="bnh").optimize(bnh, n_trials=5)
    resumed = optuna.load_study(storage=storage, study_name="bnh", sampler=sampler())
    resumed.optimize(bnh, n_trials=3)
    assert params(resumed) == params(whole)


def test_it_beats_random_search_on_bnh() -> None:
    def front_size(sampler: optuna.samplers.BaseSampler) -> int:
        study = study_of(sampler)
        study.optimize(bnh, n_trials=20)
        return len(study.best_trials)

    ours = front_size(SamoCobraSampler(SPACE, seed=0, constraints=["disc"]))
    assert ours > front_size(optuna.samplers.RandomSampler(seed=0))


def test_every_kind_of_distribution_is_suggested_inside_its_range() -> None:
    study = study_of(SamoCobraSampler(MIXED, seed=0))
    seen = []
    for _ in range(9):
        trial = study.ask(MIXED)
        seen.append(trial.params)
        study.tell(trial, [trial.params["rate"], trial.params["width"]])
    for values in seen:
        assert 1e-4 <= values["rate"] <= 1e-1
        assert values["width"] % 8 == 0
        assert values["drop"] in (0.0, 0.25, 0.5)
        assert values["kind"] in ("a", "b", None)
        assert values["fixed"] == 3
    assert len({tuple(values.values()) for values in seen}) == 9


def test_maximised_objectives_are_turned_round() -> None:
    study = optuna.create_study(
        sampler=SamoCobraSampler({"x": FloatDistribution(0.0, 1.0)}, seed=0, initial_trials=3),
        directions=["maximize"],
    )
    study.optimize(lambda trial: 1 - (trial.suggest_float("x", 0, 1) - 0.3) ** 2, n_trials=10)
    assert study.best_value == pytest.approx(1.0, abs=1e-3)


def test_failed_trials_are_told_and_interrupted_ones_are_not() -> None:
    sampler = SamoCobraSampler(SPACE, seed=0, initial_trials=2)
    study = study_of(sampler)
    for state in ("failed", "interrupted", "nan"):
        trial = study.ask(SPACE)
        if state == "interrupted":
            trial.set_user_attr(INTERRUPTED, True)
        if state == "nan":
            study.tell(trial, [math.nan, 1.0])
        else:
            study.tell(trial, state=TrialState.FAIL)
    study.optimize(bnh, n_trials=3)
    told = sampler.optimizer(study).trials
    assert [trial.failed for trial in told] == [True, True, False, False, False]


def test_workers_that_ask_together_get_different_points(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    study_of(SamoCobraSampler(SPACE, seed=0), storage=storage, study_name="bnh")
    workers = [
        optuna.load_study(
            storage=storage, study_name="bnh", sampler=SamoCobraSampler(SPACE, seed=0)
        )
        for _ in range(2)
    ]
    for _ in range(4):
        trials = [worker.ask(SPACE) for worker in workers]
        assert trials[0].params != trials[1].params
        for worker, trial in zip(workers, trials, strict=True):
            worker.tell(trial, bnh(trial))


def test_a_running_trial_counts_as_pending_until_it_is_too_old() -> None:
    study = study_of(SamoCobraSampler(SPACE, seed=0, pending_age_s=3600.0))
    study.ask(SPACE)
    running = study.get_trials(deepcopy=False)[0]
    assert PARAMS in running.system_attrs
    fresh, expired = (
        SamoCobraSampler(SPACE, seed=0),
        SamoCobraSampler(SPACE, seed=0, pending_age_s=0.0),
    )
    other = study.ask()._cached_frozen_trial
    assert len(fresh.pending(study, other)) == 1
    assert expired.pending(study, other) == []


def test_a_strange_distribution_is_named() -> None:
    with pytest.raises(ValueError, match="'x'"):
        SamoCobraSampler({"x": _Odd()})


class _Odd:
    def single(self) -> bool:
        return False
