"""Training in other precisions than float32: what is kept in which type, and that it learns."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax import Precision, TrainingConfig, config_from_data, evaluate, load, train
from allegro_jax.graphs import GraphDataset, batch, capacities_for
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import initial_params, master_params
from allegro_jax.training.step import initial_state, train_step
from tests.small_models import DOUBLE, SIZES

MIXED = Precision(network="bfloat16")
"""Geometry and sums of energies in float32."""


@pytest.fixture(scope="module")
def sets():
    benzene = load("rmd17-benzene")
    return benzene.select(range(20)), benzene.select(range(40, 50))


@pytest.fixture(scope="module")
def config(sets):
    return config_from_data(sets[0], 3.5, **{**SIZES["2025"], "l_max": 0, "num_layers": 1})


@pytest.mark.parametrize("precision", [MIXED, pytest.param(DOUBLE, marks=pytest.mark.slow)])
def test_training_learns_and_reports_the_errors_of_its_potential(sets, config, precision) -> None:
    chosen = dataclasses.replace(config, precision=precision)
    training = TrainingConfig(max_epochs=6, batch_size=4, learning_rate=2e-2)
    result = train(chosen, training, *sets)
    assert result.best["forces_mae"] < 0.8 * np.abs(sets[1].forces).mean()
    types = {str(leaf.dtype) for leaf in jax.tree.leaves(result.potential.params)}
    assert types == {precision.network}
    error = evaluate(result.potential, sets[1])["forces_mae"]
    assert error == pytest.approx(result.best["forces_mae"], rel=1e-4)
    assert not jax.config.jax_enable_x64


def test_a_bfloat16_network_is_trained_by_float32_parameters_losses_and_moments(
    sets, config
) -> None:
    mixed = dataclasses.replace(config, precision=MIXED)
    training = TrainingConfig()
    state = initial_state(master_params(initial_params(mixed)), training)
    floats = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert {leaf.dtype for leaf in floats} == {jnp.dtype("float32")}
    graphs = GraphDataset.build(sets[0], config.cutoff, config.atomic_numbers)
    graph = batch(graphs, range(4), capacities_for(graphs, 4))
    shapes = jax.eval_shape(
        functools.partial(train_step, build_model(mixed), training), state, graph, 1e-3
    )
    after = [leaf for leaf in jax.tree.leaves(shapes) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert {leaf.dtype for leaf in after} == {jnp.dtype("float32")}
