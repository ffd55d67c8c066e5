"""Trains on shared batches and writes losses and parameters as JSON; run by `test_data.py`.

python -m tests.allegro_jax.sharding.curves DEVICES:RESIDENT_GB[:BATCHES_PER_STEP]... \
    [--join=PORT,PROCESSES,PROCESS]
"""

import dataclasses
import json
import sys

import jax
import numpy as np

from allegro_jax.datasets import Dataset, load
from allegro_jax.training import TrainingConfig, config_from_data, train
from tests.small_models import DOUBLE, SIZES

SMALL = {**SIZES["2025"], "l_max": 0, "num_layers": 1}


def partly_labelled(data: Dataset) -> Dataset:
    """Every second structure without a stress, every third without an energy, and so on."""
    stress, energy, forces = data.stress.copy(), data.energy.copy(), data.forces.copy()
    stress[::2], energy[::3], forces[::5] = np.nan, np.nan, np.nan
    return dataclasses.replace(data, stress=stress, energy=energy, forces=forces)


def run(devices: int, resident_gb: float, accumulate: int = 1) -> dict[str, object]:
    """A short training on structures of different sizes; the last batch is part full."""
    data = load("culi")
    by_size = np.argsort([len(item.numbers) for item in data], kind="stable")[200:249]
    train_set, valid_set = partly_labelled(data.select(by_size[5:])), data.select(by_size[:5])
    config = config_from_data(train_set, 3.5, precision=DOUBLE, **SMALL)
    training = TrainingConfig(
        max_epochs=3, batch_size=8 // accumulate, accumulate=accumulate, learning_rate=3e-3,
        devices=devices, resident_gb=resident_gb, stress_weight=10.0, balancing="uncertainty",
    )  # fmt: skip
    result = train(config, training, train_set, valid_set)
    leaves = [np.ravel(leaf) for leaf in jax.tree.leaves(result.potential.params)]
    losses = [row["loss"] for row in result.history]
    return {"losses": losses, "params": np.concatenate(leaves).tolist()}


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    if joined := [word for word in sys.argv if word.startswith("--join=")]:
        port, processes, process = joined[0].removeprefix("--join=").split(",")
        jax.distributed.initialize(f"127.0.0.1:{port}", int(processes), int(process))
    runs = [word.split(":") for word in sys.argv[1:] if not word.startswith("--")]
    json.dump([run(int(n), float(gb), *map(int, rest)) for n, gb, *rest in runs], sys.stdout)
