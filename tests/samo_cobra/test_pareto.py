import itertools

import numpy as np
import pytest

from samo_cobra import pareto


def grid_hypervolume(points, reference):
    """Counts unit cells below the reference that some integer point dominates."""
    cells = itertools.product(*(range(int(r)) for r in reference))
    return sum(
        any(all(p <= c for p, c in zip(q, cell, strict=True)) for q in points) for cell in cells
    )


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_hypervolume_equals_the_counted_cells(k):
    rng = np.random.default_rng(k)
    reference = np.full(k, 6.0)
    for n in (1, 3, 12, 40):
        points = rng.integers(0, 8, size=(n, k)).astype(float)
        expected = grid_hypervolume(points, reference)
        assert pareto.hypervolume(points, reference) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [2, 3])
def test_jitted_and_boxed_hypervolumes_agree_on_many_points(k):
    points = np.abs(np.random.default_rng(0).normal(size=(150, k)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    reference = np.full(k, 1.2)
    lower, upper = pareto.dominated_boxes(points, reference)
    boxed = np.sum(np.prod(upper - lower, axis=1))
    assert pareto.hypervolume(points, reference) == pytest.approx(boxed, rel=1e-12)


def test_hypervolume_of_a_linear_front_is_the_analytic_one():
    f1 = np.linspace(0.0, 1.0, 101)
    value = pareto.hypervolume(np.stack([f1, 1.0 - f1], axis=1), np.array([1.0, 1.0]))
    # A staircase of 100 steps below a triangle of area 1/2.
    assert value == pytest.approx(0.5 - 0.5 / 100)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_boxes_give_the_exact_gain_of_a_new_point(k):
    rng = np.random.default_rng(k)
    reference = np.ones(k)
    points = rng.uniform(size=(20, k))
    lower, upper = pareto.non_dominated_boxes(points, reference)
    for v in rng.uniform(-0.2, 1.2, size=(40, k)):
        gain = np.sum(np.prod(np.maximum(upper - np.maximum(v, lower), 0.0), axis=1))
        after = pareto.hypervolume(np.vstack([points, v]), reference)
        assert gain == pytest.approx(after - pareto.hypervolume(points, reference), abs=1e-12)


def test_points_on_or_beyond_the_reference_add_nothing():
    points = np.array([[3.0, 0.0], [-5.0, 4.0], [1.0, 1.0]])
    assert pareto.hypervolume(points, np.array([3.0, 3.0])) == pytest.approx(4.0)
    assert pareto.hypervolume(points[:2], np.array([3.0, 3.0])) == 0.0
    assert pareto.hypervolume(np.zeros((0, 2)), np.array([3.0, 3.0])) == 0.0


def test_of_equal_points_one_stays_on_the_front():
    values = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])
    assert pareto.non_dominated(values).tolist() == [True, False, True, False]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"\(points, 2\)"):
        pareto.hypervolume(np.zeros((3, 3)), np.ones(2))
    with pytest.raises(ValueError, match="NaN"):
        pareto.hypervolume(np.array([[np.nan, 0.0]]), np.ones(2))
