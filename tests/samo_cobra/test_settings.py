import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import Settings, hypervolume, surrogates
from samo_cobra.padding import pad_rows
from tests.samo_cobra.bowls import CORNER, best_hypervolume, run

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-1.0, 1.0, size=(12, 2))


def test_the_variance_is_zero_at_data_points_and_positive_between(x64):
    values = np.stack([np.sin(POINTS[:, 0]), POINTS[:, 1] ** 3], axis=1)
    fitted = surrogates.fit(
        jnp.asarray(pad_rows(POINTS, 32)),
        jnp.asarray(pad_rows(values, 32)),
        jnp.arange(32) < len(POINTS),
        n_objectives=2,
        with_inverse=True,
    )
    for kernel in range(6):
        model = surrogates.select(fitted, jnp.array([2 * kernel, 2 * kernel + 1]))
        at_data = np.array([surrogates.variance(model, jnp.asarray(z)) for z in POINTS])
        between = np.asarray(surrogates.variance(model, jnp.array([0.9, -0.95])))
        assert np.all(between > 1e-6)
        assert np.all(at_data < 1e-5 * between)


def test_sms_explores_and_still_finds_the_front():
    optimizer = run(14, settings=Settings(infill="sms"))
    assert optimizer.hypervolume() > 0.85 * best_hypervolume()


def test_models_chosen_by_leave_one_out_errors_find_the_front():
    optimizer = run(14, settings=Settings(model_choice="leave-one-out"))
    assert optimizer.hypervolume() > 0.95 * best_hypervolume()
    assert all(0.0 <= e < 1.0 for record in optimizer.records for e in record.errors)


def promised(optimizer, n):
    """Hypervolume of the front with a batch as predicted."""
    batch = optimizer.ask(n)
    predicted = {record.id: record.predicted for record in optimizer.records}
    together = [*optimizer.front().objectives, *(predicted[s.id] for s in batch)]
    return hypervolume(np.array(together), np.array(CORNER))


def test_a_joint_batch_promises_at_least_what_a_sequential_one_does():
    for n in (5, 7, 9):
        sequential = promised(run(n), 3)
        joint = promised(run(n, settings=Settings(batch="joint")), 3)
        assert joint >= sequential * (1.0 - 1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"infill": "ei"}, "infill must be one of"),
        ({"model_choice": "best"}, "model_choice must be one of"),
        ({"batch": "all"}, "batch must be one of"),
        ({"noise": True, "infill": "sms"}, "no meaning"),
        ({"latest": 0}, "at least 1"),
    ],
)
def test_unknown_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)
