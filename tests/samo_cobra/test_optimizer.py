import json

import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Optimizer, Real, Space, criterion, surrogates
from samo_cobra.benchmark import run
from samo_cobra.problems import get

PLANE = Space([Real("x", 0.0, 5.0), Real("y", 0.0, 3.0)])


def optimise(optimizer, evaluate, n):
    for _ in range(n):
        (point,) = optimizer.ask()
        optimizer.tell(point, *evaluate(point.x))
    return optimizer


def bnh(seed=0, n=8):
    problem = get("BNH")
    optimizer = Optimizer(problem.space, 2, 2, reference_point=problem.reference_point, seed=seed)
    return optimise(optimizer, problem.evaluate, n)


def two_bowls(x):
    return [x["x"] ** 2 + x["y"] ** 2, (x["x"] - 5.0) ** 2 + (x["y"] - 3.0) ** 2]


def test_the_first_points_are_the_scrambled_design_of_the_seed():
    first, same, other = (Optimizer(PLANE, 2, seed=s).ask(3) for s in (1, 1, 2))
    assert first == same
    assert first != other


def test_infill_beats_random_search_by_far():
    problem = get("BNH")
    rng = np.random.default_rng(0)
    random = Optimizer(problem.space, 2, 2, reference_point=problem.reference_point)
    for u in rng.uniform(size=(100, 2)):
        x = problem.space.from_unit(u)
        random.tell(x, *problem.evaluate(x))
    assert bnh(n=25).hypervolume() > random.hypervolume()


@pytest.mark.parametrize(("name", "seed"), [("BNH", 0), ("TNK", 1)])
def test_published_hypervolumes_are_reached(name, seed):
    problem = get(name)
    curve = run(problem, problem.budget, seed)
    assert curve[-1] > 0.995 * problem.published_hypervolume


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BNH", "TNK", "ZDT1"])
def test_the_median_of_five_seeds_is_within_half_a_percent_of_the_published_one(name):
    problem = get(name)
    finals = [run(problem, problem.budget, seed)[-1] for seed in range(5)]
    assert np.median(finals) > 0.995 * problem.published_hypervolume


def test_a_new_point_within_a_bucket_compiles_nothing():
    jitted = [surrogates.fit, surrogates.predict_all, criterion.score, criterion.refine]
    optimizer = bnh(n=6)
    before = [f._cache_size() for f in jitted]
    optimise(optimizer, get("BNH").evaluate, 26)
    assert [f._cache_size() for f in jitted] == before
    # The 34th point needs arrays of the next size: one more of each.
    optimise(optimizer, get("BNH").evaluate, 3)
    assert all(f._cache_size() <= b + 1 for f, b in zip(jitted, before, strict=True))


def test_suggestions_do_not_depend_on_the_x64_switch(x64):
    import jax

    with_x64 = bnh(n=8).ask()
    jax.config.update("jax_enable_x64", False)
    assert bnh(n=8).ask() == with_x64
    assert not jax.config.jax_enable_x64


def test_a_saved_optimiser_makes_the_same_next_suggestion(tmp_path):
    optimizer = bnh(n=9)
    optimizer.tell({"x1": 1.0, "x2": 1.0}, [np.nan, 0.0], [0.0, 0.0])
    optimizer.save(tmp_path / "run.json")
    loaded = Optimizer.load(tmp_path / "run.json")
    assert loaded.trials == optimizer.trials
    assert loaded.ask(2) == optimizer.ask(2)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_an_optimiser_rebuilt_by_tell_makes_the_same_next_suggestion():
    optimizer = bnh(n=9)
    problem = get("BNH")
    rebuilt = Optimizer(problem.space, 2, 2, reference_point=problem.reference_point)
    for trial in optimizer.trials:
        rebuilt.tell(trial.x, trial.objectives, trial.constraints)
    assert rebuilt.ask() == optimizer.ask()


def test_suggesting_for_others_changes_nothing():
    optimizer = bnh(n=9)
    first = optimizer.suggest(9)
    optimizer.suggest(11, pending=[{"x1": 2.0, "x2": 1.0}])
    assert optimizer.suggest(9) == first
    assert optimizer.ask()[0].x == first


