import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Optimizer, Real, Space
from samo_cobra.benchmark import run as run_benchmark
from samo_cobra.problems import get
from tests.samo_cobra.bowls import CORNER, PLANE, bowls, free, optimise, run


def test_the_first_points_are_the_scrambled_design_of_the_seed():
    first, same, other = (Optimizer(PLANE, 2, seed=s).ask(3) for s in (1, 1, 2))
    assert first == same
    assert first != other


def test_infill_beats_random_search_by_far():
    rng = np.random.default_rng(0)
    random = Optimizer(PLANE, 2, reference_point=CORNER)
    for u in rng.uniform(size=(100, 2)):
        x = PLANE.from_unit(u)
        random.tell(x, bowls(x))
    assert run(25).hypervolume() > random.hypervolume()


@pytest.mark.parametrize(("name", "seed"), [("BNH", 0), ("TNK", 1)])
def test_published_hypervolumes_are_reached(name, seed):
    problem = get(name)
    curve = run_benchmark(problem, problem.budget, seed)
    assert curve[-1] > 0.995 * problem.published_hypervolume


def test_no_batch_of_the_benchmark_reaches_beyond_the_design():
    sizes = []
    curve = run_benchmark(get("BNH"), 14, seed=0, batch=5, callback=lambda n, _: sizes.append(n))
    assert sizes == [3, 5, 5, 1]
    assert len(curve) == 14


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BNH", "TNK", "ZDT1"])
def test_the_median_of_five_seeds_is_within_half_a_percent_of_the_published_one(name):
    problem = get(name)
    finals = [run_benchmark(problem, problem.budget, seed)[-1] for seed in range(5)]
    assert np.median(finals) > 0.995 * problem.published_hypervolume


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


# Directions


def test_maximising_is_minimising_the_negative():
    plain = Optimizer(PLANE, 2)
    mirrored = Optimizer(PLANE, 2, directions=["maximize", "minimize"])
    for _ in range(8):
        (one,), (two,) = plain.ask(), mirrored.ask()
        assert one == two
        first, second = bowls(one.x)
        plain.tell(one, [first, second])
        mirrored.tell(two, [-first, second])
    signs = np.array([-1.0, 1.0])
    np.testing.assert_array_equal(mirrored.reference_point, signs * plain.reference_point)
    assert mirrored.hypervolume() == plain.hypervolume()
    assert mirrored.front().ids == plain.front().ids
    np.testing.assert_array_equal(mirrored.front().objectives, signs * plain.front().objectives)
    for one, two in zip(plain.records, mirrored.records, strict=True):
        assert two.predicted == tuple(signs * one.predicted)
        assert two.reference_point == tuple(signs * one.reference_point)
        assert two.gain == one.gain


def test_the_given_reference_point_is_in_the_signs_of_the_user():
    optimizer = Optimizer(PLANE, 2, directions=["maximize"] * 2, reference_point=[1.0, 2.0])
    optimizer.tell({"x": 0.5, "y": 0.5}, [3.0, 5.0])
    optimizer.tell({"x": 0.6, "y": 0.5}, [9.0, 1.0])
    assert optimizer.hypervolume() == pytest.approx(6.0)
    np.testing.assert_array_equal(optimizer.reference_point, [1.0, 2.0])


# The automatic reference point


def told(*objectives, **options):
    optimizer = Optimizer(PLANE, 2, **options)
    for i, row in enumerate(objectives):
        optimizer.tell({"x": 0.05 * i, "y": 0.5}, row)
    return optimizer


DESIGN = ([1.0, 4.0], [3.0, 2.0], [2.0, 3.0])


def test_the_automatic_reference_point_is_the_worst_of_the_design_and_a_tenth():
    np.testing.assert_allclose(told(*DESIGN).reference_point, [3.2, 4.2])


def test_dominated_points_do_not_move_it_once_the_design_is_told():
    np.testing.assert_allclose(told(*DESIGN, [9.0, 9.0]).reference_point, [3.2, 4.2])


def test_it_grows_where_the_front_reaches_further_and_never_shrinks():
    further = [*DESIGN, [0.5, 6.0]]
    np.testing.assert_allclose(told(*further).reference_point, [3.2, 6.2])
    # The point that moved it is dominated now.
    np.testing.assert_allclose(told(*further, [0.4, 1.0]).reference_point, [3.2, 6.2])


def test_infeasible_points_do_not_move_it():
    optimizer = Optimizer(PLANE, 2, 1)
    for i, row in enumerate([*DESIGN, [0.5, 6.0]]):
        optimizer.tell({"x": 0.05 * i, "y": 0.5}, row, [i - 2.5])
    np.testing.assert_allclose(optimizer.reference_point, [3.2, 4.2])


def test_every_record_holds_the_reference_point_of_its_moment():
    optimizer = optimise(Optimizer(PLANE, 2), free, 3)
    for _ in range(4):
        before = optimizer.reference_point
        (point,) = optimizer.ask()
        assert optimizer.records[-1].reference_point == tuple(before)
        optimizer.tell(point, bowls(point.x))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Optimizer(PLANE, 0), "n_objectives >= 1"),
        (lambda: Optimizer(PLANE, 2, reference_point=[1.0]), "2 finite numbers"),
        (lambda: Optimizer(PLANE, 2, directions=["minimize"]), "2 of 'minimize' or 'maximize'"),
        (lambda: Optimizer(PLANE, 1, directions=["min"]), "1 of 'minimize' or 'maximize'"),
        (lambda: Optimizer(PLANE, 2, initial_points=0), "at least 1"),
        (lambda: Optimizer(PLANE, 2, seed=-1), "seed"),
        (lambda: Optimizer(PLANE, 2, inexpensive_objectives={2: free}), "places 0 to 1"),
        (lambda: Optimizer(PLANE, 2, inexpensive_objectives={0: 1.0}), "functions at places"),
        (lambda: Optimizer(PLANE, 2).ask(0), "at least 1"),
        (lambda: Optimizer(PLANE, 2).suggest(-1), "negative"),
        (lambda: Optimizer(PLANE, 2).tell({"x": 1.0, "y": 1.0}, [1.0]), "expected 2 objectives"),
        (lambda: Optimizer(PLANE, 2, 1).tell({"x": 1.0, "y": 1.0}, [1.0, 1.0]), "1 constraints"),
        (lambda: Optimizer(PLANE, 2).tell({"x": 9.0, "y": 1.0}, [1.0, 1.0]), "got 9.0"),
    ],
)
def test_mistakes_are_named(act, message):
    with pytest.raises(ValueError, match=message):
        act()
