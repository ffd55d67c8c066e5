"""Many optimiser steps in one compiled program.

Between calls a step pays for Python, for the transfer of its batch, and, on a CPU, for memory that
the operating system clears for its intermediate results: up to a quarter of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from allegro_jax.graphs import Capacity
from allegro_jax.graphs.flat import assemble
from allegro_jax.training.step import TrainState
from allegro_jax.training.windows import Window

Step = Callable[
    [TrainState, jraph.GraphsTuple, Float[Array, ""]], tuple[TrainState, Float[Array, ""]]
]


def train_steps(
    step: Step,
    capacities: Sequence[Capacity],
    state: TrainState,
    window: Window,
    learning_rates: Float[Array, "steps"],
    start: Int[Array, ""],
    stop: Int[Array, ""],
) -> tuple[TrainState, Float[Array, "steps"]]:
    """Makes the steps from `start` up to `stop` of a window.

    The bounds are values, not sizes, so one program serves calls of every length, and a step gives
    the same result in whatever call it is made.

    Args:
        step: State, batch, learning rate -> state, loss.
        capacities: Padded sizes; a batch takes that of its level.
        state: Before the steps.
        window: This device's part.
        learning_rates: Of every step of the window.
        start: First step.
        stop: The step after the last.

    Returns:
        The state after the steps, and their losses in the places of the steps.
    """
    flat = jax.tree.map(lambda leaf: leaf[0], window.flat)

    def at_level(
        capacity: Capacity,
    ) -> Callable[[TrainState, Array, Array], tuple[TrainState, Array]]:
        return lambda state, rows, rate: step(state, assemble(flat, rows, capacity), rate)

    levels = [at_level(capacity) for capacity in capacities]

    def body(k: Array, carry: tuple[TrainState, Array]) -> tuple[TrainState, Array]:
        state, losses = carry
        arguments = state, window.rows[k, 0], learning_rates[k]
        state, loss = jax.lax.switch(window.levels[k], levels, *arguments)
        return state, losses.at[k].set(loss.astype(losses.dtype))

    losses = jnp.zeros(learning_rates.shape, jnp.result_type(float))
    return jax.lax.fori_loop(start, stop, body, (state, losses))
