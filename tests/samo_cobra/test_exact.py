import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Linear, Optimizer, Ordinal, Real, Settings, Space
from tests.samo_cobra.bowls import CORNER, PLANE, bowls, disc, free, optimise

LINE = Linear({"x": 1.0, "y": 1.0}, upper=0.8)


def outside_disc(x):
    return disc(x)


def near(x):
    return bowls(x)[0]


def far(x):
    return bowls(x)[1]


def violations(optimizer):
    return np.array([optimizer.statement.restrictions.violation(t.x) for t in optimizer.trials])


# Known constraints


def test_no_suggestion_breaks_a_linear_restriction_or_a_function():
    optimizer = Optimizer(
        PLANE, 2, reference_point=CORNER, known_constraints=[LINE, outside_disc], seed=1
    )
    optimise(optimizer, free, 14)
    assert np.all(violations(optimizer) <= 0.0)
    # The best of the far bowl is on the border, which is reached from the allowed side.
    sums = [t.x["x"] + t.x["y"] for t in optimizer.trials]
    assert max(sums) > 0.8 - 1e-4


def test_batches_keep_restrictions_too():
    optimizer = Optimizer(
        PLANE,
        2,
        reference_point=CORNER,
        known_constraints=[LINE, outside_disc],
        settings=Settings(batch="joint"),
    )
    for _ in range(3):
        for point in optimizer.ask(3):
            optimizer.tell(point, *free(point.x))
    assert np.all(violations(optimizer) <= 0.0)


@pytest.mark.parametrize("kind", [bool, np.bool_])
def test_truth_values_say_what_is_allowed(kind):
    optimizer = Optimizer(
        PLANE,
        2,
        reference_point=CORNER,
        known_constraints=[lambda x: kind(x["x"] + x["y"] < 0.8), lambda x: kind(x["x"] < 0.6)],
    )
    optimise(optimizer, free, 9)
    assert np.all(violations(optimizer) <= 0.0)
    assert all(record.gain > 0.0 for record in optimizer.records)


def test_a_thin_allowed_region_is_kept_to():
    """Evenly spread candidates miss a region of one part in five hundred."""
    thin = [lambda x: abs(x["x"] + x["y"] - 0.5) < 0.001]
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER, known_constraints=thin)
    optimise(optimizer, free, 8)
    assert np.all(violations(optimizer) <= 0.0)


def test_infinite_violations_are_kept_out_of():
    wall = [lambda x: np.inf if x["x"] > 0.5 else -np.inf]
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER, known_constraints=wall)
    optimise(optimizer, free, 9)
    assert np.all(violations(optimizer) <= 0.0)


def test_a_restricted_discrete_space_is_used_up_and_then_repeats_allowed_points_only():
    space = Space([Integer("i", 0, 5), Integer("j", 0, 5)])
    even = [lambda x: (x["i"] + x["j"]) % 3 == 0, Linear({"i": 1}, upper=3)]
    optimizer = Optimizer(space, 2, reference_point=[99.0, 99.0], known_constraints=even)
    optimise(optimizer, lambda x: ([x["i"] + x["j"], (x["i"] - 5) ** 2 + x["j"]],), 11)
    assert np.all(violations(optimizer) <= 0.0)
    assert len({tuple(t.x.values()) for t in optimizer.trials}) == 8


def test_restrictions_hold_in_conditional_spaces():
    space = Space(
        [
            Categorical("kind", ("a", "b")),
            Ordinal("depth", (1, 2, 4), when=("kind", ("b",))),
            Real("x", 0.0, 1.0),
        ]
    )

    def shallow(x):
        return x.get("depth", 1) * x["x"] < 0.9

    known = [shallow, Linear({"depth": 1.0, "x": 2.0}, upper=4.5)]
    optimizer = Optimizer(space, 2, reference_point=[9.0, 9.0], known_constraints=known)
    optimise(optimizer, lambda x: ([x["x"], (x["x"] - 1) ** 2 + 1 / x.get("depth", 1)],), 12)
    assert np.all(violations(optimizer) <= 0.0)
    assert {t.x["kind"] for t in optimizer.trials} == {"a", "b"}


