"""Many steps in one program are the steps of a loop over batches."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.configs import AllegroConfig
from allegro_jax.datasets import Dataset, load
from allegro_jax.graphs import GraphDataset, batch
from allegro_jax.graphs.epochs import epoch_rows
from allegro_jax.models.build import build_model
from allegro_jax.potential import initial_params
from allegro_jax.training import TrainingConfig, atomic_energies, config_from_data, train
from allegro_jax.training import windows as windows_module
from allegro_jax.training.schedule import learning_rate, progress
from allegro_jax.training.step import initial_state, train_step
from allegro_jax.training.windows import TrainingWindows
from tests.small_models import SIZES

SMALL = {**SIZES["2025"], "num_layers": 1}
TRAINING = TrainingConfig(max_epochs=3, batch_size=6, learning_rate=1e-2)
"""Of 40 structures: the last batch of an epoch is part full."""


@pytest.fixture(scope="module")
def molecules() -> tuple[Dataset, Dataset]:
    """Of different sizes, so that batches have several capacities."""
    data = load("qm9")
    return data.select(range(0, 4000, 100)), data.select(range(4000, 4100, 10))


@pytest.fixture(scope="module")
def config(molecules: tuple[Dataset, Dataset]) -> AllegroConfig:
    return config_from_data(molecules[0], 4.0, **SMALL)


def graphs_of(config: AllegroConfig, data: Dataset) -> GraphDataset:
    return GraphDataset.build(data, config.cutoff, config.atomic_numbers, atomic_energies(data))


def one_by_one(config: AllegroConfig, training: TrainingConfig, data: Dataset) -> list[float]:
    """Mean loss of every epoch of a plain loop over batches built on the host."""
    graphs, size = graphs_of(config, data), training.batch_size
    capacities = TrainingWindows(graphs, size, _one_device(), 1.0).capacities
    step = jax.jit(partial(train_step, build_model(config), training))
    state = initial_state(initial_params(config, training.seed), training)
    total, done, means = training.max_epochs * -(-len(graphs) // size), 0, []
    for epoch in range(training.max_epochs):
        losses = []
        rng = np.random.default_rng([training.seed, epoch])
        for rows in epoch_rows(graphs, size, rng)[:, 0]:
            done += 1
            rate = jnp.float32(learning_rate(training, progress(done, total)))
            graph = batch(graphs, rows[rows < len(graphs)], capacities)
            state, loss = step(state, graph, rate)
            losses.append(float(loss))
        means.append(float(np.mean(losses)))
    return means


def _one_device():
    from allegro_jax.sharding.data import DataParallel

    return DataParallel.over(1, 1)


def test_the_loss_curve_is_that_of_a_loop_over_batches(config: AllegroConfig, molecules) -> None:
    result = train(config, TRAINING, *molecules)
    curve = [row["loss"] for row in result.history]
    np.testing.assert_allclose(curve, one_by_one(config, TRAINING, molecules[0]), rtol=2e-5)


def test_a_streamed_set_gives_the_run_of_one_on_the_device(
    config: AllegroConfig, molecules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows_module, "_WINDOW_BYTES", 50e3)
    streamed = TrainingConfig(max_epochs=3, batch_size=6, learning_rate=1e-2, resident_gb=0.0)
    windows = TrainingWindows(graphs_of(config, molecules[0]), 6, _one_device(), 0.0)
    assert [steps for steps, _ in windows.epoch(0, 0)] == [3, 3, 1]
    results = [train(config, training, *molecules) for training in (TRAINING, streamed)]
    assert [row["loss"] for row in results[0].history] == [
        row["loss"] for row in results[1].history
    ]
    same = jax.tree.map(np.array_equal, *(result.potential.params for result in results))
    assert all(jax.tree.leaves(same))


def test_a_run_compiles_two_or_three_programs_and_reports_its_padding(
    config: AllegroConfig, molecules
) -> None:
    result = train(config, TRAINING, *molecules)
    assert result.compilations <= 3
    assert result.compile_s > 0
    assert 0 < result.padding_waste <= 0.15


def test_a_time_limit_is_met_within_a_call(config: AllegroConfig, molecules) -> None:
    limit = 2.0
    brief = TrainingConfig(max_epochs=10**6, batch_size=6, time_limit_s=limit)
    result = train(config, brief, *molecules)
    assert result.stopped_by == "time_limit"
    assert limit <= result.history[-1]["seconds"] < limit + 1.5
    rate = result.history[-1]["learning_rate"] / brief.learning_rate
    assert rate == pytest.approx(brief.final_learning_rate, abs=0.05)
