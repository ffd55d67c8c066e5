"""Parameters that exist only under conditions."""

import functools
import json

import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Ordinal, Real, Space

SGD = Space(
    [
        Categorical("optimizer", ("adam", "sgd", "lbfgs")),
        Real("momentum", 0.0, 1.0, when=("optimizer", ("sgd",))),
        Categorical("nesterov", (False, True, None), when=("optimizer", ("sgd",))),
        Integer("warmup", 1, 5, when=("nesterov", (True, None))),
        Real("rate", 1e-4, 1.0, log=True),
    ]
)


def random_space(rng: np.random.Generator, discrete: bool = False) -> Space:
    """Returns up to eight parameters of all kinds, most of them conditional where possible."""
    parameters = []
    for i in range(rng.integers(1, 9)):
        parents = [p for p in parameters if not isinstance(p, Real)]
        when = None
        if parents and rng.uniform() < 0.7:
            parent = parents[rng.integers(len(parents))]
            options = (
                list(range(parent.low, parent.high + 1))
                if isinstance(parent, Integer)
                else list(parent.choices)
            )
            chosen = rng.permutation(len(options))[: rng.integers(1, len(options) + 1)]
            when = (parent.name, tuple(options[k] for k in chosen))
        low = int(rng.integers(1, 4))
        kinds = [
            functools.partial(Real, low=low, high=low + 2.5),
            functools.partial(Real, low=low, high=100.0 * low, log=True),
            functools.partial(Integer, low=low, high=low + 3),
            functools.partial(Integer, low=low, high=5 * low, log=True),
            functools.partial(Ordinal, choices=("small", 2, 3.5, None)[: low + 1]),
            functools.partial(Categorical, choices=(True, "1", 1, None)[: low + 1]),
        ]
        parameters.append(kinds[rng.integers(2 if discrete else 0, 6)](name=f"p{i}", when=when))
    return Space(parameters)


RANDOM = [random_space(np.random.default_rng(seed)) for seed in range(60)]
DISCRETE = [random_space(np.random.default_rng([seed, 1]), discrete=True) for seed in range(60)]


def test_the_random_spaces_have_conditions_on_conditions():
    depth = 0
    for space in RANDOM:
        levels: dict[str, int] = {}
        for p in space.parameters:
            levels[p.name] = 0 if p.when is None else levels[p.when[0]] + 1
        depth = max(depth, *levels.values())
    assert depth >= 3


def test_parameters_exist_only_under_their_condition():
    point = SGD.from_unit([0.1, 0.9, 0.2, 0.75, 0.0, 1.0, 0.0, 0.5, 1.0])
    assert point == {"optimizer": "sgd", "momentum": 0.75, "nesterov": True, "warmup": 3, "rate": 1}
    assert SGD.from_unit([1, 0, 0, 0.75, 0, 1, 0, 0.5, 0.5]) == {
        "optimizer": "adam",
        "rate": pytest.approx(1e-2),
    }


def test_inactive_axes_are_neutral():
    u = SGD.to_unit({"optimizer": "adam", "rate": 1.0})
    np.testing.assert_array_equal(u, [1, 0, 0, 0.5, 1 / 3, 1 / 3, 1 / 3, 0.5, 1])
    # All choices of an absent category are equally far.
    nesterov = SGD.to_unit({"optimizer": "sgd", "momentum": 0, "nesterov": False, "rate": 1})
    assert nesterov[7] == 0.5


def test_points_that_differ_in_absent_parameters_are_one_point():
    rows = np.random.default_rng(0).uniform(size=(100, SGD.dims))
    moved = np.where(SGD.active_axes(rows), rows, 1.0 - rows)
    assert np.any(moved != rows)
    np.testing.assert_array_equal(SGD.snap(moved), SGD.snap(rows))
    assert SGD.from_unit_rows(moved) == SGD.from_unit_rows(rows)


def test_active_axes_are_those_of_the_parameters_with_values():
    rows = np.random.default_rng(0).uniform(size=(50, SGD.dims))
    widths = [p.dims for p in SGD.parameters]
    for row, active in zip(rows, SGD.active_axes(rows), strict=True):
        point = SGD.from_unit(row)
        assert (
            active.tolist() == np.repeat([p.name in point for p in SGD.parameters], widths).tolist()
        )


def test_a_child_may_wait_for_numbers_and_ordered_choices():
    space = Space(
        [
            Integer("layers", 1, 3),
            Ordinal("width", (16, 32), when=("layers", range(2, 4))),
            Real("dropout", 0, 1, when=("width", (32,))),
        ]
    )
    assert space.from_unit([0.1, 0.9, 0.3]) == {"layers": 1}
    assert space.from_unit([0.5, 0.1, 0.3]) == {"layers": 2, "width": 16}
    assert space.from_unit([0.9, 0.9, 0.3]) == {"layers": 3, "width": 32, "dropout": 0.3}


