import numpy as np
import pytest

from samo_cobra import Real, Restrictions, Space, posing
from samo_cobra.exact import ExactOutputs
from samo_cobra.history import History
from samo_cobra.modelling import Modeller
from samo_cobra.settings import Settings

REFERENCE = np.array([10.0, 10.0])
Z = np.array([[-1.0, -1.0], [1.0, -0.5], [0.0, 0.0], [-0.5, 1.0], [0.5, 0.7]])
SEEN = np.array([[9.0, 2.0], [5.0, 3.0], [4.0, 4.0], [3.0, 8.0], [6.0, 9.0]])


def largest_gain(objectives):
    """What a point at minus infinity would gain, in units of the objectives."""
    nothing = np.zeros((0, 2))
    history = History(
        Z,
        objectives,
        np.zeros((5, 0)),
        np.ones(5, dtype=bool),
        nothing,
        nothing,
        np.zeros(0, dtype=bool),
        nothing,
    )
    space = Space([Real("a", 0.0, 1.0), Real("b", 0.0, 1.0)])
    exact = ExactOutputs(space, {}, np.ones(2), Restrictions(space, ()))
    modelled = Modeller(exact, 2, 3, Settings())(history, REFERENCE, nothing)
    posed = posing.problem(modelled, exact, REFERENCE)
    sides = np.maximum(np.asarray(posed.upper) - np.asarray(posed.lower), 0.0)
    return sides.prod(axis=1).sum() * np.asarray(posed.width).prod()


def test_one_huge_value_beyond_the_reference_is_no_reason_to_believe_in_a_tiny_one():
    wild = SEEN.copy()
    wild[4, 1] = 1e6
    assert largest_gain(wild) == pytest.approx(largest_gain(SEEN), rel=0.3)


def test_a_first_point_just_inside_the_reference_leaves_room_for_far_better_ones():
    hard = SEEN + np.array([95.0, 0.0])
    hard[3, 0] = 9.99
    room = largest_gain(hard) / (10.0 - SEEN[:, 1].min())
    assert room > 50.0
