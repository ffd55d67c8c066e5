"""Many optimiser steps in one compiled program.

Between calls a step pays for Python, for the transfer of its batch, and, on a CPU, for memory that
the operating system clears for its intermediate results: up to a quarter of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from allegro_jax.graphs import Capacity
from allegro_jax.graphs.flat import FlatGraphs, assemble
from allegro_jax.training.schedule import Controls
from allegro_jax.training.step import TrainState
from allegro_jax.training.windows import Window

Step = Callable[..., tuple[TrainState, Float[Array, ""]]]
"""State, structures, their rows and levels, learning rate, weights -> state, loss."""


def on_rows(step: Step, capacities: Sequence[Capacity]) -> Step:
    """Returns a step on rows of the flat arrays from one on a padded batch.

    Args:
        step: State, batch, learning rate, weights -> state, loss.
        capacities: Padded sizes; a batch takes that of its level.
    """

    def assembled(
        state: TrainState, flat: FlatGraphs, rows: Array, level: Array, *controls: Any
    ) -> tuple[TrainState, Array]:
        levels = [
            lambda state, rows, *now, capacity=capacity: step(
                state, assemble(flat, rows, capacity), *now
            )
            for capacity in capacities
        ]
        return jax.lax.switch(level, levels, state, rows, *controls)

    return assembled


def train_steps(
    step: Step,
    state: TrainState,
    window: Window,
    controls: Controls,
    start: Int[Array, ""],
    stop: Int[Array, ""],
) -> tuple[TrainState, Float[Array, "steps"]]:
    """Makes the steps from `start` up to `stop` of a window.

    The bounds are values, not sizes, so one program serves calls of every length, and a step gives
    the same result in whatever call it is made.

    Args:
        step: See `Step`.
        state: Before the steps.
        window: This device's part.
        controls: Of every step of the window.
        start: First step.
        stop: The step after the last.

    Returns:
        The state after the steps, and their losses in the places of the steps.
    """
    flat = jax.tree.map(lambda leaf: leaf[0], window.flat)

    def body(k: Array, carry: tuple[TrainState, Array]) -> tuple[TrainState, Array]:
        state, losses = carry
        now = jax.tree.map(lambda values: values[k], controls)
        state, loss = step(state, flat, window.rows[k, 0], window.levels[k], *now)
        return state, losses.at[k].set(loss.astype(losses.dtype))

    losses = jnp.zeros(controls.learning_rate.shape, jnp.result_type(float))
    return jax.lax.fori_loop(start, stop, body, (state, losses))
