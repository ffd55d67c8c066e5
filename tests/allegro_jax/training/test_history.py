"""Which row is the best, and when a run ends."""

import pytest

from allegro_jax.training import TrainingConfig
from allegro_jax.training.history import History, reason_to_stop, waited
from allegro_jax.training.members import improved

FALLING = [1.0, 0.5, 0.47, 0.44, 0.41, 0.39]


def test_a_small_fall_does_not_count_until_small_falls_add_up() -> None:
    assert waited(FALLING) == 0
    assert waited(FALLING[:4], min_delta=0.1) == 2
    assert waited(FALLING, min_delta=0.1) == 0
    assert waited([]) == 0
    assert waited([1.0, 1.0, 1.0]) == 2


@pytest.mark.parametrize(
    ("settings", "errors", "out_of_time", "reason"),
    [
        ({}, [], False, None),
        ({}, [], True, "time_limit"),
        ({"max_epochs": 6}, FALLING, False, "max_epochs"),
        ({"patience": 3}, FALLING, False, None),
        ({"patience": 3, "min_delta": 0.2}, FALLING, False, "patience"),
        ({"target_error": 0.4}, FALLING, True, "target_error"),
        ({"target_error": 0.4}, [0.3, 0.5], False, None),
    ],
)
def test_the_first_limit_that_is_met_ends_the_run(settings, errors, out_of_time, reason) -> None:
    assert reason_to_stop(TrainingConfig(**settings), errors, out_of_time) == reason


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="min_delta must be finite, zero or more, got -1"):
        TrainingConfig(min_delta=-1)
    with pytest.raises(ValueError, match="target_error must be positive or None, got 0"):
        TrainingConfig(target_error=0)


def test_the_first_of_equal_rows_is_the_best_and_the_losses_begin_anew() -> None:
    history = History("error")
    assert history.best == {}
    for step, error in enumerate([0.3, 0.2, 0.2, 0.4]):
        history.losses += [1.0, 3.0]
        row = history.end_epoch(step, 1.0, {"error": error})
        assert row["loss"] == 2.0
    assert history.best["epoch"] == 2.0
    assert history.losses == []
    again = History("error")
    again.restore(history.to_json())
    assert again == history


@pytest.mark.parametrize(
    ("errors", "best", "better"),
    [
        ([float("nan"), 0.3, 0.4], 2.0, [True, True, False]),
        ([0.3, float("nan"), 0.2], 3.0, [True, False, True]),
    ],
)
def test_an_error_that_is_no_number_is_never_the_best(errors, best, better) -> None:
    history = History("error")
    for step, error in enumerate(errors):
        history.losses = [1.0]
        history.end_epoch(step, 1.0, {"error": error})
    assert history.best["epoch"] == best
    found = [improved(history.rows[: k + 1], "error", 1)[0] for k in range(3)]
    assert found == better
