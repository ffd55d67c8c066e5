"""Time of a training step: a loop over batches from the host, whole epochs, streamed epochs.

    python -m tests.allegro_jax.training.measurements S    # or M; rMD17 aspirin, 6 Å, batches of 5

The three take turns in one process; a JSON line each gives medians per step, CPU of the process and
wall, without compilation and validation.
"""

import functools
import json
import sys
import time
from collections.abc import Callable

import jax
import numpy as np

from allegro_jax.configs import MLPConfig, MLPReadout
from allegro_jax.datasets import load
from allegro_jax.graphs import GraphDataset, batch, capacities_for
from allegro_jax.graphs.epochs import epoch_rows
from allegro_jax.models.build import build_model
from allegro_jax.potential import initial_params
from allegro_jax.sharding.data import DataParallel
from allegro_jax.training import TrainingConfig, atomic_energies, config_from_data
from allegro_jax.training.pace import Pace
from allegro_jax.training.step import TrainState, initial_state, train_step
from allegro_jax.training.trainer import Trainer

SIZES = {"S": (1, 1, 32, 8, 100), "M": (2, 2, 64, 32, 20)}
"""l_max, layers, scalar and tensor channels; steps of an epoch."""
ROUNDS, BATCH = 7, 5


def main(size: str) -> None:
    """Prints the medians."""
    l_max, layers, scalars, tensors, steps = SIZES[size]
    mlp, data = MLPConfig(1, scalars), load("rmd17-aspirin").select(range(steps * BATCH))
    config = config_from_data(
        data, 6.0, l_max=l_max, num_layers=layers, num_scalar_features=scalars,
        num_tensor_features=tensors, scalar_embed_mlp=mlp, allegro_mlp=mlp,
        readout=MLPReadout((scalars,)),
    )  # fmt: skip
    graphs = GraphDataset.build(data, 6.0, config.atomic_numbers, atomic_energies(data))

    def trained(resident_gb: float) -> Callable[[TrainState], TrainState]:
        training = TrainingConfig(batch_size=BATCH, resident_gb=resident_gb)
        trainer = Trainer(config, training, graphs, DataParallel.over(BATCH, 1))
        pace = Pace(None, lambda: trainer.program.compile_s)
        return lambda state: trainer.epoch(state, 0, pace)[0]

    step = functools.partial(train_step, build_model(config), TrainingConfig())
    compiled = jax.jit(step, donate_argnums=0)
    capacities = capacities_for(graphs, BATCH)

    def looped(state: TrainState) -> TrainState:
        for rows in epoch_rows(graphs, BATCH, np.random.default_rng(0))[:, 0]:
            state, loss = compiled(state, batch(graphs, rows, capacities), np.float32(1e-3))
            loss.block_until_ready()
        return state

    ways = {"host batches": looped, "whole epochs": trained(1.0), "streamed epochs": trained(0.0)}
    states = {name: initial_state(initial_params(config), TrainingConfig()) for name in ways}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, epoch in ways.items():
            begin = time.process_time(), time.perf_counter()
            states[name] = jax.block_until_ready(epoch(states[name]))
            times[name].append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
    for name, taken in times.items():
        cpu, wall = 1e3 * np.median(taken[1:], axis=0) / steps
        line = {"size": size, "way": name, "cpu_ms": round(cpu, 2), "wall_ms": round(wall, 2)}
        print(json.dumps(line))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
