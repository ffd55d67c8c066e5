import jax.numpy as jnp
import numpy as np

from samo_cobra import choice, surrogates
from samo_cobra.padding import pad_rows
from samo_cobra.precision import float64_on_cpu

N = surrogates.N_MODELS


def choose(errors, improved, latest):
    counted = choice.counted(improved, latest)
    return np.argmin(choice.mean_absolute(errors[counted]), axis=0)


def test_an_exact_model_shows_no_error_when_the_moments_change():
    """Defect 1 of the authors' code: moments updated with the new point."""
    z = np.random.default_rng(0).uniform(-1.0, 1.0, size=(15, 2))
    values = z[:, :1].copy()
    with float64_on_cpu():
        models = surrogates.fit(
            jnp.asarray(pad_rows(z, 32)),
            jnp.asarray(pad_rows(values, 32)),
            jnp.arange(32) < 15,
            n_objectives=1,
        )
    # A point far outside the data would change mean and deviation a great deal.
    errors = choice.prediction_errors(models, np.array([4.0, 1.0]), np.array([4.0]))
    assert errors[0, 0] < 1e-6
    assert choose(errors[None], np.array([True]), latest=1)[0] % surrogates.N_VERSIONS == 0


def test_errors_never_become_infinite_or_nan():
    z = np.linspace(-1.0, 1.0, 6)[:, None]
    with float64_on_cpu():
        models = surrogates.fit(
            jnp.asarray(pad_rows(z, 32)),
            jnp.asarray(pad_rows(np.exp(300.0 * z), 32)),
            jnp.arange(32) < 6,
            n_objectives=1,
        )
    errors = choice.prediction_errors(models, np.array([1e200]), np.array([0.0]))
    assert np.all(np.isfinite(errors**2))


def test_lowest_error_over_the_counted_points_wins():
    errors = np.zeros((4, N, 1))
    errors[:, :, 0] = 1.0
    errors[1, 3, 0] = errors[3, 3, 0] = 0.1
    errors[0, 7, 0] = errors[2, 7, 0] = 0.0
    assert choose(errors, np.array([False, True, False, False]), latest=1)[0] == 3
    assert choose(errors, np.array([True, True, True, False]), latest=1)[0] == 7


def test_the_last_ten_that_extended_the_front_count_and_the_last_few_that_did_not():
    improved = np.ones(20, bool)
    improved[[0, 2, 5, 19]] = False
    assert choice.counted(improved, 3).tolist() == [2, 5, *range(9, 20)]
    assert choice.counted(improved[:3], 3).tolist() == [0, 1, 2]


def test_a_promise_that_did_not_come_is_remembered_while_the_front_grows():
    errors = np.full((40, N, 1), 0.5)
    errors[:, 4] = 0.1
    errors[5, 4] = 50.0
    improved = np.ones(40, bool)
    improved[5] = False
    assert choose(errors, improved, latest=3)[0] != 4


def test_one_large_error_does_not_decide_alone():
    errors = np.full((5, N, 1), 2.0)
    errors[:, 6] = 0.1
    errors[2, 6] = 5.0
    assert choose(errors, np.ones(5, bool), latest=2)[0] == 6


def test_ties_go_to_the_plain_cubic():
    assert choose(np.zeros((3, N, 2)), np.zeros(3, bool), latest=2).tolist() == [0, 0]


def test_improving_marks_what_raised_the_hypervolume():
    objectives = np.array([[2.0, 2.0], [1.0, 1.0], [1.5, 1.5], [0.5, 9.0], [0.5, 2.0], [0.1, 0.1]])
    feasible = np.array([True, True, True, True, True, False])
    marks = choice.improving(objectives, feasible, np.array([3.0, 3.0]))
    assert marks.tolist() == [True, True, False, False, True, False]


def test_an_old_error_is_forgotten():
    errors = np.full((30, N, 1), 0.5)
    errors[:, 4] = 0.1
    errors[0, 4] = 1e6
    assert choose(errors, np.ones(30, bool), latest=2)[0] == 4
