"""How the margins of the constraints answer to errors, distances and outcomes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import criterion, margins, surrogates
from samo_cobra.margins import Margins, slopes


def believing(*errors, distance=1.0, by_outcomes=0.0):
    """Margins of one constraint after these errors, the newest last."""
    column = np.array(errors, dtype=float).reshape(-1, 1)
    distances = np.full(len(errors), distance)
    return Margins(np.array([by_outcomes]), slopes(column, distances), distances)


def after(age, error, distance=1.0):
    """The rate when the only error is so many trials old."""
    return float(believing(error, *[0.0] * age, distance=distance).rate[0])


def test_a_fresh_error_is_the_margin_at_its_distance_and_fades_slowly():
    assert after(0, 0.01, distance=0.5) == pytest.approx(0.02)
    assert after(3, 0.01, distance=0.5) == pytest.approx(0.02 * 0.9**3)


def test_models_that_were_too_careful_ask_for_no_margin():
    assert after(0, -0.01) == 0.0


def test_an_error_close_to_a_trial_says_more_than_one_far_away():
    assert after(0, 0.01, distance=0.1) > after(0, 0.05, distance=2.0)


def test_margins_grow_with_the_distance_up_to_a_twentieth_of_the_range():
    wide = believing(0.02, by_outcomes=0.001)
    assert wide.at(0.5) == pytest.approx(0.011)
    assert wide.at(100.0) == pytest.approx(0.051)


def test_without_errors_margins_are_those_by_outcomes():
    satisfied = float(margins.by_outcomes(np.full((2, 1), -1.0))[0])
    assert believing(0.0, by_outcomes=satisfied).at(2.0) == pytest.approx(0.04**2 * 0.9**4)


def chance(wide, predicted, distance):
    """The chance of one place."""
    return float(wide.chances(np.array([predicted]), np.array([distance]))[0])


def test_without_errors_what_is_predicted_feasible_is_certain():
    assert chance(Margins.none(1), [-1e-9], 2.0) == 1.0
    assert chance(believing(0.0, 0.0), [-1e-9], 2.0) == pytest.approx(1.0)


def test_the_chance_is_the_faded_share_of_errors_that_leave_a_place_feasible():
    wide = believing(0.02, -0.01)  # one trial ago too hopeful, now too careful
    assert chance(wide, [-0.015], 1.0) == pytest.approx((1.0 + 0.5) / (1.9 + 0.5))
    assert chance(wide, [-0.015], 0.5) == pytest.approx(1.0)  # errors shrink with the distance
    assert chance(wide, [-0.021], 1.0) == pytest.approx(1.0)


def test_the_chance_of_a_place_far_away_is_not_that_of_refinements():
    """Two failures at a distance of 1 decide there, whatever many trials at 0.01 came to."""
    column, distances = np.zeros((20, 1)), np.full(20, 0.01)
    column[5::10], distances[5::10] = 0.05, 1.0
    wide = Margins(np.zeros(1), slopes(column, distances), distances)
    assert chance(wide, [-0.02], 1.0) < 0.5
    assert chance(wide, [-0.02], 0.01) == pytest.approx(1.0)


def test_rounding_on_the_border_of_an_exact_constraint_costs_no_chance():
    assert chance(believing(0.0, 0.0), [1e-12], 1.0) == pytest.approx(1.0)
    assert chance(believing(0.0, 0.0), [1e-6], 1.0) < 0.25


def test_what_every_error_speaks_against_keeps_a_chance():
    assert 0.0 < chance(believing(*[0.02] * 20), [-0.001], 1.0) < 0.06


def test_constraints_are_feasible_together_or_not_at_all():
    errors = np.array([[0.02, 0.0], [0.0, 0.02]])
    wide = Margins(np.zeros(2), slopes(errors, np.ones(2)), np.ones(2))
    assert chance(wide, [-0.01, -0.01], 1.0) == pytest.approx(0.5 / (1.9 + 0.5))


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
    margin, slope = criterion.margins_at(posed, z, jnp.ones(2))
    gaps = np.linalg.norm(points[None, :10] - np.asarray(z)[:, None], axis=2).min(axis=1)
    expected = [believing(0.02, by_outcomes=0.001).at(gap) for gap in gaps]
    np.testing.assert_allclose(margin, expected, rtol=1e-9)
    derived = jax.jacfwd(lambda q: criterion.margins_at(posed, q[None], jnp.ones(1))[0][0])(z[0])
    np.testing.assert_allclose(slope[0], derived, rtol=1e-9)
    bold, flat = criterion.margins_at(posed, z, jnp.zeros(2))
    np.testing.assert_allclose(bold, 0.001)
    np.testing.assert_array_equal(flat, 0.0)
