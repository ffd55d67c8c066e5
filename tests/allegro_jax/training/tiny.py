"""A model of a second's compilation, with molecules, for tests of single steps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jraph
import numpy as np

from allegro_jax.configs import AllegroConfig
from allegro_jax.datasets import Dataset, load
from allegro_jax.graphs import GraphDataset, batch, capacity_for
from allegro_jax.models.build import build_model
from allegro_jax.potential import initial_params
from allegro_jax.training import TrainingConfig, atomic_energies, config_from_data
from allegro_jax.training.step import TrainState, initial_state, train_step
from tests.small_models import SIZES

TINY = {**SIZES["2025"], "l_max": 0, "num_layers": 1}


@functools.cache
def molecules() -> Dataset:
    """Of different sizes, with random forces."""
    data = load("qm9").select(range(100, 2100, 200))
    rng = np.random.default_rng(0)
    forces = rng.normal(size=data.positions.shape)
    return Dataset("molecules", data.numbers, data.positions, data.n_atoms, data.energy, forces)


@functools.cache
def tiny_config() -> AllegroConfig:
    return config_from_data(molecules(), 3.0, **TINY)


def graphs_of(data: Dataset) -> GraphDataset:
    config = tiny_config()
    references = atomic_energies(molecules())
    return GraphDataset.build(data, config.cutoff, config.atomic_numbers, references)


def batch_of(graphs: GraphDataset, rows: Any) -> jraph.GraphsTuple:
    """Rows of a set in room for all of it."""
    return batch(graphs, rows, capacity_for(graphs, len(graphs)))


def tiny_state(training: TrainingConfig) -> TrainState:
    return initial_state(initial_params(tiny_config()), training)


def energies_alone() -> tuple[Callable[..., Any], jraph.GraphsTuple]:
    """A training step after settings, and a batch whose only labels are energies, 0.3 eV/atom off.

    From the references alone they are predicted so well that there is little to learn.
    """
    graph = batch_of(graphs_of(molecules()), range(10))
    nodes = {name: values for name, values in graph.nodes.items() if name != "forces"}
    labels = {**graph.globals, "energy": graph.globals["energy"] + 0.3 * graph.n_node}
    step = functools.partial(train_step, build_model(tiny_config()))
    return step, jax.device_put(graph._replace(nodes=nodes, globals=labels))
