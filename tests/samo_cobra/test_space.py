import json

import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Ordinal, Real, Space

MIXED = Space(
    [
        Real("width", -1.0, 3.0),
        Real("rate", 1e-4, 1e-1, log=True),
        Integer("layers", 1, 4),
        Integer("features", 4, 256, log=True),
        Categorical("readout", ("mlp", "qdi", None)),
    ]
)


def test_values_survive_the_round_trip_through_the_unit_cube():
    x = {"width": 0.3, "rate": 2e-3, "layers": 4, "features": 37, "readout": None}
    back = MIXED.from_unit(MIXED.to_unit(x))
    assert back["width"] == pytest.approx(0.3)
    assert back["rate"] == pytest.approx(2e-3)
    assert (back["layers"], back["features"], back["readout"]) == (4, 37, None)


def test_every_integer_has_an_equal_share_of_the_axis():
    layers = Space([Integer("layers", 1, 4)])
    values = [layers.from_unit(np.array([u]))["layers"] for u in np.linspace(0.001, 0.999, 1000)]
    assert np.bincount(values)[1:].tolist() == [250, 250, 250, 250]


def test_log_parameters_are_even_in_the_logarithm():
    middle = MIXED.from_unit(np.array([0.5, 0.5, 0.5, 0.5, 1.0, 0.0, 0.0]))
    assert middle["rate"] == pytest.approx(10**-2.5)
    assert middle["features"] == 32


def test_categories_are_corners_at_equal_distance():
    corners = Space([Categorical("c", ("a", "b", "c"))]).grid()
    gaps = np.linalg.norm(corners[:, None] - corners[None], axis=2)
    assert np.unique(gaps.round(12)).size == 2


def test_snapping_gives_exactly_the_place_of_the_value():
    u = np.random.default_rng(0).uniform(size=(50, MIXED.dims))
    for row in MIXED.snap(u):
        np.testing.assert_allclose(MIXED.to_unit(MIXED.from_unit(row)), row, atol=1e-12)


def test_grid_lists_every_point_of_a_discrete_space_once():
    space = Space([Integer("i", 0, 4), Categorical("c", (True, False))])
    grid = space.grid()
    assert len(np.unique(grid, axis=0)) == len(grid) == space.size == 10


def test_space_survives_json():
    assert Space.from_json(MIXED.to_json()) == MIXED


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Real("x", 1.0, 1.0), "low < high"),
        (lambda: Real("x", 0.0, 1.0, log=True), "log=False"),
        (lambda: Integer("x", 0, 2.5), "whole"),
        (lambda: Categorical("x", ("a",)), "two choices"),
        (lambda: Categorical("x", ("a", "a")), "differ"),
        (lambda: Space([]), "at least one"),
        (lambda: Space([Real("x", 0, 1), Real("x", 0, 1)]), "names must differ"),
        (lambda: MIXED.to_unit({"width": 0.0}), "expected values for"),
        (lambda: Space([Real("x", 0, 1)]).to_unit({"x": 2.0}), r"\[0, 1\], got 2.0"),
        (lambda: Space([Integer("x", 0, 9)]).to_unit({"x": 1.5}), "whole number"),
        (lambda: Space([Categorical("x", (1, "1"))]).to_unit({"x": 1.0}), "one of"),
        (lambda: Space([Categorical("x", (1, "1"))]).to_unit({"x": [1]}), "one of"),
        (lambda: Integer("x", 0, 2**60), "use Real"),
        (lambda: Ordinal("x", (1,)), "two choices"),
        (lambda: Ordinal("x", (1, 1)), "differ"),
        (lambda: Ordinal("x", (1, [2])), "JSON scalars"),
        (lambda: Categorical("x", (1.0, float("nan"))), "finite"),
        (lambda: Space([Ordinal("x", (1, 2))]).to_unit({"x": 3}), r"one of \(1, 2\), got 3"),
        (lambda: MIXED.snap(np.zeros((2, 3))), r"rows of 7 positions, got shape \(2, 3\)"),
        (lambda: MIXED.from_unit(np.zeros(3)), "rows of 7 positions"),
        (lambda: Space.from_json([{"kind": "real", "name": "x", "lo": 1}]), "cannot read"),
        (lambda: Space.from_json([{"kind": "complex", "name": "x"}]), "complex"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_grid_of_an_unconditional_space_counts_like_an_odometer():
    space = Space([Integer("i", 0, 1), Ordinal("o", ("s", "m", "l"))])
    assert space.grid()[:4].tolist() == [[0.25, 1 / 6], [0.25, 0.5], [0.25, 5 / 6], [0.75, 1 / 6]]


def test_ordered_choices_are_cells_of_equal_width_on_one_axis():
    space = Space([Ordinal("batch", (16, 32, 64, 128))])
    assert (space.dims, space.size, space.discrete_axes.tolist()) == (1, 4, [True])
    values = [x["batch"] for x in space.from_unit_rows(np.linspace(0.001, 0.999, 1000)[:, None])]
    assert values == [16] * 250 + [32] * 250 + [64] * 250 + [128] * 250
    assert space.from_unit([1.0]) == {"batch": 128}


def test_many_points_are_mapped_as_one_by_one():
    rows = np.random.default_rng(1).uniform(size=(40, MIXED.dims))
    many = MIXED.from_unit_rows(rows)
    assert many == [MIXED.from_unit(row) for row in rows]
    assert [type(v) for v in many[0].values()][:4] == [float, float, int, int]


def test_columns_hold_the_values_of_the_points():
    rows = np.random.default_rng(2).uniform(size=(40, MIXED.dims))
    columns = {name: column.tolist() for name, column in MIXED.columns(rows).items()}
    points = MIXED.from_unit_rows(rows)
    assert columns == {name: [x[name] for x in points] for name in columns}


def test_numbers_out_of_arrays_are_values_and_survive_json():
    space = Space([Ordinal("n", np.array([1, 2, 4])), Real("x", np.float32(0.0), np.float64(1.0))])
    assert space.to_unit({"n": np.int64(4), "x": np.float32(0.5)}).tolist() == [5 / 6, 0.5]
    assert Space.from_json(json.loads(json.dumps(space.to_json()))) == space


def test_choices_of_different_type_make_different_spaces():
    spaces = [Space([Categorical("c", c)]) for c in ((True, False), (1, 0), (1.0, 0.0))]
    assert len(set(spaces)) == 3
    assert Space([Categorical("c", (1, 2))]) != Space([Ordinal("c", (1, 2))])
    again = Space([Categorical("c", [True, False])])
    assert (again == spaces[0], hash(again) == hash(spaces[0])) == (True, True)


def test_spaces_written_before_conditions_existed_are_read():
    data = [
        {"kind": "real", "name": "width", "low": -1.0, "high": 3.0, "log": False},
        {"kind": "real", "name": "rate", "low": 1e-4, "high": 1e-1, "log": True},
        {"kind": "integer", "name": "layers", "low": 1, "high": 4, "log": False},
        {"kind": "integer", "name": "features", "low": 4, "high": 256, "log": True},
        {"kind": "categorical", "name": "readout", "choices": ["mlp", "qdi", None]},
    ]
    assert Space.from_json(data) == MIXED
    assert MIXED.to_json() == data
