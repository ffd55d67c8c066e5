"""The Optuna sampler: rebuilt from history, told of everything a study knows, unharmed by it."""

import copy
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from samo_cobra import Linear, Settings
from samo_cobra.optuna import INTERRUPTED, SamoCobraSampler

optuna.logging.set_verbosity(optuna.logging.ERROR)

# One space for most tests, so that they share compiled programs.
SPACE = {"x": FloatDistribution(0.0, 5.0), "y": FloatDistribution(0.0, 3.0)}
MIXED = {
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "width": IntDistribution(8, 64, step=8),
    "drop": FloatDistribution(0.0, 0.3, step=0.1),
    "kind": CategoricalDistribution(["a", "b", None]),
    "size": CategoricalDistribution(["small", "medium", "large"]),
    "fixed": IntDistribution(3, 3),
}

Objective = Callable[[optuna.Trial], Sequence[float]]


def study_of(
    sampler: optuna.samplers.BaseSampler,
    directions: Sequence[str] = ("minimize", "minimize"),
    **options,
) -> optuna.Study:
    return optuna.create_study(sampler=sampler, directions=directions, **options)


def bnh_at(x: float, y: float) -> tuple[float, float]:
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2


def disc(x: float, y: float) -> float:
    return (x - 5) ** 2 + y - 25


def suggested(trial: optuna.Trial) -> tuple[float, float]:
    return trial.suggest_float("x", 0.0, 5.0), trial.suggest_float("y", 0.0, 3.0)


def bnh(trial: optuna.Trial) -> tuple[float, float]:
    x, y = suggested(trial)
    trial.set_constraint("disc", disc(x, y))
    return bnh_at(x, y)


def params(study: optuna.Study) -> list[dict]:
    return [trial.params for trial in study.trials]


def after(n_trials: int, objective: Objective = bnh, **options) -> optuna.Study:
    study = study_of(SamoCobraSampler(SPACE, **options))
    study.optimize(objective, n_trials=n_trials, catch=RuntimeError)
    return study


def told(study: optuna.Study):
    return study.sampler.optimizer(study).trials


def test_a_resumed_study_continues_as_if_never_stopped(tmp_path: Path) -> None:
    whole = after(8, seed=3)
    storage = f"sqlite:///{tmp_path}/study.db"
    started = study_of(SamoCobraSampler(SPACE, seed=3), storage=storage, study_name="bnh")
    started.optimize(bnh, n_trials=5)
    again = SamoCobraSampler(SPACE, seed=3)
    resumed = optuna.load_study(storage=storage, study_name="bnh", sampler=again)
    resumed.optimize(bnh, n_trials=3)
    assert params(resumed) == params(whole)


def test_it_beats_random_search_on_bnh() -> None:
    random = study_of(optuna.samplers.RandomSampler(seed=0))
    random.optimize(bnh, n_trials=20)
    assert len(after(20).best_trials) > len(random.best_trials)


def test_every_kind_of_distribution_is_suggested_inside_its_range() -> None:
    study = study_of(SamoCobraSampler(MIXED, seed=0, ordered=["size"]))
    seen = []
    for _ in range(9):
        trial = study.ask(MIXED)
        seen.append(trial.params)
        study.tell(trial, [trial.params["rate"], trial.params["width"]])
    for values in seen:
        for name, distribution in MIXED.items():
            assert distribution._contains(distribution.to_internal_repr(values[name]))
    assert len({tuple(values.values()) for values in seen}) == 9
    assert study.sampler.optimizer(study).space.dims == 7  # one axis for the ordered choice


def test_maximised_objectives_are_minimised_ones_turned_round() -> None:
    def turned(trial: optuna.Trial) -> tuple[float, float]:
        first, second = bnh(trial)
        return first, -second

    downwards = after(6, reference_point=(140.0, 50.0))
    sampler = SamoCobraSampler(SPACE, reference_point=(140.0, -50.0))
    upwards = study_of(sampler, ("minimize", "maximize"))
    upwards.optimize(turned, n_trials=6)
    assert params(upwards) == params(downwards)
    assert sampler.optimizer(upwards).hypervolume() > 0.0


