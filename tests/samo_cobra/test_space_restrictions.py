"""Known restrictions on the parameters, and points that respect them."""

import functools
import json
import math

import numpy as np
import pytest

from samo_cobra import (
    Categorical,
    Integer,
    Linear,
    Ordinal,
    Real,
    Restrictions,
    Space,
    sample_allowed,
)
from samo_cobra.design import low_discrepancy

SPACE = Space(
    [
        Real("x", 0.0, 1.0),
        Real("rate", 1e-4, 1.0, log=True),
        Integer("layers", 1, 8),
        Ordinal("batch", (16, 32, 64)),
        Categorical("kind", ("plain", "deep")),
        Integer("extra", 1, 8, when=("kind", ("deep",))),
    ]
)


def memory(x):
    return x["layers"] * x["batch"] - 200.0


def deep_enough(x):
    return x.get("extra", 3) >= 3


def budget(x, limit):
    return x["layers"] - limit


ITEMS = [
    memory,
    Linear({"layers": 1, "extra": 2}, upper=12, lower=3),
    deep_enough,
    Linear({"x": 1.0, "rate": -1.0}, upper=0.5),
]
RESTRICTIONS = Restrictions(SPACE, ITEMS)


def test_rows_are_allowed_where_no_restriction_is_violated():
    rows = np.random.default_rng(0).uniform(size=(500, SPACE.dims))
    allowed = RESTRICTIONS.allowed(rows)
    expected = [max(RESTRICTIONS.violation(x)) <= 0 for x in SPACE.from_unit_rows(rows)]
    assert allowed.tolist() == expected
    assert 0 < allowed.sum() < 500


def test_linear_restrictions_use_natural_values_and_skip_absent_parameters():
    x = {"x": 0.8, "rate": 0.1, "layers": 2, "batch": 32, "kind": "plain"}
    assert RESTRICTIONS.violation(x) == pytest.approx([-136.0, 1.0, 0.0, 0.2])
    deep = {**x, "kind": "deep", "extra": 7}
    assert RESTRICTIONS.violation(deep)[1] == 4.0


def test_numbers_on_an_ordered_axis_may_take_part_in_a_linear_restriction():
    restrictions = Restrictions(SPACE, [Linear({"batch": 0.5, "layers": 1}, upper=20.0)])
    rows = np.random.default_rng(0).uniform(size=(100, SPACE.dims))
    points = SPACE.from_unit_rows(rows)
    assert restrictions.allowed(rows).tolist() == [
        0.5 * x["batch"] + x["layers"] <= 20.0 for x in points
    ]


def test_a_sum_that_meets_its_bound_but_for_rounding_is_allowed():
    space = Space([Real("a", 0.0, 1.0), Real("b", 0.0, 1.0)])
    assert 0.1 + 0.2 > 0.3
    restrictions = Restrictions(space, [Linear({"a": 1, "b": 1}, upper=0.3, lower=0.3)])
    assert restrictions.violation({"a": 0.1, "b": 0.2}) == [0.0]
    assert restrictions.allowed([[0.1, 0.2], [0.1, 0.2 + 1e-9]]).tolist() == [True, False]


def test_functions_are_called_only_where_the_restrictions_before_them_hold():
    seen = []

    def function(x):
        seen.append(x)
        return True

    linear = Linear({"layers": 1}, upper=4)
    rows = np.random.default_rng(0).uniform(size=(100, SPACE.dims))
    allowed = Restrictions(SPACE, [function, linear]).allowed(rows)
    assert len(seen) == allowed.sum() < 100
    assert max(x["layers"] for x in seen) <= 4


def test_a_function_cannot_change_the_point():
    def greedy(x):
        x.clear()
        return -1.0

    rows = np.random.default_rng(0).uniform(size=(20, SPACE.dims))
    twice = Restrictions(SPACE, [greedy, memory]).allowed(rows)
    np.testing.assert_array_equal(twice, Restrictions(SPACE, [memory]).allowed(rows))


@pytest.mark.parametrize(
    ("result", "violation"),
    [
        (True, 0.0),
        (np.False_, 1.0),
        (np.float32(2.0), 2.0),
        (np.array(-1), -1.0),
        (math.inf, math.inf),
    ],
)
def test_functions_return_numbers_or_truth_values(result, violation):
    def given(x):
        return result

    restrictions = Restrictions(Space([Real("x", 0, 1)]), [given])
    assert restrictions.violation({"x": 0.5}) == [violation]
    assert restrictions.allowed([[0.5]]).tolist() == [violation <= 0]


