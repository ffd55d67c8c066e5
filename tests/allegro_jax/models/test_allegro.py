"""The architecture as a Flax module: parameters, readouts, back ends, initial scale."""

import dataclasses

import jax
import numpy as np
import pytest
from ase.build import molecule

from allegro_jax.configs import StackedMLPReadout
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import batch_structures
from allegro_jax.models.allegro import Allegro
from allegro_jax.potential import energies, initial_params, predict
from tests.small_models import DOUBLE, small_config

SMALL = small_config(type_names=("H", "C", "O"), l_max=2)


@pytest.fixture(scope="module")
def ethanol():
    structures = [Structure.from_atoms(molecule("CH3CH2OH"))]
    return batch_structures(structures, SMALL.cutoff, SMALL.atomic_numbers)


@pytest.fixture(scope="module")
def params():
    return initial_params(SMALL, seed=3)


def shapes(config):
    return jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(lambda: initial_params(config)))


def test_parameters_have_readable_names_and_the_shapes_of_the_specification():
    assert shapes(SMALL) == {
        "two_body": {"centers": (3, 4), "neighbors": (3, 4), "radial": {"weight_0": (8, 8)}},
        "scalar_embed": {"weight_0": (8, 8), "weight_1": (8, 8)},
        "tensor_embed": {"weight_0": (8, 12)},
        "environment_embed": {"weight_0": (8, 20)},
        "tensor_product_0": (11, 4),
        "latent_0": {"weight_0": (12, 8), "weight_1": (8, 20)},
        "tensor_product_1": (3, 4),
        "latent_1": {"weight_0": (20, 8), "weight_1": (8, 8)},
        "readout": {"mlp": {"weight_0": (24, 8), "weight_1": (8, 1)}},
    }


def test_a_stacked_readout_has_two_perceptrons():
    config = dataclasses.replace(SMALL, readout=StackedMLPReadout((8,), 4, (6, 5)))
    assert shapes(config)["readout"] == {
        "mlp": {"weight_0": (24, 8), "weight_1": (8, 4)},
        "final_mlp": {"weight_0": (4, 6), "weight_1": (6, 5), "weight_2": (5, 1)},
    }


def test_trainable_options_become_parameters_that_start_at_their_values():
    config = dataclasses.replace(
        SMALL,
        bessel_trainable=True,
        trainable_scales=True,
        trainable_shifts=True,
        per_type_energy_scales=2.0,
        per_type_energy_shifts=(-1.0, -2.0, -3.0),
    )
    params = initial_params(config)
    np.testing.assert_array_equal(params["two_body"]["frequencies"], np.arange(1, 9))
    np.testing.assert_array_equal(params["energy_scales"], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(params["energy_shifts"], [-1.0, -2.0, -3.0])


def test_the_seed_fixes_the_parameters(params):
    again, other = initial_params(SMALL, seed=3), initial_params(SMALL, seed=4)
    for a, b, c in zip(*map(jax.tree.leaves, (params, again, other)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_energies_alone_equal_the_energies_of_a_prediction(params, ethanol):
    model = Allegro(SMALL)
    expected = jax.jit(predict, static_argnums=0)(model, params, ethanol).energy
    alone = jax.jit(energies, static_argnums=0)(model, params, ethanol)
    np.testing.assert_allclose(alone, expected, rtol=1e-6)


def test_both_tensor_product_back_ends_give_the_same_model(x64, params):
    structures = [Structure.from_atoms(molecule("CH3CH2OH"))]
    numbers = SMALL.atomic_numbers
    graph = batch_structures(structures, SMALL.cutoff, numbers, dtype=np.float64)
    results = []
    for backend in ("sparse", "e3nn"):
        config = dataclasses.replace(SMALL, tensor_product=backend, precision=DOUBLE)
        weights = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        results.append(jax.jit(predict, static_argnums=0)(Allegro(config), weights, graph))
    for sparse, e3nn in zip(*results, strict=True):
        np.testing.assert_allclose(sparse, e3nn, rtol=1e-12, atol=1e-12)


def test_models_of_equal_configs_are_equal():
    twin = dataclasses.replace(SMALL)
    assert Allegro(SMALL) == Allegro(twin)
    assert hash(Allegro(SMALL)) == hash(Allegro(twin))