@pytest.mark.parametrize("error", [RuntimeError, optuna.TrialPruned])
def test_constraints_of_failed_trials_teach_and_their_places_are_avoided(error: type) -> None:
    def fragile(trial: optuna.Trial) -> tuple[float, float]:
        outcome = bnh(trial)
        if trial.params["x"] > 3.0:
            raise error("out of memory")
        return outcome

    study = after(18, fragile, initial_trials=5)
    trials = told(study)
    failed = [t for t in trials if t.failed]
    assert [t.id for t in failed] == [t.number for t in study.trials if t.params["x"] > 3.0]
    assert all(t.objectives == (None, None) for t in failed)
    assert [t.constraints for t in failed] == [(disc(**t.x),) for t in failed]
    assert any(t.failed for t in trials[:5])
    # Two fifths of the space fail: of the last ten, four would by chance.
    assert sum(t.failed for t in trials[8:]) <= 1


def test_failed_trials_are_told_and_interrupted_ones_are_not() -> None:
    study = study_of(SamoCobraSampler(SPACE, initial_trials=2))
    for state in ("failed", "interrupted"):
        trial = study.ask(SPACE)
        if state == "interrupted":
            trial.set_user_attr(INTERRUPTED, True)
        study.tell(trial, state=TrialState.FAIL)
    study.optimize(bnh, n_trials=2)
    assert [trial.failed for trial in told(study)] == [True, False, False]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300])
def test_a_hopeless_value_marks_a_failure(value: float) -> None:
    def exploding(trial: optuna.Trial) -> tuple[float, float]:
        first, second = bnh(trial)
        return (value, second) if trial.number == 1 else (first, second)

    study = after(5, exploding)
    assert study.trials[1].state == TrialState.COMPLETE
    trial = told(study)[1]
    assert trial.failed
    assert trial.objectives[0] is None
    assert trial.objectives[1] is not None


def test_a_missing_constraint_is_not_measured() -> None:
    def forgetful(trial: optuna.Trial) -> tuple[float, float]:
        return bnh_at(*suggested(trial)) if trial.number == 2 else bnh(trial)

    trials = told(after(6, forgetful))
    assert [t.constraints == (None,) for t in trials] == [False, False, True, False, False, False]
    assert not any(t.failed for t in trials)


def test_infinite_constraints_are_failures_above_and_unknown_below() -> None:
    def unlimited(trial: optuna.Trial) -> tuple[float, float]:
        trial.set_constraint("disc", -math.inf if trial.number else math.inf)
        return bnh_at(*suggested(trial))

    trials = told(after(2, unlimited))
    assert [t.failed for t in trials] == [True, False]
    assert [t.constraints for t in trials] == [(None,), (None,)]


def test_a_new_constraint_starts_the_models_again() -> None:
    def growing(trial: optuna.Trial) -> tuple[float, float]:
        if trial.number >= 3:
            trial.set_constraint("bound", -1.0)
        return bnh(trial)

    study = after(3, growing)
    assert [t.constraints for t in told(study)] == [(disc(**t.params),) for t in study.trials]
    study.optimize(growing, n_trials=1)
    assert [t.constraints[0] for t in told(study)] == [None, None, None, -1.0]
    given = after(4, growing, constraints=["disc"])
    assert [len(t.constraints) for t in told(given)] == [1, 1, 1, 1]


def test_the_space_can_come_from_the_trials() -> None:
    study = study_of(SamoCobraSampler(seed=1))
    study.optimize(bnh, n_trials=6)
    assert len({tuple(p.values()) for p in params(study)}) == 6
    fixed = SamoCobraSampler(SPACE, seed=1)
    same = [s.optimizer(study).suggest(6) for s in (study.sampler, fixed)]
    assert same[0] == same[1]


def test_a_parameter_whose_range_changed_is_random_and_said_to_be() -> None:
    study = study_of(SamoCobraSampler(seed=1, initial_trials=9))
    study.optimize(bnh, n_trials=2)

    def wider(trial: optuna.Trial) -> tuple[float, float]:
        return bnh_at(trial.suggest_float("x", 0.0, 6.0), trial.suggest_float("y", 0.0, 3.0))

    with pytest.warns(UserWarning, match="'x' is chosen at random"):
        study.optimize(wider, n_trials=2)
    assert study.sampler.optimizer(study).space.dims == 1


def test_independent_values_differ_between_workers() -> None:
    study = study_of(SamoCobraSampler(seed=1))
    study.sampler.reseed_rng()
    values = [suggested(study.ask()) for _ in range(4)]
    assert len(set(values)) == 4
    again = study_of(SamoCobraSampler(seed=1))
    assert [suggested(again.ask()) for _ in range(4)] == values


