"""How the margins of the constraints answer to errors, distances and outcomes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import criterion, margins, surrogates
from samo_cobra.margins import Margins, rate_of_errors


def after(age, error, distance=1.0):
    """The rate when the only error is so many trials old."""
    excess = np.zeros((age + 1, 1))
    excess[0] = error
    return float(rate_of_errors(excess, np.full(age + 1, distance))[0])


def test_a_fresh_error_is_the_margin_at_its_distance_and_fades_slowly():
    assert after(0, 0.01, distance=0.5) == pytest.approx(0.02)
    assert after(3, 0.01, distance=0.5) == pytest.approx(0.02 * 0.9**3)


def test_an_error_close_to_a_trial_says_more_than_one_far_away():
    assert after(0, 0.01, distance=0.1) > after(0, 0.05, distance=2.0)


def test_margins_grow_with_the_distance_up_to_a_twentieth_of_the_range():
    wide = Margins(np.array([0.001]), np.array([0.02]))
    assert wide.at(0.5) == pytest.approx(0.011)
    assert wide.at(100.0) == pytest.approx(0.051)


def test_without_errors_margins_are_those_by_outcomes():
    satisfied = margins.by_outcomes(np.full((2, 1), -1.0))
    assert Margins(satisfied, np.array([after(3, 0.0)])).at(2.0) == pytest.approx(0.04**2 * 0.9**4)


def test_the_search_sees_the_margins_and_their_slopes(x64):
    points = np.random.default_rng(0).uniform(-1.0, 1.0, size=(12, 2))
    fitted = surrogates.fit(
        jnp.asarray(points), jnp.asarray(points), jnp.ones(12, bool), n_objectives=1
    )
    model = surrogates.select(fitted, jnp.zeros(2, int))
    posed = criterion.InfillProblem(
        *(model, jnp.arange(2), jnp.zeros(1), jnp.ones(1), jnp.zeros(1), jnp.ones(1)),
        *(jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.ones((1, 1)), jnp.ones(1)),
        margin=jnp.array([0.001]),
        margin_rate=jnp.array([0.02]),
        measured=jnp.arange(12) < 10,
        taken=jnp.asarray(points),
        clearance=jnp.full(12, 1e-4),
        failures=None,
    )
    z = jnp.array([[0.3, -0.2], [-0.9, 0.8]])
    margin, slope = criterion.margins_at(posed, z)
    gaps = np.linalg.norm(points[None, :10] - np.asarray(z)[:, None], axis=2).min(axis=1)
    expected = [Margins(np.array([0.001]), np.array([0.02])).at(gap) for gap in gaps]
    np.testing.assert_allclose(margin, expected, rtol=1e-9)
    derived = jax.jacfwd(lambda q: criterion.margins_at(posed, q[None])[0][0])(z[0])
    np.testing.assert_allclose(slope[0], derived, rtol=1e-9)
