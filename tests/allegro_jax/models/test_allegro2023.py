"""The architecture of 2023: parameters, published sizes, options, back ends, the way to disk."""

import dataclasses

import jax
import numpy as np
import pytest
from ase.build import molecule

from allegro_jax.configs import (
    Allegro2023Config,
    AllegroConfig,
    MLPReadout,
    StackedMLPReadout,
)
from allegro_jax.models.build import build_model
from allegro_jax.potential import Potential, initial_params
from tests.small_models import DOUBLE

SMALL = Allegro2023Config(
    type_names=("H", "C", "O"),
    cutoff=3.5,
    l_max=1,
    num_tensor_features=4,
    two_body_widths=(6, 8),
    latent_widths=(7, 8),
    readout=MLPReadout((5,), None),
    avg_num_neighbors=7.0,
    precision=DOUBLE,
)

TINY = dataclasses.replace(SMALL, l_max=0, num_layers=1)


def shapes(config):
    return jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(lambda: initial_params(config)))


def num_parameters(config):
    leaves = jax.tree.leaves(jax.eval_shape(lambda: initial_params(config)))
    return sum(leaf.size for leaf in leaves)


@pytest.fixture(scope="module")
def tiny_params():
    return initial_params(TINY, seed=3)


def test_parameters_have_readable_names_and_the_shapes_of_the_specification():
    assert shapes(SMALL) == {
        "two_body": {"mlp": {"weight_0": (14, 6), "weight_1": (6, 8)}},
        "environment_embed_0": {"weight_0": (8, 16)},
        "mix_0_0e": (8, 4),
        "mix_0_1o": (8, 4),
        "latent_0": {"weight_0": (16, 7), "weight_1": (7, 8)},
        "environment_embed_1": {"weight_0": (8, 8)},
        "latent_1": {"weight_0": (16, 7), "weight_1": (7, 8)},
        "readout": {"mlp": {"weight_0": (8, 5), "weight_1": (5, 1)}},
    }


@pytest.mark.parametrize(
    ("num_layers", "l_max", "published", "scalar_paths"),
    [(3, 2, 17_926_533, 3), (1, 3, 7_375_237, 4)],
)
def test_the_models_of_the_paper_for_qm9_have_their_published_size(
    num_layers, l_max, published, scalar_paths
):
    config = Allegro2023Config(
        type_names=("H", "C", "N", "O", "F"),
        cutoff=10.0,
        l_max=l_max,
        num_layers=num_layers,
        num_tensor_features=256,
        two_body_widths=(128, 256, 512, 1024),
        latent_widths=(1024, 1024, 1024),
        readout=MLPReadout((128,), None),
        trainable_shifts=True,
    )
    unused = scalar_paths * 256**2  # theirs has a linear map after the last product, ours does not
    assert num_parameters(config) + unused == published


def test_weights_start_as_specified():
    wide = dataclasses.replace(SMALL, num_tensor_features=64, trainable_residual=True)
    drawn = initial_params(dataclasses.replace(wide, trainable_edge_scales=True))
    for name in ("mix_0_0e", "mix_0_1o"):
        weights = np.asarray(drawn[name])
        assert weights.std() == pytest.approx(1.0, abs=0.04)
        assert np.abs(weights).max() > 2.5, "a normal distribution, not a uniform one"
    uniform = np.asarray(drawn["environment_embed_0"]["weight_0"])
    assert 1.7 < np.abs(uniform).max() <= np.sqrt(3)
    np.testing.assert_array_equal(drawn["residual"], [0.0, 0.0])
    np.testing.assert_array_equal(drawn["edge_scales"], np.ones((3, 3)))


def test_trainable_options_leave_the_initial_energy_as_it_is(tiny_params):
    ethanol = molecule("CH3CH2OH")
    expected = Potential(TINY, tiny_params)(ethanol)
    options = ("bessel_trainable", "trainable_residual", "trainable_edge_scales")
    trainable = dataclasses.replace(TINY, **dict.fromkeys(options, True))
    added = {
        "two_body": tiny_params["two_body"] | {"frequencies": np.arange(1.0, 9.0)},
        "residual": np.zeros(1),
        "edge_scales": np.ones((3, 3)),
    }
    assert Potential(trainable, tiny_params | added)(ethanol).energy == pytest.approx(
        expected.energy
    )
    for change in ({"residual": np.ones(1)}, {"edge_scales": np.full((3, 3), 2.0)}):
        changed = Potential(trainable, tiny_params | added | change)(ethanol)
        assert abs(changed.energy / expected.energy - 1) > 0.05


def test_scales_of_pairs_of_types_multiply_the_energies_of_their_edges(tiny_params):
    config = dataclasses.replace(TINY, trainable_edge_scales=True)
    water = molecule("H2O")
    table = np.ones((3, 3))
    table[0] = 3.0  # H as the centre
    plain = Potential(TINY, tiny_params)(water).atomic_energies
    scaled = Potential(config, tiny_params | {"edge_scales": table})(water).atomic_energies
    np.testing.assert_allclose(scaled, plain * np.where(water.symbols == "H", 3.0, 1.0), rtol=1e-12)


def test_both_tensor_product_back_ends_give_the_same_model_with_odd_irreps():
    config = dataclasses.replace(SMALL, num_layers=3, num_tensor_features=2)
    params = initial_params(config)
    assert "mix_0_1e" in params, "parity must matter here"
    ethanol = molecule("CH3CH2OH")
    results = [
        Potential(dataclasses.replace(config, tensor_product=backend), params)(ethanol)
        for backend in ("sparse", "e3nn")
    ]
    np.testing.assert_allclose(results[0].forces, results[1].forces, rtol=1e-10, atol=1e-12)
    assert np.abs(results[0].forces).max() > 1e-3


def test_a_potential_survives_the_way_to_disk(tmp_path):
    readout = StackedMLPReadout((5,), 4, (6, 3))
    config = dataclasses.replace(SMALL, l_max=0, num_layers=1, readout=readout)
    potential = Potential(config, initial_params(config), {"H": -1.0, "C": -2.0, "O": -3.0})
    potential.save(tmp_path)
    loaded = Potential.load(tmp_path)
    assert loaded.config == config
    assert loaded(molecule("H2O")).energy == potential(molecule("H2O")).energy


def test_models_of_equal_configs_are_equal_and_of_another_architecture_not():
    assert build_model(SMALL) == build_model(dataclasses.replace(SMALL))
    assert hash(build_model(SMALL)) == hash(build_model(dataclasses.replace(SMALL)))
    assert build_model(SMALL) != build_model(AllegroConfig(("H", "C", "O"), 3.5))
    with pytest.raises(ValueError, match="Allegro2023Config; got a dict"):
        build_model({"cutoff": 3.5})
