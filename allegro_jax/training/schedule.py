"""Learning rates and weights of the loss as functions of the progress of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.loss import LossWeights


class Controls(NamedTuple):
    """What is set anew for every step.

    Attributes:
        learning_rate: Of each step.
        weights: Of each step; None where they stay those of the config.
    """

    learning_rate: Float[np.ndarray, "steps"]
    weights: LossWeights | None = None


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


def learning_rate(config: TrainingConfig, done: float, factor: float = 1.0) -> float:
    """Returns the learning rate when the share `done` of the run is over.

    Linear warm-up to the peak, then a half cosine to `final_learning_rate` times the peak
    (Loshchilov & Hutter, ICLR 2017, eq. 5, without restarts), or another schedule of
    `TrainingConfig.schedule`.

    Args:
        config: Settings of the run.
        done: Progress of the run, 0 to 1.
        factor: What the schedule "plateau" has left of the peak, see `plateau_factor`.
    """
    peak, floor = config.learning_rate, config.final_learning_rate
    if config.schedule == "plateau":
        peak = peak * factor
    if done < config.warmup:
        return peak * done / config.warmup
    share = (done - config.warmup) / (1.0 - config.warmup)
    match config.schedule:
        case "cosine":
            return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share)))
        case "exponential":
            return peak * floor**share
        case "step":
            return peak * config.decay_factor ** sum(done >= part for part in config.milestones)
        case _:
            return peak


def plateau_factor(config: TrainingConfig, errors: Sequence[float]) -> float:
    """Returns the share of the peak that the schedule "plateau" has left.

    It is multiplied by `decay_factor` whenever the error has not fallen below its lowest value for
    more than `plateau_patience` epochs, and then waits anew. As a function of the history alone it
    needs no state of its own: a run that is taken up again has the rates of one that was not cut.

    Args:
        config: Settings of the run.
        errors: Validation metric of every epoch done.
    """
    factor, lowest, waited = 1.0, math.inf, 0
    for error in errors if config.schedule == "plateau" else ():
        waited = 0 if error < lowest else waited + 1
        lowest = min(lowest, error)
        if waited > config.plateau_patience:
            factor, waited = max(factor * config.decay_factor, config.final_learning_rate), 0
    return factor


def loss_weights(config: TrainingConfig, done: float = 0.0) -> LossWeights:
    """Returns the weights when the share `done` of the run is over.

    They go through `weight_points`, from `energy_weight`, `forces_weight` and `stress_weight` at
    the beginning; after the last point they stay.
    """
    first = (0.0, config.energy_weight, config.forces_weight, config.stress_weight)
    places, *columns = zip(first, *config.weight_points, strict=True)
    if config.weight_interpolation == "linear":
        return LossWeights(*(float(np.interp(done, places, column)) for column in columns))
    last = sum(done >= place for place in places[1:])
    return LossWeights(*(column[last] for column in columns))


def step_controls(
    config: TrainingConfig, shares: Sequence[float], factor: float, start: int, size: int
) -> Controls:
    """Returns the controls of successive steps in the places from `start` of arrays of `size`.

    Args:
        config: Settings of the run.
        shares: Progress of the run at each of the steps.
        factor: See `learning_rate`.
        start: Place of the first step.
        size: Length of the arrays, the places of other steps hold zeros.
    """

    def placed(values: Sequence[float]) -> np.ndarray:
        array = np.zeros(size, np.float32)
        array[start : start + len(shares)] = values
        return array

    rates = placed([learning_rate(config, share, factor) for share in shares])
    if not config.weight_points:
        return Controls(rates)
    rows = [loss_weights(config, share) for share in shares]
    columns = (placed([getattr(row, name) for row in rows]) for name in LossWeights._fields)
    return Controls(rates, LossWeights(*columns))
