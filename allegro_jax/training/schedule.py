"""Learning rate as a function of the progress of a run."""

from __future__ import annotations

import math

from allegro_jax.training.config import TrainingConfig


def progress(
    step: int, total_steps: int, elapsed_s: float = 0.0, time_limit_s: float | None = None
) -> float:
    """Returns the share of a run that is done, by steps or by time, whichever is further.

    Args:
        step: Steps done.
        total_steps: Steps of the whole run.
        elapsed_s: Seconds of training done.
        time_limit_s: Seconds of training allowed, None for no limit.
    """
    share = step / max(total_steps, 1)
    if time_limit_s is not None:
        share = max(share, elapsed_s / time_limit_s)
    return min(share, 1.0)


def learning_rate(config: TrainingConfig, done: float) -> float:
    """Returns the learning rate when the share `done` of the run is over.

    Linear warm-up to the peak, then a half cosine to `final_learning_rate` times the peak
    (Loshchilov & Hutter, ICLR 2017, eq. 5, without restarts), or a constant.
    """
    if done < config.warmup:
        return config.learning_rate * done / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    share = (done - config.warmup) / (1.0 - config.warmup)
    floor = config.final_learning_rate
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share)))
