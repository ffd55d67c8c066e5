"""The state of a training run and the pure functions that move it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import optax
from jaxtyping import Array, Float, Int

from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.potential import energies, predict
from allegro_jax.training.balancing import Balance, balanced_weights, initial_balance, rebalanced
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.freezing import with_frozen, without_frozen
from allegro_jax.training.labels import label_counts, labels_of
from allegro_jax.training.loss import LossWeights, Penalty, loss_terms, weighted_sum
from allegro_jax.training.metrics import ErrorSums, batch_errors
from allegro_jax.training.optimizers import averaged_by_optimizer, descend, optimizer
from allegro_jax.training.schedule import loss_weights

Params = Any


class TrainState(NamedTuple):
    """Everything that a step changes.

    Attributes:
        step: Steps done.
        params: Parameters of the model.
        averaged: Average of the parameters over the steps, for validation and use.
        optimizer: State of the optimiser.
        balance: State of the weights of the loss, empty where they are not learned.
    """

    step: Int[Array, ""]
    params: Params
    averaged: Params
    optimizer: optax.OptState
    balance: Balance | tuple[()] = ()


class LossGradient(NamedTuple):
    """A loss and its gradient; of a part of a batch, its share of them.

    Attributes:
        loss: Weighted sum of the terms.
        gradient: Of the loss in the parameters.
        terms: Mean error of each quantity; empty where the weights are not learned.
    """

    loss: Float[Array, ""]
    gradient: Params
    terms: dict[str, Float[Array, ""]]


def initial_state(params: Params, training: TrainingConfig) -> TrainState:
    """Returns the state before the first step."""
    averaged = jax.tree.map(jnp.copy, params)
    moments = optimizer(training).init(params)
    return TrainState(
        jnp.zeros((), jnp.int32), params, averaged, moments, initial_balance(training)
    )


def loss_and_gradient(
    model: EdgeEnergyModel,
    training: TrainingConfig,
    params: Params,
    graph: jraph.GraphsTuple,
    weights: LossWeights,
    counts: Mapping[str, Int[Array, ""]],
) -> LossGradient:
    """Returns the loss of one batch, or of a part of one, and its gradient in the parameters.

    Where neither forces nor stresses count, only energies are computed.

    Args:
        model: Architecture.
        training: Settings of the run.
        params: Parameters of the model.
        graph: The batch, or a part.
        weights: Of the terms of the loss.
        counts: Labelled entries of the whole batch.

    Raises:
        ValueError: If no label of the batch has a weight.
    """
    names = _computed(training, graph)

    def loss(params: Params) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        if names == {"energy"}:
            predicted = {"energy": energies(model, params, graph)}
        else:
            everything = predict(model, params, graph)._asdict()
            predicted = {name: everything[name] for name in names}
        terms = loss_terms(predicted, graph, counts, Penalty.of(training))
        return weighted_sum(terms, weights), terms if training.balancing != "none" else {}

    (value, terms), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    return LossGradient(value, gradient, terms)


def current_weights(
    training: TrainingConfig, state: TrainState, weights: LossWeights | None
) -> LossWeights:
    """Returns the weights of a step: learned ones, those of a schedule, or those of the config.

    Args:
        training: Settings of the run.
        state: Before the step.
        weights: Those of a schedule, None without one.
    """
    if isinstance(state.balance, Balance):
        return balanced_weights(state.balance)
    return loss_weights(training) if weights is None else weights


def train_step(
    model: EdgeEnergyModel,
    training: TrainingConfig,
    state: TrainState,
    graph: jraph.GraphsTuple,
    learning_rate: Float[Array, ""],
    weights: LossWeights | None = None,
    axis: str | None = None,
) -> tuple[TrainState, Float[Array, ""]]:
    """Makes one optimiser step on one padded batch; returns the new state and the loss.

    Args:
        model: Architecture.
        training: Settings of the run.
        state: Before the step.
        graph: The batch, or with an `axis` this device's share of it.
        learning_rate: Of this step.
        weights: Of this step, where a schedule sets them.
        axis: Devices that share the batch.
    """
    now = current_weights(training, state, weights)
    counts = label_counts(graph, axis)
    result = loss_and_gradient(model, training, state.params, graph, now, counts)
    if axis is not None:
        result = jax.lax.psum(result, axis)
    return moved(training, state, result, counts, learning_rate)


def moved(
    training: TrainingConfig,
    state: TrainState,
    result: LossGradient,
    counts: Mapping[str, Int[Array, ""]],
    learning_rate: Float[Array, ""],
) -> tuple[TrainState, Float[Array, ""]]:
    """Returns the state after a step along a gradient, and the loss.

    Args:
        training: Settings of the run.
        state: Before the step.
        result: Of the whole batch, at `state.params`.
        counts: Labelled entries of the whole batch.
        learning_rate: Of this step.
    """
    gradient = without_frozen(result.gradient, training.freeze)
    params, moments = descend(training, gradient, state.optimizer, state.params, learning_rate)
    averaged = averaged_by_optimizer(training, moments, params)
    if averaged is None:
        averaged = _moving_average(training.ema_decay, state, params)
    params = with_frozen(params, state.params, training.freeze)
    averaged = with_frozen(averaged, state.averaged, training.freeze)
    balance, loss = state.balance, result.loss
    if isinstance(balance, Balance):
        balance, constant = rebalanced(training, balance, result.terms, counts)
        loss = loss + constant
    return TrainState(state.step + 1, params, averaged, moments, balance), loss


def evaluation_step(
    model: EdgeEnergyModel, params: Params, graph: jraph.GraphsTuple
) -> dict[str, ErrorSums]:
    """Returns the error sums of one padded batch."""
    return batch_errors(predict(model, params, graph), graph, model.config.type_names)


def _computed(training: TrainingConfig, graph: jraph.GraphsTuple) -> set[str]:
    """The labels of a batch that have a weight at some time of the run."""
    rows = [loss_weights(training), *(LossWeights(*p[1:]) for p in training.weight_points)]
    weighted = {name for name in LossWeights._fields if any(getattr(row, name) for row in rows)}
    labelled = set(labels_of(graph))
    if not weighted & labelled:
        raise ValueError(
            f"the loss weighs {sorted(weighted)}, but the data have labels of "
            f"{sorted(labelled) or 'nothing'}; give one of these a weight"
        )
    return weighted & labelled


def _moving_average(most: float, state: TrainState, params: Params) -> Params:
    decay = jnp.minimum(most, (1 + state.step) / (10 + state.step))
    # In this form the average of a parameter that does not move is that parameter, to the last bit.
    return jax.tree.map(
        lambda a, p: (a + (1 - decay) * (p - a)).astype(a.dtype), state.averaged, params
    )
