import numpy as np
import pytest

from samo_cobra import problems


@pytest.mark.parametrize("name", problems.names())
def test_every_problem_returns_what_it_declares(name):
    problem = problems.get(name)
    for u in np.random.default_rng(0).uniform(size=(20, problem.space.dims)):
        objectives, constraints = problem.evaluate(problem.space.from_unit(u))
        assert objectives.shape == (problem.n_objectives,)
        assert constraints.shape == (problem.n_constraints,)
        assert np.isfinite(objectives).all()
        assert np.isfinite(constraints).all()


def test_known_optima_have_their_known_values():
    osy = problems.get("OSY").evaluate({"x1": 5, "x2": 1, "x3": 5, "x4": 0, "x5": 5, "x6": 0})
    np.testing.assert_allclose(osy[0], [-274.0, 76.0])
    assert np.all(osy[1] <= 0.0)
    zdt1 = problems.get("ZDT1").evaluate({f"x{i}": 0.25 * (i == 1) for i in range(1, 11)})
    np.testing.assert_allclose(zdt1[0], [0.25, 0.5])
    tnk = problems.get("TNK").evaluate({"x1": 1.0, "x2": 1.0})
    np.testing.assert_allclose(tnk[1], [1 + 0.1 * np.cos(4 * np.pi) - 2, 0.0], atol=1e-12)


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match="'ZDT9'"):
        problems.get("ZDT9")
