"""The members of a committee in training: what they share, and what each has of its own.

Members begin with different parameters and see the same batches. In the state of their training
every array has the members as first axis, and a step is `jax.vmap` of the step of one: each has
its own loss, gradient, clipping and averages, while the batch, its geometry included, is there
once. So a member is what a training of its own would have made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float

from allegro_jax.committee import Committee, predict_members, with_members_first
from allegro_jax.configs import D3, ModelConfig
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.energy import Params
from allegro_jax.potential import Potential
from allegro_jax.training.history import is_lower
from allegro_jax.training.metrics import ErrorSums, batch_errors
from allegro_jax.training.step import TrainState, evaluation_step

Step = Callable[..., tuple[TrainState, Float[Array, ""]]]
"""State, what all members share (batch, learning rate, ...) -> state, loss."""


def joined(states: Sequence[TrainState]) -> TrainState:
    """Returns one state of all members, who count steps together; that of one stays as it is."""
    if len(states) == 1:
        return states[0]
    return with_members_first(states)._replace(step=states[0].step)


def step_of_members(step: Step, members: int) -> Step:
    """Returns a step of all members on one batch, whose loss is the mean of theirs.

    Args:
        step: Of one member; returned as it is if there is one.
        members: How many.
    """
    if members == 1:
        return step
    first: dict[str, Any] = dict.fromkeys(TrainState._fields, 0) | {"step": None}
    axes = TrainState(**first)

    def of_all(state: TrainState, *shared: Any) -> tuple[TrainState, Array]:
        together = jax.vmap(lambda own: step(own, *shared), in_axes=(axes,), out_axes=(axes, 0))
        state, losses = together(state)
        return state, losses.mean()  # not finite if that of any member is not

    return of_all


def evaluation_of(
    members: int,
) -> Callable[[EdgeEnergyModel, Params, jraph.GraphsTuple], dict[str, ErrorSums]]:
    """Returns the function that gives the error sums of one padded batch."""
    return evaluation_step if members == 1 else committee_errors


def committee_errors(
    model: EdgeEnergyModel, params: Params, graph: jraph.GraphsTuple
) -> dict[str, ErrorSums]:
    """Returns the error sums of one padded batch.

    Those of the mean of the members have the names of `batch_errors`, and those of member k the
    same before "/member_k".
    """
    predictions, types = predict_members(model, params, graph), model.config.type_names
    errors = batch_errors(jax.tree.map(lambda leaf: leaf.mean(0), predictions), graph, types)
    of_members = jax.vmap(lambda one: batch_errors(one, graph, types))(predictions)
    for member in range(len(predictions.energy)):
        for name, sums in of_members.items():
            errors[f"{name}/member_{member}"] = ErrorSums(*(part[member] for part in sums))
    return errors


def improved(history: Sequence[Mapping[str, float]], metric: str, members: int) -> list[bool]:
    """Tells for every member whether its error in the last row is the lowest so far."""
    names = [metric] if members == 1 else [f"{metric}/member_{k}" for k in range(members)]
    *before, last = history
    return [all(is_lower(last[name], row[name]) for row in before) for name in names]


def with_improved(best: Params, new: Params, is_better: Sequence[bool]) -> Params:
    """Returns the best parameters: new ones for members that are better, the old for the others."""
    if len(is_better) == 1:
        return jax.tree.map(jnp.copy, new) if is_better[0] else best
    mask = jnp.asarray(is_better)

    def chosen(old: Array, new: Array) -> Array:
        return jnp.where(mask.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(chosen, best, new)


def trained(
    config: ModelConfig,
    params: Params,
    atomic_energies: Mapping[str, float],
    members: int,
    dispersion: D3 | None = None,
) -> Potential | Committee:
    """Returns what a run has made: a potential, or a committee of several members."""
    if members == 1:
        return Potential(config, params, atomic_energies, dispersion)
    return Committee(config, params, [atomic_energies] * members, dispersion)
