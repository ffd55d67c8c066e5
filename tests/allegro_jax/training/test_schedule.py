"""Learning rates and settings."""

import pytest

from allegro_jax.training import TrainingConfig
from allegro_jax.training.schedule import learning_rate, progress


def test_cosine_goes_from_zero_over_the_peak_to_the_floor() -> None:
    config = TrainingConfig(learning_rate=1e-2, warmup=0.1, final_learning_rate=0.05)
    assert learning_rate(config, 0.05) == pytest.approx(5e-3)
    assert learning_rate(config, 0.1) == pytest.approx(1e-2)
    assert learning_rate(config, 0.55) == pytest.approx(1e-2 * (0.05 + 0.95 / 2))
    assert learning_rate(config, 1.0) == pytest.approx(5e-4)


def test_constant_schedule_stays_at_the_peak() -> None:
    config = TrainingConfig(learning_rate=1e-2, warmup=0.0, schedule="constant")
    assert {learning_rate(config, share) for share in (0.0, 0.5, 1.0)} == {1e-2}


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
    ],
)
def test_settings_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        TrainingConfig(**{field: value})


def test_settings_survive_json_and_unknown_ones_are_named() -> None:
    config = TrainingConfig(learning_rate=3e-3, patience=7)
    assert TrainingConfig.from_json(config.to_json()) == config
    with pytest.raises(ValueError, match="learning_rat"):
        TrainingConfig.from_json({"learning_rat": 1.0})
