"""How the margins of the constraints answer to errors and violations."""

import numpy as np
import pytest

from samo_cobra import margins

NEVER = np.zeros((30, 1), bool)


def after(age, error):
    """The margin when the only error is so many trials old."""
    excess = np.zeros((age + 1, 1))
    excess[0] = error
    return float(margins.by_errors(excess, NEVER)[0])


def test_a_fresh_error_is_the_margin_and_fades_fast():
    assert after(0, 0.01) == pytest.approx(0.01)
    assert after(2, 0.01) == pytest.approx(0.01 * 0.4**2)


def test_a_trace_of_an_old_error_stays():
    assert after(15, 0.01) == pytest.approx(1e-4)
    assert after(15, 1e-4) == pytest.approx(1e-4 * 0.9**15)


def test_no_error_keeps_the_search_away_from_the_border_for_more_than_a_twentieth():
    assert after(0, 7.0) == pytest.approx(0.05)


def test_without_errors_there_is_no_margin():
    assert after(3, 0.0) == 0.0


def test_violations_teach_caution_and_satisfaction_makes_it_forgotten():
    excess = np.full((1, 1), 1e-5)
    violated = np.ones((3, 1), bool)
    wider = margins.by_errors(excess, violated)[0]
    assert wider == pytest.approx(1e-5 * 1.5**3)
    assert margins.by_errors(excess, np.concatenate([violated, NEVER]))[0] == pytest.approx(1e-5)
