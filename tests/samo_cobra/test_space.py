import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Real, Space

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
        (lambda: Space.from_json([{"kind": "complex", "name": "x"}]), "complex"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
