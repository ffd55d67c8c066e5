import jax
import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import Optimizer, feasibility, hypervolume
from samo_cobra.history import History
from tests.samo_cobra.bowls import CORNER, PLANE, best_hypervolume, bowls


def search(n, fails, seed=0):
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER, seed=seed)
    for i in range(n):
        (point,) = optimizer.ask()
        optimizer.tell(point, None if fails(i, point.x) else bowls(point.x))
    return optimizer


def best_beyond_a_third():
    """Hypervolume of the front where x >= 1/3: the rest of the diagonal, and the border below."""
    t, y = np.linspace(1.0 / 3.0, 1.0, 300), np.linspace(0.0, 1.0 / 3.0, 300)
    points = np.concatenate([np.stack([t, t], axis=1), np.stack([np.full(300, 1 / 3), y], axis=1)])
    front = np.stack([np.sum(points**2, axis=1), np.sum((points - 1.0) ** 2, axis=1)], axis=1)
    return hypervolume(front, np.array(CORNER))


def test_without_failures_there_is_no_model():
    assert feasibility.fit(np.zeros((3, 2)), np.zeros((0, 2))) is None


def test_the_risk_is_positive_among_failures_and_negative_far_from_all_data(x64):
    rng = np.random.default_rng(0)
    z = rng.uniform(-1.0, 1.0, size=(40, 2))
    broken = z[:, 0] > 0.3
    model = feasibility.fit(z[~broken], z[broken])
    places = jnp.array([[0.8, 0.0], [-0.5, 0.0], [9.0, 9.0]])
    risk, _ = feasibility.excess_risk(model, places)
    assert risk[0] > 0.0
    assert risk[1] < -0.2
    assert risk[2] == pytest.approx(-0.3)


def test_the_slope_of_the_risk_is_its_derivative(x64):
    rng = np.random.default_rng(1)
    z = rng.uniform(-1.0, 1.0, size=(12, 2))
    model = feasibility.fit(z[:8], z[8:])
    place = jnp.array([0.2, -0.1])
    derived = jax.grad(lambda p: feasibility.excess_risk(model, p[None])[0][0])(place)
    np.testing.assert_allclose(feasibility.excess_risk(model, place[None])[1][0], derived)


def test_where_a_third_of_the_space_fails_few_suggestions_do():
    optimizer = search(30, lambda _, x: x["x"] < 1.0 / 3.0)
    failed = [t.failed for t in optimizer.trials]
    assert sum(failed[:8]) > 0
    assert sum(failed[8:]) <= 4
    assert min(p["x"] for p in optimizer.front().points) < 0.4
    assert optimizer.hypervolume() > 0.95 * best_beyond_a_third()


def test_random_failures_do_not_close_off_the_front():
    rng = np.random.default_rng(0)
    dice = rng.uniform(size=30) < 0.1
    optimizer = search(30, lambda i, _: dice[i])
    assert sum(dice) > 0
    assert optimizer.hypervolume() > 0.95 * best_hypervolume()
    along = np.sort([p["x"] + p["y"] for p in optimizer.front().points])
    assert np.diff(along).max() < 0.5


def test_a_failure_never_bars_the_way_to_its_nearest_success():
    history = History(
        z=np.array([[0.0, 0.0]]),
        objectives=np.zeros((1, 2)),
        constraints=np.zeros((1, 0)),
        eligible=np.ones(1, bool),
        partial_z=np.zeros((0, 2)),
        partial=np.zeros((0, 2)),
        partial_eligible=np.zeros(0, bool),
        failed=np.array([[0.1, 0.0], [1.0, 1.0]]),
    )
    own, near, far = history.clearances()
    assert own == 2e-4
    assert near < 0.1
    assert far < 0.5