def test_enqueued_values_are_kept_and_learnt_from() -> None:
    study = study_of(SamoCobraSampler(SPACE))
    study.enqueue_trial({"x": 1.0, "y": 2.0})
    study.enqueue_trial({"x": 1.5})
    study.enqueue_trial({"x": 77.0, "y": 1.0})  # outside: Optuna warns and takes it
    with pytest.warns(UserWarning, match="out of range"):
        study.optimize(bnh, n_trials=5)
    assert study.trials[0].params == {"x": 1.0, "y": 2.0}
    assert study.trials[1].params["x"] == 1.5
    expected = [t.params for t in study.trials if t.number != 2]
    assert [t.x for t in told(study)] == expected


def test_threads_share_a_sampler() -> None:
    study = study_of(SamoCobraSampler(SPACE))
    study.optimize(bnh, n_trials=8, n_jobs=2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 8
    assert len({tuple(p.values()) for p in params(study)}) == 8
    assert len(told(study)) == 8


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_a_copied_sampler_suggests_the_same(copied: Callable) -> None:
    study = after(5)
    twin = copied(study.sampler)
    assert twin.optimizer(study) is not study.sampler.optimizer(study)
    suggestions = [s.optimizer(study).suggest(5) for s in (twin, study.sampler)]
    assert suggestions[0] == suggestions[1]


def test_one_sampler_serves_several_studies() -> None:
    sampler = SamoCobraSampler(SPACE, seed=2)
    first, second = study_of(sampler), study_of(sampler)
    for _ in range(5):
        for study in (first, second):
            study.optimize(bnh, n_trials=1)
    assert params(first) == params(second) == params(after(5, seed=2))


def test_known_functions_are_called_with_optunas_values() -> None:
    space = {
        "width": IntDistribution(8, 64, step=8),
        "depth": IntDistribution(1, 4),
        "heads": IntDistribution(2, 2),
    }

    def divides(x: dict) -> bool:
        return x["width"] % (x["depth"] * x["heads"]) == 0

    def cost(x: dict) -> float:
        return float(x["width"] * x["depth"])

    sampler = SamoCobraSampler(
        space,
        known_constraints=[Linear({"width": 1.0, "depth": 8.0}, upper=64.0), divides],
        inexpensive_objectives={1: cost},
        inexpensive_constraints={"cost": lambda x: 16.0 - cost(x)},
        settings=Settings(model_choice="leave-one-out"),
    )
    study = study_of(sampler, ("minimize", "maximize"))
    for _ in range(6):
        trial = study.ask(space)
        assert trial.params["width"] + 8 * trial.params["depth"] <= 64
        assert divides(trial.params)
        study.tell(trial, [1 / trial.params["width"], cost(trial.params)])
    assert [t.constraints for t in told(study)] == [(16.0 - t.values[1],) for t in study.trials]
    assert sampler.optimizer(study).settings.model_choice == "leave-one-out"


def test_a_wrong_inexpensive_function_is_named_each_time() -> None:
    def wrong(x: dict) -> float:
        return -1.0

    study = study_of(SamoCobraSampler(SPACE, inexpensive_objectives={0: wrong}))
    study.tell(study.ask(SPACE), [1.0, 1.0])
    for _ in range(2):
        with pytest.raises(ValueError, match="'wrong'"):
            study.ask(SPACE)


def test_workers_that_suggest_at_the_same_moment_differ() -> None:
    study = after(8)
    first, second = study.ask(), study.ask()
    sampler = SamoCobraSampler(SPACE)
    # What the first will suggest, and the second would if it did not think of the first.
    alone = sampler.optimizer(study).suggest(first.number)
    careless = sampler.optimizer(study).suggest(second.number)
    assert math.dist(careless.values(), alone.values()) < 0.01
    assert math.dist(suggested(second), alone.values()) > 0.1
    others = [trial.params for trial in study.trials if trial.number != first.number]
    gaps = [math.dist(suggested(first), p.values()) for p in others]
    assert np.min(gaps) > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ordered": ["x"]}, "ordered"),
        ({"known_constraints": [Linear({"z": 1.0}, upper=1.0)]}, "'z'"),
        ({"known_constraints": [3]}, "3"),
        ({"search_space": {"x": IntDistribution(1, 1)}}, "more than one value"),
        ({"search_space": None, "known_constraints": [bool]}, "need a search_space"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SamoCobraSampler(**{"search_space": SPACE, **arguments})
