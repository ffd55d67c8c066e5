"""Errors after equal steps, and time per step, of training in several precisions.

    python -m tests.allegro_jax.training.precision_measurements

rMD17 aspirin, the tiny model and the batches of `committee_measurements`: 200 frames, 1,200 steps,
the same three seeds (trained together) with the same initial parameters in every precision, 200
test frames. A JSON line each: mean absolute force error of every seed, and CPU time of the process
per step and seed, without compilation, validation included (20 frames once in 40 steps).
"""

import dataclasses
import itertools
import json
import time

import numpy as np

from allegro_jax import Committee, Potential, evaluate
from allegro_jax.configs import Precision
from allegro_jax.datasets import load
from allegro_jax.potential import initial_params
from allegro_jax.training import TrainingConfig, atomic_energies, train
from tests.allegro_jax.training.committee_measurements import BATCH, model

SEEDS, EPOCHS = 3, 30
PRECISIONS = {
    "float32": Precision(),
    "bfloat16 network": Precision(network="bfloat16"),
    "float64 geometry and energies": Precision(geometry="float64", energy="float64"),
    "float64": Precision("float64", "float64", "float64"),
}


def main() -> None:
    """Prints the lines."""
    frames = load("rmd17-aspirin")
    train_set, valid_set = frames.select(range(200)), frames.select(range(200, 220))
    test_set = frames.select(range(220, 420))
    config, references = model(train_set), atomic_energies(train_set)
    start = Committee.of(
        Potential(config, initial_params(config, seed), references) for seed in range(SEEDS)
    )
    training = TrainingConfig(
        max_epochs=EPOCHS, batch_size=BATCH, learning_rate=1e-2, members=SEEDS, references="keep"
    )
    steps = len(train_set) // BATCH * SEEDS
    for name, precision in PRECISIONS.items():
        chosen = dataclasses.replace(config, precision=precision)
        ends: list[float] = []
        result = train(
            chosen, training, train_set, valid_set, init=start,
            on_epoch=lambda _, ends=ends: ends.append(time.process_time()),
        )  # fmt: skip
        errors = evaluate(result.potential, test_set)
        taken = [after - before for before, after in itertools.pairwise(ends)]
        line = {
            "precision": name,
            "forces_mae": [round(errors[f"forces_mae/member_{k}"], 5) for k in range(SEEDS)],
            "cpu_ms": round(1e3 * float(np.median(taken)) / steps, 2),
        }
        print(json.dumps(line), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
