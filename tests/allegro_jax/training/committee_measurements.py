"""What a committee costs, and how well its spread tells its error.

    python -m tests.allegro_jax.training.committee_measurements time         # JSON lines
    python -m tests.allegro_jax.training.committee_measurements calibration  # one JSON line

Both take rMD17 aspirin, 5 Å, batches of 5, l_max 1 and one layer with 16 scalar and 4 tensor
channels. "time" lets one training, and a committee of four, take turns in one process and prints
medians per step (CPU of the process, without compilation and validation), and how far parameters
of the first member are from those of the single training in the end. "calibration" trains a
committee of four on 200 frames and compares spreads and errors on 200 others: Spearman's rank
correlation, and the root mean square error over that of the spread, both per atom for forces.
"""

import json
import sys
import time

import jax
import numpy as np
from scipy.stats import spearmanr

from allegro_jax.configs import MLPConfig, MLPReadout, ModelConfig
from allegro_jax.datasets import Dataset, load
from allegro_jax.graphs import GraphDataset
from allegro_jax.potential import initial_params
from allegro_jax.sharding.data import DataParallel
from allegro_jax.training import TrainingConfig, atomic_energies, config_from_data, train
from allegro_jax.training.members import joined
from allegro_jax.training.pace import Pace
from allegro_jax.training.step import initial_state
from allegro_jax.training.trainer import Trainer

MEMBERS, BATCH, ROUNDS = 4, 5, 7


def model(data: Dataset) -> ModelConfig:
    """A tiny model with the statistics of `data`."""
    mlp = MLPConfig(1, 16)
    return config_from_data(
        data, 5.0, l_max=1, num_layers=1, num_scalar_features=16, num_tensor_features=4,
        scalar_embed_mlp=mlp, allegro_mlp=mlp, readout=MLPReadout((16,)),
    )  # fmt: skip


def times() -> None:
    """Prints the CPU time of a step of one training, and of a committee."""
    data = load("rmd17-aspirin").select(range(200))
    config = model(data)
    graphs = GraphDataset.build(data, 5.0, config.atomic_numbers, atomic_energies(data))
    trainers, states, taken = {}, {}, {}
    for members in (1, MEMBERS):
        training = TrainingConfig(batch_size=BATCH, members=members)
        trainers[members] = Trainer(config, training, graphs, DataParallel.over(BATCH, 1))
        singles = [initial_state(initial_params(config, k), training) for k in range(members)]
        states[members], taken[members] = joined(singles), []
    paces = {
        members: Pace(None, lambda program=trainer.program: program.compile_s)
        for members, trainer in trainers.items()
    }
    for _ in range(ROUNDS + 1):
        for members, trainer in trainers.items():
            begin = time.process_time()
            state, _ = trainer.epoch(states[members], 0, paces[members])
            states[members] = jax.block_until_ready(state)
            taken[members].append(time.process_time() - begin)
    steps = len(data) // BATCH
    for members, seconds in taken.items():
        cpu_ms = 1e3 * float(np.median(seconds[1:])) / steps
        compile_s = trainers[members].program.compile_s
        line = {"members": members, "cpu_ms": cpu_ms, "per_member_ms": cpu_ms / members}
        print(json.dumps({**line, "compile_s": compile_s}))  # noqa: T201
    one, member = (jax.tree.leaves(states[k].params) for k in (1, MEMBERS))
    differences = [np.abs(a - b[0]).max() for a, b in zip(one, member, strict=True)]
    done = steps * (ROUNDS + 1)
    line = {"steps": done, "parameters_of_member_0_differ_by": float(max(differences))}
    print(json.dumps(line))  # noqa: T201


def calibration() -> None:
    """Prints how spreads and errors go together on frames that were not trained on."""
    frames = load("rmd17-aspirin")
    train_set, valid_set = frames.select(range(200)), frames.select(range(200, 220))
    test_set = frames.select(range(220, 420))
    training = TrainingConfig(
        max_epochs=60, batch_size=BATCH, learning_rate=1e-2, members=MEMBERS
    )  # fmt: skip
    committee = train(model(train_set), training, train_set, valid_set).potential
    results = committee(test_set)
    atoms = test_set.n_atoms[0]
    spread = np.stack([result.forces_spread for result in results])
    forces = np.stack([result.forces for result in results])
    difference = forces - test_set.forces.reshape(-1, atoms, 3)
    error = np.linalg.norm(difference, axis=-1)
    alone = np.stack([[member.forces for member in result.members] for result in results])
    alone_mae = np.abs(alone - test_set.forces.reshape(-1, 1, atoms, 3)).mean(axis=(0, 2, 3))
    energy_error = np.abs([result.energy for result in results] - test_set.energy)
    energy_spread = np.array([result.energy_spread for result in results])
    line = {
        "forces_mae": float(np.abs(difference).mean()),
        "forces_mae_members": alone_mae.round(4).tolist(),
        "spearman_atoms": float(spearmanr(spread.ravel(), error.ravel()).statistic),
        "spearman_frames_max": float(spearmanr(spread.max(1), error.max(1)).statistic),
        "spearman_energy": float(spearmanr(energy_spread, energy_error).statistic),
        "forces_rms_error_over_rms_spread": float(_rms(error) / _rms(spread)),
        "energy_rms_error_over_rms_spread": float(_rms(energy_error) / _rms(energy_spread)),
    }
    print(json.dumps(line))  # noqa: T201


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    {"time": times, "calibration": calibration}[sys.argv[1]]()