def test_a_batch_spreads_out():
    optimizer = bnh(n=10)
    batch = np.array([[p.x["x1"], p.x["x2"]] for p in optimizer.ask(5)])
    gaps = np.linalg.norm(batch[:, None] - batch[None], axis=2)[np.triu_indices(5, 1)]
    assert gaps.min() > 0.05


def test_pending_points_are_not_suggested_again():
    optimizer = bnh(n=10)
    batch = bnh(n=10).ask(2)
    (first,), (second,) = optimizer.ask(), optimizer.ask()
    assert abs(first.x["x1"] - second.x["x1"]) + abs(first.x["x2"] - second.x["x2"]) > 0.05
    assert batch == [first, second]
    assert optimizer.pending == (first, second)


def test_outcomes_may_come_in_any_order_and_by_id():
    optimizer = bnh(n=10)
    first, second = optimizer.ask(2)
    optimizer.tell(second.id, *get("BNH").evaluate(second.x))
    assert optimizer.pending == (first,)
    assert optimizer.tell(first, *get("BNH").evaluate(first.x)).id == first.id
    assert optimizer.pending == ()


def test_a_forgotten_suggestion_is_as_if_never_made():
    optimizer = bnh(n=10)
    (first,) = optimizer.ask()
    optimizer.forget(first)
    assert optimizer.pending == ()
    with pytest.raises(ValueError, match="trial 10 is not pending"):
        optimizer.tell(first, [1.0, 1.0], [0.0, 0.0])


def test_failures_are_avoided_and_poison_nothing():
    """A NaN in one evaluation ruined every later surrogate of the authors' code."""
    problem = get("BNH")
    optimizer = Optimizer(problem.space, 2, 2, reference_point=problem.reference_point)
    fails = 0
    for _ in range(25):
        (point,) = optimizer.ask()
        # A third of the plane fails, on the side where the front is.
        if point.x["x1"] < 1.0:
            optimizer.tell(point, [np.nan, 1.0], [0.0, 0.0])
            fails += 1
        else:
            optimizer.tell(point, *problem.evaluate(point.x))
    assert 0 < fails < 12
    assert np.isfinite(optimizer.front().objectives).all()
    assert len(optimizer.front().points) > 10


@pytest.mark.parametrize("outcome", [None, [np.inf, 0.0], [0.0, np.nan]])
def test_when_everything_fails_the_design_goes_on(outcome):
    optimizer = Optimizer(PLANE, 2)
    for _ in range(12):
        (x,) = optimizer.ask()
        optimizer.tell(x, outcome)
    places = {tuple(t.x.values()) for t in optimizer.trials}
    assert len(places) == 12
    assert optimizer.hypervolume() == 0.0
    assert optimizer.front().points == []


def test_one_objective_is_minimised():
    optimizer = Optimizer(PLANE, 1, reference_point=[50.0])
    optimise(optimizer, lambda x: ([(x["x"] - 2.0) ** 2 + np.cosh(x["y"] - 1.0)],), 18)
    front = optimizer.front()
    assert front.objectives.shape == (1, 1)
    assert front.objectives[0, 0] < 1.0 + 1e-6


def test_three_objectives_and_no_reference_point_work():
    optimizer = Optimizer(PLANE, 3)
    optimise(optimizer, lambda x: ([*two_bowls(x), abs(x["x"] - x["y"])],), 14)
    assert optimizer.hypervolume() > 0.0
    assert len(optimizer.front().points) > 8


def test_the_automatic_reference_point_stays_once_the_design_is_told():
    optimizer = optimise(Optimizer(PLANE, 2), lambda x: (two_bowls(x),), 3)
    fixed = optimizer.reference_point
    worst = np.max([t.objectives for t in optimizer.trials], axis=0)
    assert np.all(fixed > worst)
    optimise(optimizer, lambda x: (two_bowls(x),), 3)
    np.testing.assert_array_equal(optimizer.reference_point, fixed)


def test_a_history_without_a_feasible_point_leads_towards_feasibility():
    optimizer = Optimizer(PLANE, 2, 1, reference_point=[40.0, 40.0], seed=3)

    def evaluate(x):
        # Feasible in a disc of radius 0.3, 0.6 % of the plane.
        return two_bowls(x), [(x["x"] - 4.0) ** 2 + (x["y"] - 0.5) ** 2 - 0.09]

    optimise(optimizer, evaluate, 3)
    assert not optimizer.front().points
    optimise(optimizer, evaluate, 9)
    assert optimizer.front().points


