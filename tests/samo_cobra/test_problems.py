import math

import numpy as np
import pytest
from scipy.stats import qmc

from samo_cobra import problems
from samo_cobra.pareto import hypervolume
from samo_cobra.problems import standard


def at(name, *values):
    problem = problems.get(name)
    return problem.evaluate({f"x{i}": v for i, v in enumerate(values, start=1)})


def feasible_hypervolume(problem, points):
    outcomes = [problem.evaluate(x) for x in points]
    feasible = [f for f, g in outcomes if np.all(g <= 0)]
    objectives = np.array(feasible).reshape(-1, problem.n_objectives)
    return hypervolume(objectives, np.array(problem.reference_point))


@pytest.mark.parametrize("name", problems.names())
def test_every_problem_returns_what_it_declares(name):
    problem = problems.get(name)
    for u in np.random.default_rng(0).uniform(size=(20, problem.space.dims)):
        objectives, constraints = problem.evaluate(problem.space.from_unit(u))
        assert objectives.shape == (problem.n_objectives,)
        assert constraints.shape == (problem.n_constraints,)
        assert np.isfinite(objectives).all()
        assert np.isfinite(constraints).all()


@pytest.mark.parametrize("name", problems.published_names())
def test_the_authors_design_has_the_hypervolumes_that_they_stored(name):
    """Formulas, bounds, constraints and reference point in one number after each point."""
    problem = problems.get(name)
    stored = problem.results.design_hypervolumes
    halton = qmc.Halton(problem.space.dims, scramble=False).random(len(stored) + 1)[1:]
    points = [problem.space.from_unit(u) for u in halton]
    ours = [feasible_hypervolume(problem, points[: n + 1]) for n in range(len(points))]
    np.testing.assert_allclose(ours, stored, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", problems.published_names())
def test_published_results_are_ordered(name):
    problem = problems.get(name)
    results = problem.results
    low, high = results.range
    assert low <= problem.published_hypervolume <= high
    assert problem.best_known_hypervolume is None or high < problem.best_known_hypervolume
    assert sorted(results.hypervolumes) == [1, 2, 3, 4, 5, 6, 10, 20]
    needed = [problem.published_evaluations(share) for share in (0.9, 0.95, 0.99, 0.999)]
    assert needed == sorted(needed)
    assert needed[2] <= problem.budget == 40 * problem.space.dims


def test_unpublished_numbers_are_none_and_unreached_ones_infinite():
    assert problems.get("ZDT3").published_hypervolume is None
    assert problems.get("BNH").published_median(7) is None
    assert problems.get("ZDT1").published_evaluations() is None
    assert problems.get("C3DTLZ4").results.evaluations_samo[0.99] == math.inf
    assert problems.get("CSI").results.cpu_seconds == {140: 4.6}


def test_known_optima_have_their_known_values():
    objectives, constraints = at("OSY", 5, 1, 5, 0, 5, 0)
    np.testing.assert_allclose(objectives, [-274.0, 76.0])
    assert np.all(constraints <= 0.0)
    np.testing.assert_allclose(at("ZDT1", 0.25, *[0.0] * 9)[0], [0.25, 0.5])
    np.testing.assert_allclose(at("ZDT2", 0.5, *[0.0] * 9)[0], [0.5, 0.75])
    np.testing.assert_allclose(at("ZDT3", 0.25, *[0.0] * 9)[0], [0.25, 0.25], atol=1e-12)
    np.testing.assert_allclose(at("TNK", 1.0, 1.0)[1], [1.1 - 2, 0.0], atol=1e-12)
    np.testing.assert_allclose(at("SRN", -2.5, 2.5)[0], [24.5, -24.75])
    np.testing.assert_allclose(at("BICOP1", 0.25, *[0.0] * 9)[0], [0.25, 0.5])
    np.testing.assert_allclose(at("TRICOP", 0.0, 0.0)[0], [5 + 1 / 13, 9 / 175 - 13, 17 + 1 / 27])
    np.testing.assert_allclose(at("CEXP", 0.5, 1.5), [[0.5, 5.0], [0.0, -2.0]])


def test_engineering_designs_of_the_literature_have_their_published_values():
    # Deb's lightest welded beam and Golinski's lightest speed reducer.
    (cost, _), constraints = at("WB-standard", 0.2444, 6.2175, 8.2915, 0.2444)
    assert cost == pytest.approx(2.381, abs=2e-3)
    np.testing.assert_allclose(constraints[[0, 1, 4]], 0, atol=5)
    assert np.all(constraints[2:4] <= 0)
    # Coello's coding has a lighter optimum.
    (cost, _), constraints = at("WB", 0.2057, 3.4705, 9.0366, 0.2057)
    assert cost == pytest.approx(1.7248, abs=2e-3)
    np.testing.assert_allclose(constraints[[0, 1]], 0, atol=5)
    (weight, stress), constraints = at(
        "SRD-standard", 3.5, 0.7, 17, 7.3, 7.715320, 3.350215, 5.286655
    )
    assert weight == pytest.approx(2994.47, abs=0.5)
    assert stress == pytest.approx(1100, abs=0.1)  # the limit of the lightest one
    assert constraints[10] == pytest.approx(850 - 1100, abs=0.1)
    assert np.all(constraints[:9] <= [0, 0, 0, 0, 0, 0, 1e-9, 1e-3, 1e-3])


@pytest.mark.parametrize("angle", [0.0, 0.2, 0.25 * math.pi, 0.5 * math.pi])
def test_fronts_of_dtlz_lie_on_the_unit_sphere(angle):
    share = angle / (0.5 * math.pi)
    on_sphere, _ = at("DTLZ2", share, 0.3, *[0.5] * 5)
    assert np.sum(on_sphere**2) == pytest.approx(1.0)
    on_circle, (constraint,) = at("C2DTLZ2", share, *[0.5] * 6)
    np.testing.assert_allclose(on_circle, [math.cos(angle), math.sin(angle)], atol=1e-12)
    reach = 2 * math.asin(0.1)
    near = min(abs(angle - middle) for middle in (0.0, 0.25 * math.pi, 0.5 * math.pi)) <= reach
    assert (constraint <= 0) == near


def front(name):
    """Points of the known front, dense."""
    t = np.linspace(0.0, 1.0, 2_001)
    if name == "BNH-standard":
        return np.concatenate([np.outer(3 * t, [1, 1]), np.stack([3 + 2 * t, 3 + 0 * t], 1)])
    if name == "C2DTLZ2":
        return np.concatenate([t[:, None], np.full((len(t), 6), 0.5)], axis=1)
    return np.concatenate([t[:, None], np.zeros((len(t), 9))], axis=1)


@pytest.mark.parametrize("name", ["ZDT1", "ZDT2", "ZDT3", "C2DTLZ2", "BNH-standard"])
def test_known_fronts_have_the_best_known_hypervolume(name):
    problem = problems.get(name)
    outcomes = [problem.function(x) for x in front(name)]
    feasible = np.array([f for f, g in outcomes if all(v <= 0 for v in g)])
    found = hypervolume(feasible, np.array(problem.reference_point))
    assert found == pytest.approx(problem.best_known_hypervolume, rel=1e-3)
    assert found < problem.best_known_hypervolume + 1e-9


def test_standard_forms_deviate_where_they_say():
    np.testing.assert_allclose(at("BNH", 1, 2)[0], at("BNH-standard", 1, 2)[0])
    assert at("BNH", 1, 2)[1][0] == 16 + 2 - 25
    assert at("BNH-standard", 1, 2)[1][0] == 16 + 4 - 25
    np.testing.assert_allclose(at("C3DTLZ4-standard", 1, *[0.5] * 5)[0], [0, 1], atol=1e-12)
    assert at("BICOP2-standard", 0, *[0.1] * 9)[0][0] == pytest.approx(0.09)
    assert at("BICOP2", 0, *[0.1] * 9)[0][0] == pytest.approx(0.81)
    _, (volume, ac, bc) = at("TBTD-standard", 2.0, 0.01, 0.01)
    assert at("TBTD-standard", 2.0, 0.01, 0.01)[0][1] == pytest.approx(max(ac, bc) + 1e5)
    assert volume < 0
    assert at("WP-standard", 0.1, 0.05, 0.05)[0][2] == pytest.approx(
        305700 * 2289 * 0.05 / (0.06 * 2289) ** 0.65
    )


def test_the_speed_reducer_has_whole_teeth_in_its_standard_form():
    point = problems.get("SRD-standard").space.from_unit(np.full(7, 0.33))
    assert isinstance(point["x3"], int)


def test_the_arcs_of_c2dtlz2_join_to_a_quarter_circle():
    # Arcs that reach 22.5 degrees leave no gap.
    radius = 2 * math.sin(math.pi / 16)
    assert standard.c2dtlz2_hypervolume(1.1, radius) == pytest.approx(1.21 - math.pi / 4)


def test_every_name_is_in_one_group():
    assert problems.names() == problems.published_names() + problems.standard_names()
    assert len(set(problems.names())) == len(problems.names())
    assert len(problems.published_names()) == 18


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match="'ZDT9'"):
        problems.get("ZDT9")
