"""Weights of the loss that are learned during a run.

Kendall, Gal & Cipolla (CVPR 2018, section 3.2) take the errors of task i as normally distributed
noise of a variance σ_i² and maximise the likelihood, which is to minimise, up to a factor of two,

    Σ_i  exp(-s_i) L_i + s_i,      s_i = log σ_i²,

over the parameters of the model and over s. The weight of a term becomes the inverse of its own
mean error, so it does not matter in which units the terms are. Of absolute errors the same holds,
without the factor, for noise of a Laplace distribution whose width stands in the place of σ².

s is moved by Adam at a rate of its own, and is part of the state of the run. With this loss, the
numbers of the training loss may be negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.loss import LossWeights

_ADAM = optax.scale_by_adam()


class Balance(NamedTuple):
    """State of the learned weights.

    Attributes:
        log_variances: s of energy, forces and stress.
        optimizer: State of the optimiser that moves them.
    """

    log_variances: Float[Array, "3"]
    optimizer: optax.OptState


def initial_balance(training: TrainingConfig) -> Balance | tuple[()]:
    """Returns the weights of the config as a state; of nothing where none are learned."""
    if training.balancing == "none":
        return ()
    weights = (training.energy_weight, training.forces_weight, training.stress_weight)
    start = -jnp.log(jnp.asarray([weight or 1.0 for weight in weights], jnp.float32))
    return Balance(start, _ADAM.init(start))


def balanced_weights(balance: Balance) -> LossWeights:
    """Returns the weights exp(-s)."""
    return LossWeights(*jnp.exp(-balance.log_variances))


def rebalanced(
    training: TrainingConfig,
    balance: Balance,
    terms: Mapping[str, Float[Array, ""]],
    counts: Mapping[str, Int[Array, ""]],
) -> tuple[Balance, Float[Array, ""]]:
    """Makes one step of s; returns the new state and Σ s, which completes the loss.

    Args:
        training: Settings of the run.
        balance: Before the step.
        terms: L, the mean error of every term of the loss, over the whole batch.
        counts: Labels of each in the batch; a term without any does not move.
    """
    none = jnp.zeros((), balance.log_variances.dtype)
    weights = balanced_weights(balance)
    gradient, constant = [], none
    for name, s in zip(LossWeights._fields, balance.log_variances, strict=True):
        present = counts[name] > 0 if name in terms else False
        slope = 1 - getattr(weights, name) * terms.get(name, none)
        gradient.append(jnp.where(present, slope, 0).astype(none.dtype))
        constant = constant + jnp.where(present, s, 0)
    update, state = _ADAM.update(jnp.stack(gradient), balance.optimizer)
    moved = balance.log_variances - training.balancing_rate * update
    return Balance(moved, state), constant