@pytest.mark.parametrize("result", [math.nan, None, "no", np.array([1.0]), 1j])
def test_a_function_that_returns_no_number_is_quoted(result):
    def broken(x):
        return result

    restrictions = Restrictions(Space([Real("x", 0, 1)]), [broken])
    with pytest.raises(ValueError, match=r"'broken'.*\{'x': 0.5\} it returned"):
        restrictions.violation({"x": 0.5})
    with pytest.raises(ValueError, match=r"'broken'.*\{'x': 0.5\} it returned"):
        restrictions.allowed([[0.5]])


def test_an_error_in_a_function_says_where_it_happened():
    with pytest.raises(KeyError) as caught:
        Restrictions(SPACE, [lambda x: x["extra"]]).allowed(np.full((1, SPACE.dims), 0.5))
    assert "restriction '<lambda>' at {'x': 0.5" in caught.value.__notes__[0]


def test_without_restrictions_everything_is_allowed():
    assert Restrictions(SPACE).allowed(np.zeros((3, SPACE.dims))).all()
    assert Restrictions(SPACE).allowed(np.zeros((0, SPACE.dims))).shape == (0,)
    assert len(Restrictions(SPACE)) == 0


def test_restrictions_survive_json_with_their_functions_given_again():
    data = json.loads(json.dumps(RESTRICTIONS.to_json(), allow_nan=False))
    again = Restrictions.from_json(SPACE, data, [memory, deep_enough])
    assert again.items == RESTRICTIONS.items
    assert hash(again.items) == hash(RESTRICTIONS.items)
    named = functools.partial(budget, limit=3)
    assert Restrictions(SPACE, [named]).to_json() == [{"kind": "function", "name": "budget"}]


@pytest.mark.parametrize("functions", [[], [memory], [deep_enough, memory], [memory, memory]])
def test_missing_functions_are_named_on_load(functions):
    with pytest.raises(ValueError, match=r"\['memory', 'deep_enough'\] again, in this order"):
        Restrictions.from_json(SPACE, RESTRICTIONS.to_json(), functions)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Linear({}, upper=1), "at least one"),
        (lambda: Linear({"x": math.nan}, upper=1), "'x' must be finite"),
        (lambda: Linear({"x": True}, upper=1), "'x' must be finite"),
        (lambda: Linear({"x": 1}, upper=1, lower=2), "lower <= upper"),
        (lambda: Linear({"x": 1}, upper=math.nan), "lower <= upper"),
        (lambda: Linear({"x": 1}, upper=math.inf), "finite bound"),
        (lambda: Restrictions(SPACE, [Linear({"y": 1}, upper=1)]), "names 'y', which is none of"),
        (lambda: Restrictions(SPACE, [Linear({"kind": 1}, upper=1)]), "names 'kind', whose values"),
        (lambda: Restrictions(SPACE, ["x < 1"]), "'x < 1'"),
        (lambda: RESTRICTIONS.violation({"x": 0.5}), "expected values for"),
        (lambda: Restrictions.from_json(SPACE, [{"kind": "cubic"}]), "'cubic'"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_samples_are_the_allowed_points_of_the_sequence():
    sequence = SPACE.snap(low_discrepancy(2048, SPACE.dims, seed=5))
    expected = sequence[RESTRICTIONS.allowed(sequence)]
    for n in (1, 17, 200):
        np.testing.assert_array_equal(sample_allowed(RESTRICTIONS, n, seed=5), expected[:n])
    assert sample_allowed(RESTRICTIONS, 0, seed=5).shape == (0, SPACE.dims)


def test_samples_without_restrictions_are_the_sequence():
    rows = sample_allowed(Restrictions(SPACE), 20, seed=1, method="halton")
    expected = SPACE.snap(low_discrepancy(20, SPACE.dims, seed=1, method="halton"))
    np.testing.assert_array_equal(rows, expected)


def test_rare_points_are_found():
    space = Space([Real(name, 0.0, 1.0) for name in "abc"])
    corner = Restrictions(space, [Linear({"a": 1, "b": 1, "c": 1}, upper=0.1)])
    assert np.all(sample_allowed(corner, 5, seed=0).sum(axis=1) <= 0.1)


def test_restrictions_that_allow_nothing_are_named():
    space = Space([Real("a", 0.0, 1.0), Integer("b", 0, 9)])

    def never(x):
        return False

    half = Linear({"a": 1}, upper=0.5)
    message = r"0 of the first 10000 .*Linear\(\{'a': 1\}\) leaves 1\d\d, then never leaves 0"
    with pytest.raises(ValueError, match=message):
        sample_allowed(Restrictions(space, [never, half]), 3, seed=0)
