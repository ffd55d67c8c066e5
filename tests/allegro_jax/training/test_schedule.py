"""Learning rates, weights of the loss, and settings."""

import json

import numpy as np
import pytest

from allegro_jax.training import TrainingConfig
from allegro_jax.training.schedule import (
    learning_rate,
    loss_weights,
    plateau_factor,
    progress,
    step_controls,
)


def test_cosine_goes_from_zero_over_the_peak_to_the_floor() -> None:
    config = TrainingConfig(learning_rate=1e-2, warmup=0.1, final_learning_rate=0.05)
    assert learning_rate(config, 0.05) == pytest.approx(5e-3)
    assert learning_rate(config, 0.1) == pytest.approx(1e-2)
    assert learning_rate(config, 0.55) == pytest.approx(1e-2 * (0.05 + 0.95 / 2))
    assert learning_rate(config, 1.0) == pytest.approx(5e-4)


def test_constant_schedule_stays_at_the_peak() -> None:
    config = TrainingConfig(learning_rate=1e-2, warmup=0.0, schedule="constant")
    assert {learning_rate(config, share) for share in (0.0, 0.5, 1.0)} == {1e-2}


def test_exponential_decay_falls_by_equal_factors_to_the_last_value() -> None:
    config = TrainingConfig(
        learning_rate=1e-2, warmup=0.2, schedule="exponential", final_learning_rate=0.01
    )
    rates = [learning_rate(config, share) for share in (0.1, 0.2, 0.6, 1.0)]
    assert rates == pytest.approx([5e-3, 1e-2, 1e-3, 1e-4])


def test_the_step_schedule_falls_at_its_milestones() -> None:
    config = TrainingConfig(
        learning_rate=1e-2, warmup=0.1, schedule="step", milestones=(0.5, 0.75), decay_factor=0.1
    )
    rates = [learning_rate(config, share) for share in (0.05, 0.49, 0.5, 0.74, 0.75, 1.0)]
    assert rates == pytest.approx([5e-3, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4])


def test_a_plateau_lowers_the_rate_and_an_improvement_waits_anew() -> None:
    config = TrainingConfig(
        learning_rate=1e-2, warmup=0.0, schedule="plateau", decay_factor=0.5, plateau_patience=1,
        final_learning_rate=0.2,
    )  # fmt: skip
    errors = [1.0, 0.9, 0.9, 1.0, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    factors = [plateau_factor(config, errors[:epochs]) for epochs in range(len(errors) + 1)]
    assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]
    assert learning_rate(config, 0.9, factors[-1]) == pytest.approx(2e-3)
    assert plateau_factor(TrainingConfig(), errors) == 1.0


POINTS = ((0.5, 10.0, 1.0, 0.0), (0.75, 20.0, 1.0, 4.0))


def test_weights_jump_at_their_points_or_go_from_one_to_the_next() -> None:
    stages = TrainingConfig(forces_weight=100.0, weight_points=POINTS)
    found = [tuple(loss_weights(stages, share)) for share in (0.0, 0.4, 0.5, 0.7, 1.0)]
    first, second, third = (1.0, 100.0, 0.0), (10.0, 1.0, 0.0), (20.0, 1.0, 4.0)
    assert found == [first, first, second, second, third]
    ramp = TrainingConfig(forces_weight=100.0, weight_points=POINTS, weight_interpolation="linear")
    assert loss_weights(ramp, 0.25) == pytest.approx((5.5, 50.5, 0.0))
    assert loss_weights(ramp, 0.625) == pytest.approx((15.0, 1.0, 2.0))
    assert loss_weights(ramp, 1.0) == pytest.approx(third)


def test_controls_lie_in_the_places_of_their_steps() -> None:
    config = TrainingConfig(schedule="constant", warmup=0.0, weight_points=POINTS)
    controls = step_controls(config, [0.4, 0.6], 1.0, start=1, size=4)
    np.testing.assert_allclose(controls.learning_rate, [0, 2e-3, 2e-3, 0])
    np.testing.assert_allclose(controls.weights.energy, [0, 1, 10, 0])
    assert step_controls(TrainingConfig(), [0.4], 1.0, start=0, size=4).weights is None


def test_progress_is_by_steps_or_time_whichever_is_further() -> None:
    assert progress(10, 100) == 0.1
    assert progress(10, 100, elapsed_s=30.0, time_limit_s=60.0) == 0.5
    assert progress(90, 100, elapsed_s=30.0, time_limit_s=60.0) == 0.9
    assert progress(10, 100, elapsed_s=90.0, time_limit_s=60.0) == 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_epochs", 0),
        ("batch_size", 0),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("ema_decay", 1.0),
        ("warmup", 1.0),
        ("time_limit_s", 0.0),
        ("patience", 0),
        ("schedule", "linear"),
        ("metric", "loss"),
        ("loss", "l3"),
        ("huber_delta", 0.0),
        ("optimizer", "sgd"),
        ("weight_decay", -1.0),
        ("accumulate", 0),
        ("accumulate", 1.5),
        ("clip_norm", 0.0),
        ("decay_factor", 1.0),
        ("plateau_patience", -1),
        ("milestones", (0.5, 0.4)),
        ("weight_points", ((0.5, 1.0, 1.0),)),
        ("weight_points", ((0.5, 1.0, 1.0, -1.0),)),
        ("weight_points", ((0.0, 1.0, 1.0, 0.0),)),
        ("weight_points", (0.5, 1.0, 1.0, 0.0)),
        ("weight_points", ((0.5, 0.0, 0.0, 0.0),)),
        ("weight_interpolation", "cubic"),
        ("balancing", "softadapt"),
        ("balancing_rate", 0.0),
    ],
)
def test_settings_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        TrainingConfig(**{field: value})


def test_settings_survive_json_and_unknown_ones_are_named() -> None:
    config = TrainingConfig(
        learning_rate=3e-3, patience=7, milestones=(0.5,), weight_points=POINTS, clip_norm=None
    )
    again = TrainingConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert hash(again) == hash(config)
    assert json.loads(json.dumps(config.to_json())) == config.to_json()
    assert TrainingConfig.from_json({"max_epochs": 100, "clip_norm": 10.0}) == TrainingConfig()
    with pytest.raises(ValueError, match="learning_rat"):
        TrainingConfig.from_json({"learning_rat": 1.0})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_decay": 0.1}, "'adam' has no weight decay.*adamw"),
        ({"optimizer": "schedule_free"}, "schedule='constant'"),
        ({"schedule": "exponential", "final_learning_rate": 0.0}, "raise final_learning_rate"),
        ({"schedule": "step"}, "needs milestones"),
        ({"balancing": "uncertainty", "weight_points": POINTS}, "leave one of them out"),
        ({"energy_weight": 0.0, "forces_weight": 0.0}, "must be positive at any time"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**settings)
