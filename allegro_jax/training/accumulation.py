"""An optimiser step on several batches, one after the other.

The loss is the mean over the labels of all batches together, whatever number of them each batch
has: labels are counted first, and every batch gives its share of sum over count. So the gradient is
that of one large batch up to rounding, and only that of one batch is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from allegro_jax.graphs import Capacity
from allegro_jax.graphs.flat import FlatGraphs, assemble
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.labels import label_counts
from allegro_jax.training.loss import LossWeights
from allegro_jax.training.step import TrainState, current_weights, loss_and_gradient, moved


def accumulated_step(
    model: EdgeEnergyModel,
    training: TrainingConfig,
    capacities: Sequence[Capacity],
    state: TrainState,
    flat: FlatGraphs,
    rows: Int[Array, "structures"],
    levels: Int[Array, "batches"],
    learning_rate: Float[Array, ""],
    weights: LossWeights | None = None,
    axis: str | None = None,
) -> tuple[TrainState, Float[Array, ""]]:
    """Makes one optimiser step on several batches; returns the new state and the loss.

    Args:
        model: Architecture.
        training: Settings of the run.
        capacities: Padded sizes of a batch.
        state: Before the step.
        flat: Where the structures come from.
        rows: Which ones, those of the first batch first.
        levels: Which capacity each batch takes.
        learning_rate: Of this step.
        weights: Of this step, where a schedule sets them.
        axis: Devices that share the batches.
    """
    batches = len(levels)
    rows = rows.reshape(batches, -1)
    now = current_weights(training, state, weights)

    def sum_over_batches(function: Callable[[jraph.GraphsTuple], Any]) -> Any:
        def part(k: Int[Array, ""]) -> Any:
            branches = [
                lambda chosen, capacity=capacity: function(assemble(flat, chosen, capacity))
                for capacity in capacities
            ]
            return jax.lax.switch(levels[k], branches, rows[k])

        zeros = jax.tree.map(
            lambda like: jnp.zeros(like.shape, like.dtype), jax.eval_shape(part, levels[0])
        )
        total = jax.lax.fori_loop(
            0, batches, lambda k, total: jax.tree.map(jnp.add, total, part(k)), zeros
        )
        return total if axis is None else jax.lax.psum(total, axis)

    counts = sum_over_batches(label_counts)
    result = sum_over_batches(
        lambda graph: loss_and_gradient(model, training, state.params, graph, now, counts)
    )
    return moved(training, state, result, counts, learning_rate)