def test_an_unattainable_reference_point_still_gives_a_front():
    """With a flat criterion the authors' code sampled blindly, without a warning."""
    optimizer = Optimizer(PLANE, 2, reference_point=[-1.0, -1.0])
    optimise(optimizer, lambda x: (two_bowls(x),), 15)
    assert optimizer.hypervolume() == 0.0
    assert len(optimizer.front().points) >= 8


def test_constant_outputs_and_duplicates_are_survived():
    optimizer = Optimizer(PLANE, 2, 1, reference_point=[50.0, 5.0])
    for _ in range(3):
        optimizer.tell({"x": 1.0, "y": 1.0}, [2.0, 1.0], [-1.0])
    optimise(optimizer, lambda x: ([two_bowls(x)[0], 1.0], [-1.0]), 8)
    assert min(t.objectives[0] for t in optimizer.trials) < 0.1


def test_a_discrete_space_is_exhausted_before_anything_repeats():
    space = Space([Integer("i", 0, 3), Categorical("c", ("a", "b", "c"))])
    optimizer = Optimizer(space, 2, reference_point=[10.0, 10.0])

    def evaluate(x):
        return ([x["i"] + "abc".index(x["c"]), 3.0 - x["i"]],)

    optimise(optimizer, evaluate, 12)
    assert len({(t.x["i"], t.x["c"]) for t in optimizer.trials}) == 12
    (again,) = optimizer.ask()
    assert space.to_unit(again.x).shape == (4,)


def test_a_discrete_space_where_everything_fails_is_exhausted_without_repeats():
    space = Space([Integer("i", 0, 9), Integer("j", 0, 9)])
    optimizer = Optimizer(space, 2)
    for _ in range(100):
        (x,) = optimizer.ask()
        optimizer.tell(x)
    assert len({tuple(t.x.values()) for t in optimizer.trials}) == 100


def test_an_absurdly_large_value_does_not_stop_the_search():
    optimizer = Optimizer(PLANE, 2, reference_point=[50.0, 50.0])
    optimizer.tell({"x": 4.9, "y": 2.9}, [1e300, 1e300])
    optimise(optimizer, lambda x: (two_bowls(x),), 12)
    assert len(optimizer.front().points) >= 8


def test_mixed_spaces_are_searched_in_all_their_parameters():
    space = Space([Real("x", -1.0, 1.0), Integer("n", 1, 20), Categorical("c", ("u", "v"))])
    optimizer = Optimizer(space, 1, reference_point=[1e3], seed=1)

    def evaluate(x):
        offset = 0.0 if x["c"] == "v" else 3.0
        return ([(x["x"] - 0.3) ** 2 + 0.1 * (x["n"] - 7) ** 2 + offset],)

    optimise(optimizer, evaluate, 25)
    best = optimizer.front()
    assert best.points[0]["n"] == 7
    assert best.points[0]["c"] == "v"
    assert best.objectives[0, 0] < 1e-3


def test_json_is_plain_data():
    optimizer = bnh(n=7)
    optimizer.tell({"x1": np.float64(1.0), "x2": np.int64(2)}, np.ones(2), np.zeros(2))
    data = optimizer.to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Optimizer(PLANE, 0), "n_objectives >= 1"),
        (lambda: Optimizer(PLANE, 2, reference_point=[1.0]), "2 finite numbers"),
        (lambda: Optimizer(PLANE, 2, initial_points=0), "at least 1"),
        (lambda: Optimizer(PLANE, 2, seed=-1), "seed"),
        (lambda: Optimizer(PLANE, 2).ask(0), "at least 1"),
        (lambda: Optimizer(PLANE, 2).tell({"x": 1.0, "y": 1.0}, [1.0]), "expected 2 objectives"),
        (lambda: Optimizer(PLANE, 2, 1).tell({"x": 1.0, "y": 1.0}, [1.0, 1.0]), "1 constraints"),
        (lambda: Optimizer(PLANE, 2).tell({"x": 9.0, "y": 1.0}, [1.0, 1.0]), "got 9.0"),
        (lambda: Optimizer.from_json({"format": 99}), "got 99"),
    ],
)
def test_mistakes_are_named(act, message):
    with pytest.raises(ValueError, match=message):
        act()
