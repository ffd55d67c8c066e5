import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Optimizer, Space
from tests.samo_cobra.bowls import (
    CORNER,
    PLANE,
    best_hypervolume,
    bowls,
    disc,
    free,
    off_front,
    optimise,
    run,
    run_constrained,
)


def places(optimizer):
    return {tuple(t.x.values()) for t in optimizer.trials}


def test_without_constraints_the_front_is_found():
    optimizer = run(15)
    assert optimizer.hypervolume() > 0.95 * best_hypervolume()
    assert np.median(off_front(optimizer.front().points)) < 0.02


def test_with_a_constraint_the_feasible_front_is_found():
    optimizer = run_constrained(20)
    assert all(disc(point) <= 0.0 for point in optimizer.front().points)
    assert len(optimizer.front().points) >= 10


def test_one_objective_is_minimised():
    optimizer = Optimizer(PLANE, 1)
    optimise(optimizer, lambda x: ([(x["x"] - 0.4) ** 2 + np.cosh(x["y"] - 0.3)],), 15)
    front = optimizer.front()
    assert front.objectives.shape == (1, 1)
    assert front.objectives[0, 0] < 1.0 + 1e-5


@pytest.mark.parametrize("k", [3, 4, pytest.param(5, marks=pytest.mark.slow)])
def test_many_objectives_are_balanced(k):
    centres = np.random.default_rng(0).uniform(size=(k, 2))

    def distances(x):
        return (((centres - [x["x"], x["y"]]) ** 2).sum(axis=1),)

    optimizer = optimise(Optimizer(PLANE, k), distances, 12)
    assert optimizer.front().objectives.shape[1] == k
    assert len(optimizer.front().points) >= 6
    assert all(record.gain > 0.0 for record in optimizer.records)


def test_a_constant_objective_leaves_the_other_to_be_minimised():
    optimizer = Optimizer(PLANE, 2)
    optimise(optimizer, lambda x: ([bowls(x)[0], 0.1],), 12)
    assert min(t.objectives[0] for t in optimizer.trials) < 0.01


def test_a_constant_satisfied_constraint_changes_nothing_much():
    optimizer = Optimizer(PLANE, 2, 1, reference_point=CORNER)
    optimise(optimizer, lambda x: (bowls(x), [-1.0]), 12)
    assert optimizer.hypervolume() > 0.9 * best_hypervolume()


def test_when_every_trial_is_infeasible_the_search_goes_on_with_an_empty_front():
    optimizer = Optimizer(PLANE, 2, 1)
    optimise(optimizer, lambda x: (bowls(x), [1.0 + x["x"]]), 10)
    assert len(places(optimizer)) == 10
    assert optimizer.front().ids == []
    assert optimizer.hypervolume() == 0.0
    # It looks where the violation is least.
    assert min(t.x["x"] for t in optimizer.trials) < 0.01


def test_from_infeasible_trials_the_search_leads_to_feasible_ones():
    def small_disc(x):
        return bowls(x), [(x["x"] - 0.8) ** 2 + (x["y"] - 0.2) ** 2 - 0.003]

    optimizer = optimise(Optimizer(PLANE, 2, 1, seed=3), small_disc, 3)
    assert not optimizer.front().points
    assert optimise(optimizer, small_disc, 9).front().points


def test_an_unattainable_reference_point_still_gives_a_front():
    """With a flat criterion the authors' code sampled blindly, without a warning."""
    optimizer = run(15, reference_point=[-1.0, -1.0])
    assert optimizer.hypervolume() == 0.0
    assert len(optimizer.front().points) >= 8


def test_duplicates_told_by_the_user_are_survived():
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER)
    for _ in range(5):
        optimizer.tell({"x": 0.5, "y": 0.5}, bowls({"x": 0.5, "y": 0.5}))
    optimise(optimizer, free, 10)
    assert optimizer.hypervolume() > 0.9 * best_hypervolume()


def test_duplicates_that_contradict_each_other_are_survived():
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER)
    for value in (0.4, 0.5, 0.6):
        optimizer.tell({"x": 0.5, "y": 0.5}, [value, value])
    optimise(optimizer, free, 10)
    assert optimizer.hypervolume() > 0.85 * best_hypervolume()


@pytest.mark.parametrize("place", [0, 4])
def test_absurdly_large_values_neither_stop_the_search_nor_its_saving(tmp_path, place):
    """The reference point of an absurd design is absurd, and gains in front of it overflow."""
    optimizer = Optimizer(PLANE, 2)
    for i in range(12):
        (point,) = optimizer.ask()
        optimizer.tell(point, [1e300, -1e300] if i == place else bowls(point.x))
    optimizer.save(tmp_path / "run.json")
    assert Optimizer.load(tmp_path / "run.json").ask() == optimizer.ask()
    assert len(optimizer.front().points) >= 6
    assert len(places(optimizer)) == 12


@pytest.mark.parametrize("outcome", [None, [np.inf, 0.0], [0.0, np.nan]])
def test_when_everything_fails_the_design_goes_on(outcome):
    optimizer = optimise(Optimizer(PLANE, 2), lambda _: (outcome,), 12)
    assert len(places(optimizer)) == 12
    assert optimizer.hypervolume() == 0.0
    assert optimizer.reference_point is None
    assert optimizer.front().points == []
    assert optimizer.records == ()


def test_a_discrete_space_is_exhausted_before_anything_repeats():
    space = Space([Integer("i", 0, 3), Categorical("c", ("a", "b", "c"))])
    optimizer = Optimizer(space, 2, reference_point=[10.0, 10.0])

    def evaluate(x):
        return ([x["i"] + "abc".index(x["c"]), 3.0 - x["i"]],)

    optimise(optimizer, evaluate, 12)
    assert len(places(optimizer)) == 12
    (again,) = optimizer.ask()
    assert tuple(again.x.values()) in places(optimizer)


def test_a_discrete_space_where_everything_fails_is_exhausted_without_repeats():
    space = Space([Integer("i", 0, 9), Integer("j", 0, 9)])
    optimizer = optimise(Optimizer(space, 2), lambda _: (None,), 100)
    assert len(places(optimizer)) == 100
