"""Optuna's distributions and values as the optimiser sees them, and running trials as points."""

import datetime as dt

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from samo_cobra import Linear
from samo_cobra.optuna_trials import PARAMS, under_way
from samo_cobra.optuna_values import OptunaSpace

SPACE = OptunaSpace(
    {
        "rate": FloatDistribution(1e-4, 1e-1, log=True),
        "drop": FloatDistribution(0.0, 0.3, step=0.1),
        "width": IntDistribution(8, 64, step=8),
        "depth": IntDistribution(1, 4),
        "kind": CategoricalDistribution(["a", True, None, 0.5]),
        "batch": CategoricalDistribution([16, 32, 64]),
        "heads": IntDistribution(2, 2),
        "name": CategoricalDistribution(["only"]),
    },
    ordered=["batch"],
)
PLACE = {"rate": 0.01, "drop": 3, "width": 2, "depth": 3, "kind": 2, "batch": 1}
PARAMETERS = {"rate": 0.01, "drop": 0.3, "width": 24, "depth": 3, "kind": None, "batch": 32}


def test_values_and_points_are_two_names_of_one_thing() -> None:
    assert SPACE.params(PLACE) == PARAMETERS
    assert SPACE.point(PARAMETERS) == PLACE
    assert SPACE.values(PLACE) == {**PARAMETERS, "heads": 2, "name": "only"}


def test_ordered_choices_take_one_axis() -> None:
    assert SPACE.space.dims == 4 + 4 + 1


@pytest.mark.parametrize(
    "change",
    [{"rate": 1.0}, {"width": 25}, {"depth": 9}, {"kind": "c"}, {"drop": 0.15}, {"rate": "x"}],
)
def test_values_outside_are_no_point(change: dict) -> None:
    assert SPACE.point({**PARAMETERS, **change}) is None


def test_missing_values_are_no_point() -> None:
    assert SPACE.point({"rate": 0.01}) is None


def test_the_last_step_stays_inside() -> None:
    for steps in range(1, 60):
        distribution = FloatDistribution(0.1, round(0.1 + 0.1 * steps, 1), step=0.1)
        value = OptunaSpace({"x": distribution}).params({"x": steps})["x"]
        assert value <= distribution.high


def test_stored_numbers_give_the_values_back() -> None:
    numbers = SPACE.encode(PARAMETERS)
    assert all(isinstance(number, int | float) for number in numbers.values())
    assert SPACE.decode(numbers) == PARAMETERS
    assert SPACE.decode({**numbers, "batch": 7, "gone": 1.0}) == {
        name: value for name, value in PARAMETERS.items() if name != "batch"
    }


@pytest.mark.parametrize("names", [["rate", "depth"], ["width", "batch"], ["heads", "drop"]])
def test_linear_restrictions_are_on_optunas_values(names: list[str]) -> None:
    linear = Linear(dict.fromkeys(names, 2.0), upper=1.0)
    restriction = SPACE.restriction(linear)
    excess = restriction.excess if isinstance(restriction, Linear) else restriction
    assert excess(PLACE) == linear.excess({**PARAMETERS, "heads": 2})


@pytest.mark.parametrize("name", ["kind", "name", "unknown"])
def test_linear_restrictions_need_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}'"):
        SPACE.restriction(Linear({name: 1.0}, upper=1.0))


def test_a_strange_distribution_is_named() -> None:
    with pytest.raises(ValueError, match="'x'"):
        OptunaSpace({"x": _Odd()})


class _Odd:
    def single(self) -> bool:
        return False


NARROW = OptunaSpace({"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)})


def running(number: int, *, age_s: float = 0.0, **attributes) -> FrozenTrial:
    trial = optuna.create_trial(state=TrialState.RUNNING, system_attrs=attributes)
    trial.number = number
    trial.datetime_start = dt.datetime.now() - dt.timedelta(seconds=age_s)
    return trial


def pending(trials: list[FrozenTrial], asking: int = 9, age_s: float = 1000.0) -> list[dict]:
    def suggest(number: int, points: list[dict]) -> dict:
        return {"x": number / 10, "y": len(points) / 10}

    me = running(asking)
    return under_way([*trials, me], me, NARROW, age_s, suggest)


SHOWN = {PARAMS: {"x": 0.5, "y": 0.5}}


def test_shown_suggestions_are_under_way_until_they_are_too_old() -> None:
    assert pending([running(3, **SHOWN)]) == [{"x": 0.5, "y": 0.5}]
    assert pending([running(3, age_s=1001.0, **SHOWN)]) == []


def test_fixed_values_of_enqueued_trials_are_under_way() -> None:
    assert pending([running(3, fixed_params={"x": 0.1, "y": 0.2})]) == [{"x": 0.1, "y": 0.2}]
    assert pending([running(3, fixed_params={"x": 0.1}, **SHOWN)]) == [{"x": 0.1, "y": 0.5}]
    assert pending([running(3, fixed_params={"x": 7.0, "y": 0.2}, **SHOWN)]) == []


def test_values_set_in_the_trial_are_under_way() -> None:
    trial = running(3)
    trial.params = {"x": 0.1, "y": 0.3}
    assert pending([trial]) == [{"x": 0.1, "y": 0.3}]


def test_suggestions_that_earlier_trials_are_about_to_make_are_worked_out() -> None:
    trials = [running(4), running(3, fixed_params={"x": 0.9}), running(12), running(2, **SHOWN)]
    assert pending(trials) == [
        {"x": 0.5, "y": 0.5},
        {"x": 0.9, "y": 0.1},
        {"x": 0.4, "y": 0.2},
    ]
    assert pending([running(4, age_s=500.0)]) == []
