"""Each control lacks exactly what its name says."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.configs import (
    FrozenQDIReadout,
    LinearControl,
    MLPControl,
    QDIReadout,
    TrigonometricControl,
)
from allegro_jax.datasets import load
from allegro_jax.models.controls import frequencies
from allegro_jax.models.energy import initial_params
from allegro_jax.models.readouts import build_readout, prepared_variables
from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations
from allegro_jax.training import TrainingConfig, train
from tests.small_models import CONTROLS, small_config

QDI = QDIReadout(hidden=(8,), features=4, n_qubits=2, depth=1, final_width=3)


def initialised(config, dtype=jnp.float32, channels=5):
    module = build_readout(config, normalization="fan_in", dtype=dtype, name="readout")
    rng = np.random.default_rng(0)
    scalars, envelope = jnp.asarray(rng.normal(size=(6, channels)), dtype), jnp.ones(6, dtype)
    return module, module.init(jax.random.key(0), scalars, envelope), scalars, envelope


def test_the_spectrum_is_that_of_the_paper_81_frequencies():
    omegas = frequencies(TrigonometricControl(features=4))
    both_signs = np.concatenate([omegas, -omegas, np.zeros((1, 4), int)])
    every = set(itertools.product((-1, 0, 1), repeat=4))
    assert len(both_signs) == 81
    assert set(map(tuple, both_signs.tolist())) == every


@pytest.mark.parametrize("features", [4, 12])
def test_drawn_frequencies_are_distinct_up_to_sign_and_repeat_with_the_seed(features):
    first, again, other = (
        frequencies(TrigonometricControl(features=features, frequencies=30, seed=seed))
        for seed in (0, 0, 1)
    )
    assert first.shape == (30, features)
    assert len(np.unique(np.concatenate([first, -first]), axis=0)) == 60
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert set(np.unique(first)) <= {-1, 0, 1}


@pytest.mark.parametrize("rotation", ["X", "Z"])
def test_a_circuit_is_a_trigonometric_polynomial_of_this_spectrum(rotation, x64):
    """All of its outputs lie in the span of 1, cos(ω·x), sin(ω·x); with one frequency less, not."""
    rng = np.random.default_rng(0)
    circuit = QDICircuit(n_features=4, n_qubits=2, depth=2, rotation=rotation)
    x = rng.uniform(0, 2 * np.pi, (300, 4))
    weights = rng.uniform(0, 2 * np.pi, circuit.weight_shape)
    outputs = np.asarray(qdi_expectations(jnp.asarray(x), jnp.asarray(weights), circuit))
    phases = x @ frequencies(TrigonometricControl(features=4)).T

    def misfit(phases):
        basis = np.concatenate([np.ones((len(x), 1)), np.cos(phases), np.sin(phases)], axis=1)
        return np.abs(basis @ np.linalg.lstsq(basis, outputs, rcond=None)[0] - outputs).max()

    assert misfit(phases) < 1e-12
    assert max(misfit(np.delete(phases, k, axis=1)) for k in range(40)) > 1e-3


def test_the_linear_control_is_linear_behind_the_features():
    module, variables, scalars, envelope = initialised(LinearControl.of(QDI))
    params = variables["params"] | {"bias": jnp.array([0.2, -0.1, 0.4])}
    weights = {name: np.asarray(params[name]["weight_0"]) for name in params if name != "bias"}
    hidden = np.asarray(scalars) @ weights["mlp"] / np.sqrt(5)
    second = np.asarray(params["mlp"]["weight_1"]) * np.sqrt(2 / 8)
    z = hidden / (1 + np.exp(-hidden)) @ second
    x = z @ weights["coefficients"] / 2 @ weights["fully_connected"] / np.sqrt(2)
    expected = (x + np.asarray(params["bias"])) @ weights["output"] / np.sqrt(3)
    np.testing.assert_allclose(module.apply({"params": params}, scalars, envelope), expected, 1e-4)


def test_controls_have_the_widths_of_the_readout_they_are_made_from():
    names = ("mlp", "fully_connected", "output", "bias")
    shapes = [
        jax.tree.map(jnp.shape, {name: initialised(config)[1]["params"][name] for name in names})
        for config in (QDI, LinearControl.of(QDI), TrigonometricControl.of(QDI))
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_frozen_qdi_computes_what_qdi_computes_and_passes_the_circuit_no_gradient():
    frozen, variables, *inputs = initialised(FrozenQDIReadout.of(QDI))
    plain, same, *_ = initialised(QDI)
    assert jax.tree.structure(variables) == jax.tree.structure(same)
    np.testing.assert_array_equal(frozen.apply(variables, *inputs), plain.apply(same, *inputs))

    def gradients(module):
        return jax.grad(lambda v: (module.apply(v, *inputs) ** 2).sum())(variables)["params"]

    ours, theirs = gradients(frozen), gradients(plain)
    assert np.abs(theirs["circuit_weights"]).max() > 1e-3
    np.testing.assert_array_equal(ours.pop("circuit_weights"), 0.0)
    del theirs["circuit_weights"]
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("kind", [FrozenQDIReadout, QDIReadout])
def test_no_gradient_passes_through_the_prepared_circuit_of_frozen_qdi(kind):
    """Large batches are evaluated in blocks, for which the circuit is prepared beforehand."""
    params = {"readout": initialised(QDI)[1]["params"]}
    readout = kind(**dataclasses.asdict(QDI))
    config = dataclasses.replace(small_config("2025", "qdi"), readout=readout)

    def total(params):
        prepared = jax.tree.leaves(prepared_variables(config, params))
        assert prepared
        return sum(jnp.sum(jnp.abs(leaf)) for leaf in prepared)

    gradient = jax.grad(total)(params)["readout"]["circuit_weights"]
    assert (np.abs(gradient).max() == 0) == (kind is FrozenQDIReadout)


@pytest.mark.parametrize("readout", ["frozen", "qdi"])
def test_training_leaves_the_circuit_of_frozen_qdi_as_it_was_to_the_last_bit(readout):
    aspirin = load("rmd17-aspirin")
    options = {"num_layers": 1, "cutoff": 5.0, "avg_num_neighbors": 15.0}
    config = small_config("2025", readout, type_names=("H", "C", "O"), **options)
    training = TrainingConfig(max_epochs=2, batch_size=10, seed=3, devices=1)
    result = train(config, training, aspirin.select(range(40)), aspirin.select(range(40, 50)))
    before, after = initial_params(config, seed=3)["readout"], result.potential.params["readout"]
    kept = np.array_equal(before["circuit_weights"], after["circuit_weights"])
    assert kept == (readout == "frozen")
    assert not np.array_equal(before["bias"], after["bias"])


@pytest.mark.parametrize("name", CONTROLS)
def test_energy_is_zero_where_the_envelope_is_though_the_scalars_are_not(name):
    module, variables, scalars, _ = initialised(CONTROLS[name])
    envelope = jnp.array([0.0, 1.0] * 3)
    energies = module.apply(variables, scalars, envelope)[:, 0]
    np.testing.assert_array_equal(energies[::2], 0.0)
    assert np.abs(energies[1::2]).min() > 1e-6


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", CONTROLS)
def test_result_has_the_dtype_asked_for(name, dtype, x64):
    module, variables, *inputs = initialised(CONTROLS[name], jnp.dtype(dtype))
    assert module.apply(variables, *inputs).dtype == jnp.dtype(dtype)


def test_biases_of_the_mlp_control_start_at_zero_and_count():
    module, variables, *inputs = initialised(MLPControl((8,), 4, (6,)))
    params = variables["params"]
    np.testing.assert_array_equal(params["bias_0"], 0.0)
    moved = params | {"bias_0": jnp.full(6, 0.5)}
    difference = module.apply({"params": moved}, *inputs) - module.apply(variables, *inputs)
    assert np.abs(difference).min() > 1e-4
