"""Circuits as layers: their options, where their weights start, sequences, latents."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from allegro_jax.configs import CircuitReadout, QDILayer, QDIReadout, config_from_json
from allegro_jax.models.build import build_model
from allegro_jax.models.circuits import PREPARED, LatentCircuit, qdi_circuit
from allegro_jax.models.energy import initial_params
from allegro_jax.models.qdi import QDIReadoutModule
from allegro_jax.models.readouts import prepared_variables
from allegro_jax.nn.mlp import MLP
from allegro_jax.nn.radial import polynomial_envelope
from allegro_jax.potential import Potential
from allegro_jax.quantum import register_circuit, registry
from allegro_jax.quantum.expectations import expectations
from allegro_jax.quantum.pennylane_compat import import_pennylane
from allegro_jax.quantum.structure import live_weights
from tests.small_models import DOUBLE, READOUTS, SIZES, small_config

SMALL = QDIReadout(hidden=(8,), features=4, n_qubits=2, depth=1, final_width=3)
LAYER = QDILayer(features=2, n_qubits=2)
SCALARS = jnp.sin(jnp.arange(20.0)).reshape(4, 5)
ENVELOPE = jnp.linspace(0.2, 0.9, 4)


def initialised(**options):
    module = QDIReadoutModule(dataclasses.replace(SMALL, **options))
    return module, module.init(jax.random.key(0), SCALARS, ENVELOPE)["params"]


def energies_of(module, params):
    return np.asarray(module.apply({"params": params}, SCALARS, ENVELOPE))


# Options


def test_without_options_the_parameters_are_those_of_earlier_models():
    _, params = initialised()
    assert set(params) == {"mlp", "circuit_weights", "fully_connected", "bias", "output"}
    assert params["circuit_weights"].shape == (3, 1, 2, 3)


def test_a_scale_and_frequencies_multiply_the_features():
    _, plain = initialised()
    scaled, _ = initialised(input_scale=0.5)
    trained, params = initialised(input_scale=0.5, train_input_scale=True, learn_frequency=True)
    assert params["input_scale"] == 0.5
    np.testing.assert_array_equal(params["frequencies"], np.ones(4))

    frequencies = jnp.array([1.0, 2.0, 0.5, -1.0])
    own = {"input_scale": jnp.float32(1.5), "frequencies": frequencies}
    last = plain["mlp"]["weight_1"]
    expected = plain | {"mlp": plain["mlp"] | {"weight_1": 1.5 * last * frequencies[None, :]}}
    module, _ = initialised()
    np.testing.assert_allclose(
        energies_of(trained, plain | own), energies_of(module, expected), atol=2e-6
    )
    halved = plain | {"mlp": plain["mlp"] | {"weight_1": 0.5 * last}}
    np.testing.assert_allclose(energies_of(scaled, plain), energies_of(module, halved), atol=2e-6)


def test_dropping_dead_weights_leaves_the_function_and_takes_their_parameters():
    module, params = initialised()
    fewer, dropped = initialised(drop_dead_weights=True)
    live = live_weights(qdi_circuit(SMALL))
    assert dropped["circuit_weights"].shape == (16,)
    of_live = params | {"circuit_weights": params["circuit_weights"][live]}
    np.testing.assert_allclose(energies_of(fewer, of_live), energies_of(module, params), atol=2e-6)


def test_weights_start_where_the_config_says():
    wide = {"features": 16, "depth": 4}
    start = {
        kind: np.asarray(initialised(**wide, initialization=kind)[1]["circuit_weights"])
        for kind in ("uniform", "normal", "zeros")
    }
    assert start["uniform"].min() > 0
    assert 5 < start["uniform"].max() < 2 * np.pi
    assert start["normal"].std() == pytest.approx(0.1, rel=0.2)
    assert abs(start["normal"].mean()) < 0.03
    assert not start["zeros"].any()


# Hybrids


def test_circuits_in_sequence_are_joined_by_linear_maps():
    module, params = initialised(n_circuits=2)
    features = MLP((8, 4)).apply({"params": params["mlp"]}, SCALARS)
    circuit = qdi_circuit(SMALL)
    first = expectations(features, params["circuit_weights"], circuit)
    between = first @ params["between_1"]["weight_0"] / np.sqrt(2)
    second = expectations(between, params["circuit_weights_1"], circuit)
    channels = second @ params["fully_connected"]["weight_0"] / np.sqrt(2)
    expected = ENVELOPE[:, None] * (channels @ params["output"]["weight_0"]) / np.sqrt(3)
    np.testing.assert_allclose(energies_of(module, params), expected, atol=1e-5)


def test_a_perceptron_beside_the_circuit_joins_it_in_the_linear_map():
    module, params = initialised(parallel_widths=(6, 3))
    assert params["fully_connected"]["weight_0"].shape == (2 + 3, 3)
    silent = jax.tree.map(jnp.zeros_like, params["parallel"])
    alone, _ = initialised()
    of_circuit = {name: value for name, value in params.items() if name != "parallel"}
    rows = params["fully_connected"]["weight_0"][:2] * np.sqrt(2 / 5)
    of_circuit["fully_connected"] = {"weight_0": rows}
    np.testing.assert_allclose(
        energies_of(module, params | {"parallel": silent}),
        energies_of(alone, of_circuit),
        atol=1e-6,
    )
    assert np.abs(energies_of(module, params) - energies_of(alone, of_circuit)).max() > 1e-3


# Latents


def test_a_latent_circuit_and_two_derivatives_vanish_with_the_scalars(x64):
    """(1 - x)^3 at the cutoff, as the envelope in the scalars: energy, force and curvature."""
    module = LatentCircuit(LAYER, 3, dtype=jnp.float64)

    def scalars(x):
        u = polynomial_envelope(x[None], 6.0)
        return [u[:, None] * jnp.sin(x * jnp.arange(1.0, 4.0))[None, :]]

    variables = module.init(jax.random.key(0), scalars(jnp.float64(0.5)), (3,))

    def latent(x):
        return module.apply(variables, scalars(x), (3,))[0].sum()

    for order, function in enumerate([latent, jax.grad(latent), jax.grad(jax.grad(latent))]):
        function = jax.jit(function)
        near, nearer = (abs(function(jnp.float64(1.0 - gap))) for gap in (1e-2, 1e-3))
        assert near > 1e-8, "a latent of zero everywhere would not test anything"
        assert nearer < 0.2 * near * 10 ** -(2 - order)
        assert function(jnp.float64(1.0)) == 0


def atoms_near_the_cutoff(gap):
    """A water molecule, and another oxygen atom `gap` inside the cutoff of its oxygen atom."""
    atoms = molecule("H2O")
    return atoms + Atoms("O", atoms.positions[:1] + np.array([[0.0, 0.0, 4.0 - gap]]))


@pytest.mark.parametrize("architecture", SIZES)
def test_energy_is_smooth_at_the_cutoff_with_circuits_in_the_latents(architecture):
    config = small_config(architecture, precision=DOUBLE, latent_circuit=LAYER)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: initial_params(config))
    params = jax.tree.map(lambda leaf: rng.uniform(-1.7, 1.7, leaf.shape), shapes)
    assert f"latent_{config.num_layers - 1}_circuit" in params
    potential = Potential(config, params, dict.fromkeys(config.type_names, 0.0))

    def jump(gap):
        inside, outside = potential([atoms_near_the_cutoff(gap), atoms_near_the_cutoff(-gap)])
        return abs(inside.energy - outside.energy), abs(inside.forces - outside.forces).max()

    (energy, force), (half_energy, half_force) = jump(0.02), jump(0.01)
    assert energy > 1e-13
    assert half_energy < energy / 6
    assert half_force < force / 3


# Circuits of the user


@pytest.fixture
def own_circuit():
    """A registered circuit of two qubits, forgotten after the test."""
    qml = import_pennylane()

    @qml.qnode(qml.device("default.qubit", wires=2), diff_method="backprop")
    def ring(features, weights):
        qml.AngleEmbedding(features, wires=[0, 1])
        qml.BasicEntanglerLayers(weights, wires=[0, 1])
        return [qml.expval(qml.Z(0)), qml.expval(qml.X(1)), qml.expval(qml.Y(1))]

    yield register_circuit("tests' ring", ring, n_features=2, weight_shape=(2, 2))
    registry._CIRCUITS.pop("tests' ring", None)


def test_a_saved_potential_finds_its_circuit_by_name_or_says_what_is_missing(own_circuit, tmp_path):
    readout = CircuitReadout((8,), circuit=own_circuit.name, final_width=3, learn_frequency=True)
    config = dataclasses.replace(small_config(), readout=readout)
    assert config_from_json(json.loads(json.dumps(config.to_json()))) == config
    potential = Potential(config, initial_params(config), dict.fromkeys(config.type_names, 0.0))
    assert potential.params["readout"]["fully_connected"]["weight_0"].shape == (3, 3)
    potential.save(tmp_path)
    water = molecule("H2O")
    (before,), (after,) = potential([water]), Potential.load(tmp_path)([water])
    np.testing.assert_array_equal(after.forces, before.forces)
    assert np.abs(before.forces).max() > 1e-6

    registry._CIRCUITS.pop(own_circuit.name)
    with pytest.raises(ValueError, match=r"no circuit is registered.*register_circuit\("):
        Potential.load(tmp_path)


def test_matrices_prepared_once_give_the_same_energies_and_are_there_for_every_circuit():
    readout = dataclasses.replace(READOUTS["qdi"], n_circuits=2, drop_dead_weights=True)
    config = dataclasses.replace(small_config(latent_circuit=LAYER), readout=readout)
    params, model = initial_params(config), build_model(config)
    prepared = prepared_variables(config, params)
    found = {name: set(variables) for name, variables in prepared[PREPARED].items()}
    latents = {f"latent_{layer}_circuit": {"circuit"} for layer in range(config.num_layers)}
    assert found == {"readout": {"circuit", "circuit_1"}} | latents

    vectors = jax.random.normal(jax.random.key(1), (6, 3))
    species, receivers = jnp.array([0, 2]), jnp.array([0, 0, 0, 1, 1, 1])
    edges = vectors, species, jnp.ones(6, int), receivers
    np.testing.assert_allclose(
        model.apply({"params": params, **prepared}, *edges),
        model.apply({"params": params}, *edges),
        atol=1e-6,
    )
