"""How models are chosen while there is little to choose by."""

import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import Optimizer, Real, Space, choice, surrogates
from samo_cobra.modelling import Modeller
from samo_cobra.padding import pad_rows
from samo_cobra.precision import float64_on_cpu

NOTHING = np.zeros((0, 3))
REFERENCE = np.array([1e3, 2.0])


def deflection(x):
    """A pole where two sections get small, as in the trade-offs of structures."""
    return [1.0 / (x["a"] * x["b"]), x["a"] + x["b"] * x["c"]]


def told(n, initial_points=None):
    space = Space([Real(name, 0.05, 1.0) for name in "abc"])
    optimizer = Optimizer(space, 2, reference_point=REFERENCE, initial_points=initial_points)
    for _ in range(n):
        (point,) = optimizer.ask()
        optimizer.tell(point, deflection(point.x))
    return optimizer


def modeller(optimizer):
    return Modeller(optimizer.statement.exact, 2, optimizer.initial_points, optimizer.settings)


def left_out(history, j):
    """Errors at a point of models of the four points of the design without it."""
    others = np.delete(np.arange(4), j)
    with float64_on_cpu():
        fitted = surrogates.fit(
            jnp.asarray(pad_rows(history.z[others], 40)),
            jnp.asarray(pad_rows(history.values[others], 40)),
            jnp.arange(40) < 3,
            n_objectives=2,
        )
    return choice.prediction_errors(fitted, history.z[j], history.values[j])


def test_the_first_models_are_chosen_by_points_of_the_design_left_out_in_turn():
    history = told(4)._history()
    modelled = modeller(told(4))(history, REFERENCE, NOTHING)
    scores = np.mean([np.abs(left_out(history, j)) for j in range(4)], axis=0)
    np.testing.assert_array_equal(modelled.chosen, np.argmin(scores, axis=0))
    np.testing.assert_allclose(modelled.errors, scores.min(axis=0), rtol=1e-6)
    # The pole is not modelled as it is.
    assert modelled.chosen[0] % surrogates.N_VERSIONS != 0


def test_a_design_too_small_to_lose_a_point_leaves_the_choice_to_the_plain_cubic():
    optimizer = told(3, initial_points=3)
    modelled = modeller(optimizer)(optimizer._history(), REFERENCE, NOTHING)
    assert modelled.chosen.tolist() == [0, 0]


def test_errors_of_the_design_are_forgotten_once_two_later_trials_tell_more():
    """The tail of three dimensions has seven terms."""
    optimizer = told(9)
    history = optimizer._history()
    whole = modeller(optimizer)(history, REFERENCE, NOTHING)
    model = modeller(optimizer)
    with float64_on_cpu():
        recent = [model._prediction_errors(history, j) for j in (7, 8)]
    scores = np.mean(np.abs(recent), axis=0)
    np.testing.assert_array_equal(whole.chosen, np.argmin(scores, axis=0))


@pytest.mark.parametrize("initial_points", [40, 100])
def test_a_large_design_costs_no_fit_per_point(initial_points, monkeypatch):
    optimizer = told(0, initial_points=initial_points)
    space = optimizer.space
    for row in np.random.default_rng(0).uniform(size=(initial_points, 3)):
        x = space.from_unit(row)
        optimizer.tell(x, deflection(x))
    model, fits = modeller(optimizer), []
    fit = Modeller._fit
    monkeypatch.setattr(Modeller, "_fit", lambda *given: fits.append(1) or fit(*given))
    model(optimizer._history(), REFERENCE, NOTHING)
    assert len(fits) <= 33


def test_all_errors_of_a_batch_count_however_large_it_is(monkeypatch):
    counted, seen = choice.counted, []
    monkeypatch.setattr(choice, "counted", lambda i, n: seen.append(n) or counted(i, n))
    told(9).ask()
    told(9).ask(2)
    assert set(seen) == {3}
    optimizer = told(9)
    seen.clear()
    optimizer.ask(4)
    assert seen == [4] * 4
    seen.clear()
    optimizer.ask(1)  # beside the four under way
    optimizer.suggest(20, [s.x for s in optimizer.pending])
    assert seen == [5, 6]