@pytest.mark.parametrize("told", [0, 4])
def test_restrictions_that_leave_nothing_are_named(told):
    def never(x):
        return False

    optimizer = Optimizer(PLANE, 2, known_constraints=[never])
    for i in range(told):
        x = {"x": 0.2 * i, "y": 0.1}
        optimizer.tell(x, bowls(x))
    with pytest.raises(ValueError, match="never"):
        optimizer.ask()


# Inexpensive outputs


def test_the_function_fills_in_its_output():
    optimizer = Optimizer(PLANE, 2, 1, inexpensive_constraints={0: disc})
    x = {"x": 0.2, "y": 0.7}
    assert optimizer.tell(x, [1.0, 2.0]).constraints == (disc(x),)
    assert optimizer.tell(x, [1.0, 2.0], [None]).constraints == (disc(x),)
    assert optimizer.tell(x, [1.0, 2.0], [disc(x)]).constraints == (disc(x),)


def test_a_contradiction_is_an_error_and_nothing_is_recorded():
    optimizer = Optimizer(PLANE, 2, inexpensive_objectives={1: far})
    with pytest.raises(ValueError, match="'far'"):
        optimizer.tell({"x": 0.2, "y": 0.7}, [1.0, 5.0])
    assert optimizer.trials == ()


def test_directions_are_those_of_the_user():
    optimizer = Optimizer(
        PLANE,
        2,
        directions=["minimize", "maximize"],
        reference_point=[2.0, -2.0],
        inexpensive_objectives={1: lambda x: -bowls(x)[1]},
    )
    plain = Optimizer(PLANE, 2, reference_point=CORNER, inexpensive_objectives={1: far})
    for _ in range(6):
        (one,), (two,) = optimizer.ask(), plain.ask()
        assert one == two
        optimizer.tell(one, [near(one.x), None])
        plain.tell(two, [near(two.x), None])
    assert optimizer.trials[0].objectives[1] == -plain.trials[0].objectives[1]


@pytest.mark.parametrize("value", [np.array(0.5), np.float32(0.5), 1, True])
def test_functions_may_return_any_kind_of_number(value):
    optimizer = Optimizer(PLANE, 2, inexpensive_objectives={0: lambda _: value})
    trial = optimizer.tell({"x": 0.2, "y": 0.7}, [None, 1.0])
    assert trial.objectives == (float(value), 1.0)


@pytest.mark.parametrize("value", [np.nan, None, "1", np.zeros(2)])
def test_functions_that_return_no_finite_number_are_named(value):
    def strange(x):
        return value

    optimizer = Optimizer(PLANE, 2, inexpensive_objectives={0: strange})
    with pytest.raises(ValueError, match="'strange' must return a finite number"):
        optimizer.tell({"x": 0.2, "y": 0.7}, [None, 1.0])


def test_inexpensive_outputs_are_not_modelled():
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER, inexpensive_objectives={1: far})
    optimise(optimizer, lambda x: ([near(x), None],), 5)
    record = optimizer.records[-1]
    assert record.kernels[0] != "exact"
    assert record.kernels[1] == "exact"
    assert record.errors[1] == 0.0
    point = optimizer.trials[-1].x
    assert record.predicted[1] == pytest.approx(far(point), abs=1e-12)


def test_with_all_outputs_inexpensive_nothing_is_modelled():
    optimizer = Optimizer(
        PLANE, 2, reference_point=CORNER, inexpensive_objectives={0: near, 1: far}
    )
    optimise(optimizer, lambda _: (None,), 9)
    assert not any(t.failed for t in optimizer.trials)
    assert all(set(r.kernels) == {"exact"} for r in optimizer.records)
    for record in optimizer.records:
        trial = optimizer.trials[record.id]
        assert trial.objectives == pytest.approx(record.predicted, abs=1e-12)


def wavy(x):
    """An output that models need many points for."""
    return bowls(x)[1] + 0.3 * np.sin(12.0 * x["x"]) * np.sin(9.0 * x["y"])


def test_knowing_all_but_one_output_beats_modelling_them():
    final = {}
    for known in (None, {1: wavy}):
        values = []
        for seed in range(3):
            optimizer = Optimizer(
                PLANE, 2, reference_point=CORNER, inexpensive_objectives=known, seed=seed
            )
            optimise(optimizer, lambda x: ([near(x), wavy(x)],), 14)
            values.append(optimizer.hypervolume())
        final[known is None] = np.array(values)
    modelled, exact = final[True], final[False]
    assert np.all(exact > modelled)
