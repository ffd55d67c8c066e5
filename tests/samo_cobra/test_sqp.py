import jax.numpy as jnp
import numpy as np

from samo_cobra import sqp

FREE = jnp.ones((4, 2), bool)


def hs_problem(z):
    """Rosenbrock valley with a disc and a line as constraints."""
    x, y = z[:, 0], z[:, 1]
    value = 5.0 * (y - x**2) ** 2 + (1.0 - x) ** 2
    gradient = jnp.stack([-20.0 * x * (y - x**2) - 2.0 * (1.0 - x), 10.0 * (y - x**2)], axis=1)
    constraints = jnp.stack([x**2 + y**2 - 0.5, x - y], axis=1)
    jacobian = jnp.stack(
        [jnp.stack([2.0 * x, 2.0 * y], axis=1), jnp.stack([1.0 + 0 * x, -1.0 + 0 * y], axis=1)],
        axis=1,
    )
    return sqp.Evaluation(value, gradient, constraints, jacobian)


def test_qp_finds_the_corner_of_active_constraints(x64):
    step, multipliers = sqp.solve_qp(
        jnp.array([1.0, 1.0]),
        jnp.eye(2),
        jnp.array([0.5]),
        jnp.array([[-1.0, 0.0]]),
        jnp.array([-1.0, -0.25]),
        jnp.array([1.0, 1.0]),
    )
    # Unconstrained (-1, -1); the constraint asks for p1 >= 0.5, the box for p2 >= -0.25.
    np.testing.assert_allclose(step, [0.5, -0.25], atol=1e-5)
    np.testing.assert_allclose(multipliers, [1.5], atol=1e-4)


def test_an_infeasible_qp_takes_the_step_of_least_violation(x64):
    step, _ = sqp.solve_qp(
        jnp.array([1.0]),
        jnp.eye(1),
        jnp.array([5.0]),
        jnp.array([[-1.0]]),
        jnp.array([-1.0]),
        jnp.array([1.0]),
    )
    np.testing.assert_allclose(step, [1.0], atol=1e-4)


def test_all_starts_reach_the_constrained_minimum(x64):
    starts = jnp.array([[-0.9, -0.9], [0.9, 0.9], [-0.5, 0.8], [0.0, 0.0]])
    end = sqp.minimise(hs_problem, starts, FREE, n_constraints=2, n_steps=40)
    # The minimum sits where disc and line meet, at x = y = 1/2.
    np.testing.assert_allclose(end.z, np.full((4, 2), 0.5), atol=1e-3)
    assert np.all(end.at.constraints < 1e-6)
    assert int(end.steps) < 40


def test_frozen_axes_do_not_move(x64):
    starts = jnp.array([[0.1, 0.3], [-0.7, 0.2]])
    free = jnp.array([[True, False], [True, False]])
    ends = sqp.minimise(hs_problem, starts, free, 2, n_steps=20).z
    np.testing.assert_array_equal(ends[:, 1], starts[:, 1])
    assert np.all(ends[:, 0] != starts[:, 0])
