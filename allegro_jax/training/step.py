"""The state of a training run and the pure functions that move it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import optax
from jaxtyping import Array, Float, Int

from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.potential import energies, predict
from allegro_jax.training.freezing import with_frozen, without_frozen
from allegro_jax.training.loss import LossWeights, energy_loss, weighted_loss
from allegro_jax.training.metrics import ErrorSums, batch_errors

Params = Any


class TrainState(NamedTuple):
    """Everything that a step changes.

    Attributes:
        step: Steps done.
        params: Parameters of the model.
        averaged: Exponential moving average of the parameters.
        optimizer: State of the optimiser.
    """

    step: Int[Array, ""]
    params: Params
    averaged: Params
    optimizer: optax.OptState


def optimizer(clip_norm: float) -> optax.GradientTransformation:
    """Returns Adam (Kingma & Ba, 2015) on clipped gradients, without the learning rate."""
    return optax.chain(optax.clip_by_global_norm(clip_norm), optax.scale_by_adam())


def initial_state(params: Params, clip_norm: float) -> TrainState:
    """Returns the state before the first step."""
    averaged = jax.tree.map(jnp.copy, params)
    return TrainState(jnp.zeros((), jnp.int32), params, averaged, optimizer(clip_norm).init(params))


def loss_and_gradient(
    model: EdgeEnergyModel,
    params: Params,
    graph: jraph.GraphsTuple,
    weights: LossWeights,
    axis: str | None = None,
) -> tuple[Float[Array, ""], Params]:
    """Returns the loss of one batch and its gradient in the parameters.

    Where neither forces nor stresses count, only energies are computed. With an `axis` of devices
    `graph` is this device's share of the batch, and the result that of the whole.
    """
    forces = weights.forces and "forces" in graph.nodes
    stress = weights.stress and "stress" in graph.globals

    def loss(params: Params) -> Float[Array, ""]:
        if forces or stress:
            return weighted_loss(predict(model, params, graph), graph, weights, axis)
        return weights.energy * energy_loss(energies(model, params, graph), graph, axis)

    result = jax.value_and_grad(loss)(params)
    return result if axis is None else jax.lax.psum(result, axis)


def train_step(
    model: EdgeEnergyModel,
    weights: LossWeights,
    clip_norm: float,
    ema_decay: float,
    state: TrainState,
    graph: jraph.GraphsTuple,
    learning_rate: Float[Array, ""],
    axis: str | None = None,
    freeze: tuple[str, ...] = (),
) -> tuple[TrainState, Float[Array, ""]]:
    """Makes one optimiser step on one padded batch; returns the new state and the loss."""
    loss, gradient = loss_and_gradient(model, state.params, graph, weights, axis)
    gradient = without_frozen(gradient, freeze)
    update, optimizer_state = optimizer(clip_norm).update(gradient, state.optimizer, state.params)
    params = jax.tree.map(lambda p, u: p - learning_rate * u, state.params, update)
    decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))
    # In this form the average of a parameter that does not move is that parameter, to the last bit.
    averaged = jax.tree.map(
        lambda a, p: (a + (1 - decay) * (p - a)).astype(a.dtype), state.averaged, params
    )
    params = with_frozen(params, state.params, freeze)
    averaged = with_frozen(averaged, state.averaged, freeze)
    return TrainState(state.step + 1, params, averaged, optimizer_state), loss


def evaluation_step(
    model: EdgeEnergyModel, params: Params, graph: jraph.GraphsTuple
) -> dict[str, ErrorSums]:
    """Returns the error sums of one padded batch."""
    return batch_errors(predict(model, params, graph), graph)