def test_snapping_twice_changes_nothing():
    for seed, space in enumerate(RANDOM):
        once = space.snap(np.random.default_rng(seed).uniform(-0.1, 1.1, size=(30, space.dims)))
        np.testing.assert_allclose(space.snap(once), once, rtol=0, atol=1e-12)


def test_values_lie_where_their_points_snap_to():
    for seed, space in enumerate(RANDOM):
        rows = np.random.default_rng(seed).uniform(size=(30, space.dims))
        places = np.array([space.to_unit(x) for x in space.from_unit_rows(rows)])
        np.testing.assert_allclose(places, space.snap(rows), rtol=0, atol=1e-12)


def test_values_survive_the_unit_cube():
    for seed, space in enumerate(RANDOM):
        rows = np.random.default_rng(seed).uniform(size=(30, space.dims))
        points = space.from_unit_rows(rows)
        for x in points:
            back = space.from_unit(space.to_unit(x))
            assert list(back) == list(x)
            for name, value in x.items():
                exact = not isinstance(value, float)
                assert back[name] == (value if exact else pytest.approx(value, rel=1e-12))
                assert type(back[name]) is type(value)


def test_the_grid_is_every_point_once_and_size_counts_it():
    sizes = set()
    for space in DISCRETE:
        if space.size > 5000:
            continue
        grid = space.grid()
        assert len(np.unique(grid.round(9), axis=0)) == len(grid) == space.size
        np.testing.assert_allclose(space.snap(grid), grid, rtol=0, atol=1e-12)
        rows = space.snap(np.random.default_rng(0).uniform(size=(300, space.dims)))
        known = {row.tobytes() for row in grid.round(9)}
        assert all(row.tobytes() in known for row in rows.round(9))
        sizes.add(space.size)
    assert len(sizes) > 20


def test_a_real_parameter_makes_the_space_infinite_even_when_it_is_rarely_there():
    assert SGD.size == np.inf
    with pytest.raises(ValueError, match="'momentum' is real"):
        SGD.grid()


def test_huge_integers_are_parents_without_being_listed():
    space = Space([Integer("n", 0, 10**9), Categorical("c", ("a", "b"), when=("n", (0, 7)))])
    assert space.size == 10**9 + 3


def test_conditions_survive_json():
    for space in [*RANDOM, SGD]:
        again = Space.from_json(json.loads(json.dumps(space.to_json(), allow_nan=False)))
        assert again == space
        assert hash(again) == hash(space)


def test_conditions_are_part_of_what_makes_spaces_equal():
    parent = Ordinal("a", (1, 2))
    spaces = [Space([parent, Real("x", 0, 1, when=w)]) for w in (None, ("a", (1,)), ("a", (2,)))]
    assert len(set(spaces)) == 3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Real("x", 0, 1, when="sgd"), "such as"),
        (lambda: Real("x", 0, 1, when=("a", "sgd")), "such as"),
        (lambda: Real("x", 0, 1, when=("a", 3)), r"\('a', \(3,\)\)"),
        (lambda: Real("x", 0, 1, when=("a", ())), "at least one value"),
        (lambda: Real("x", 0, 1, when=("a", ([1],))), "JSON scalars"),
        (
            lambda: Space([Real("x", 0, 1, when=("a", (1,))), Integer("a", 0, 1)]),
            "'x' depends on 'a', which does not come before it; put the parent first",
        ),
        (lambda: Space([Real("x", 0, 1, when=("x", (1,)))]), "does not come before"),
        (
            lambda: Space([Integer("a", 0, 1), Real("x", 0, 1, when=("b", (1,)))]),
            r"depends on 'b'.*known before it: \['a'\]",
        ),
        (
            lambda: Space([Real("a", 0, 1), Real("x", 0, 1, when=("a", (1,)))]),
            "'x' depends on 'a', which is real",
        ),
        (
            lambda: Space([Integer("a", 0, 1), Real("x", 0, 1, when=("a", (2,)))]),
            r"'x' waits for an impossible value: 'a' must lie in \[0, 1\], got 2",
        ),
        (
            lambda: Space([Categorical("a", (True, False)), Real("x", 0, 1, when=("a", (1,)))]),
            "impossible value: 'a' must be one of",
        ),
        (
            lambda: SGD.to_unit({"optimizer": "adam", "momentum": 0.5, "rate": 1.0}),
            r"'momentum' must be left out, got 0.5.*'optimizer' is one of \('sgd',\).*is 'adam'",
        ),
        (
            lambda: SGD.to_unit({"optimizer": "adam", "warmup": 2, "rate": 1.0}),
            "'warmup' must be left out.*'nesterov' has no value",
        ),
        (lambda: SGD.to_unit({"optimizer": "sgd", "rate": 1.0}), "inactive parameters are left"),
        (lambda: SGD.to_unit({"optimizer": "adam", "rate": 1.0, "a": 0}), "expected values for"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
