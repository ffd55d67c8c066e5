import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.configs import MLPReadout, QDIReadout, StackedMLPReadout
from allegro_jax.models.qdi import QDIReadoutModule, qdi_circuit, uniform_angle
from allegro_jax.models.readouts import build_readout
from allegro_jax.nn.radial import polynomial_envelope
from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations

SMALL = QDIReadout(hidden=(8,), features=4, n_qubits=2, depth=1, final_width=3)
HYBRID = dataclasses.replace(
    SMALL,
    n_circuits=2,
    parallel_widths=(4, 2),
    learn_frequency=True,
    train_input_scale=True,
    drop_dead_weights=True,
    measurement_mode="single",
    simulator="layers",
)
READOUTS = [MLPReadout((8,)), StackedMLPReadout((8,), 4, (4, 4)), SMALL, HYBRID]
CHANNELS = 5


def scalars_at(x):
    """Scalars as the trunk makes them: they carry the envelope, and so vanish at the cutoff."""
    u = polynomial_envelope(x, 6.0)
    return u[:, None] * jnp.sin(x[:, None] * jnp.arange(1.0, 1 + CHANNELS)[None, :]), u


def initialised(config=SMALL, **options):
    module = QDIReadoutModule(config, **options)
    scalars, envelope = scalars_at(jnp.linspace(0.2, 0.9, 4))
    return module, module.init(jax.random.key(0), scalars, envelope)


def test_energy_is_the_envelope_times_two_linear_maps_of_the_circuit():
    module, variables = initialised()
    bias = jnp.array([0.3, -0.2, 0.1])
    variables = {"params": {**variables["params"], "bias": bias}}
    scalars, u = scalars_at(jnp.linspace(0.2, 0.9, 4))

    params = jax.tree.map(np.asarray, variables["params"])
    z = np.asarray(scalars) @ params["mlp"]["weight_0"] / np.sqrt(CHANNELS)
    z = (z / (1 + np.exp(-z))) @ params["mlp"]["weight_1"] * np.sqrt(2 / 8)
    q = qdi_expectations(jnp.asarray(z), params["circuit_weights"], qdi_circuit(SMALL))
    a = np.asarray(q) @ params["fully_connected"]["weight_0"] / np.sqrt(2) + params["bias"]
    expected = np.asarray(u)[:, None] * (a @ params["output"]["weight_0"]) / np.sqrt(3)

    energies = module.apply(variables, scalars, u)
    assert energies.shape == (4, 1)
    np.testing.assert_allclose(energies, expected, atol=1e-5)


def test_circuit_weights_start_anywhere_on_the_circle():
    _, variables = initialised()
    weights = np.asarray(variables["params"]["circuit_weights"])
    assert weights.shape == qdi_circuit(SMALL).weight_shape
    assert len(np.unique(weights)) == weights.size

    angles = np.asarray(uniform_angle(jax.random.key(0), (4000,), jnp.float32))
    quarters, _ = np.histogram(angles, bins=4, range=(0, 2 * np.pi))
    assert quarters.sum() == 4000
    np.testing.assert_allclose(quarters, 1000, atol=120)


@pytest.mark.parametrize("config", READOUTS, ids=["mlp", "stacked", "qdi", "hybrid"])
def test_edge_energy_and_two_derivatives_go_to_zero_at_the_cutoff(config, x64):
    """u_p has a triple zero: E falls as (1 - x)^3, its derivatives as (1 - x)^2 and (1 - x)."""
    module = build_readout(config, normalization="fan_in", dtype=jnp.float64, name="readout")
    variables = module.init(jax.random.key(0), *scalars_at(jnp.ones(1)))

    def energy(x):
        return module.apply(variables, *scalars_at(x[None]))[0, 0]

    derivatives = [energy, jax.grad(energy), jax.grad(jax.grad(energy))]
    for order, f in enumerate(derivatives):
        f = jax.jit(f)
        near, nearer = (abs(f(jnp.float64(1.0 - gap))) for gap in (1e-2, 1e-3))
        assert near > 1e-8, "an energy of zero everywhere would not test anything"
        assert nearer < 0.2 * near * 10 ** -(2 - order)
        assert f(jnp.float64(1.0)) == 0
        assert f(jnp.float64(1.3)) == 0


def test_energy_vanishes_at_the_cutoff_for_scalars_that_do_not():
    module, variables = initialised()
    energies = module.apply(variables, jnp.ones((2, CHANNELS)), jnp.array([0.0, 1.0]))
    assert energies[0, 0] == 0
    assert abs(energies[1, 0]) > 1e-3


def test_zero_edges_have_finite_derivatives_of_both_orders():
    module, variables = initialised()
    zeros = jnp.zeros((2, CHANNELS)), jnp.zeros(2)

    def loss(variables):
        def energy(scalars, envelope):
            return module.apply(variables, scalars, envelope).sum()

        gradients = jax.grad(energy, (0, 1))(*zeros)
        return sum(jnp.sum(gradient**2) for gradient in gradients)

    value, gradient = jax.jit(jax.value_and_grad(loss))(variables)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_result_has_the_dtype_asked_for(dtype, x64):
    dtype = jnp.dtype(dtype)
    module = QDIReadoutModule(SMALL, dtype=dtype)
    scalars, envelope = jnp.ones((2, CHANNELS), dtype), jnp.ones(2)
    variables = module.init(jax.random.key(0), scalars, envelope)
    energies = module.apply(variables, scalars, envelope)
    assert energies.dtype == dtype
    assert variables["params"]["circuit_weights"].dtype == jnp.promote_types(dtype, jnp.float32)


def test_config_and_circuit_refuse_the_same_features():
    with pytest.raises(ValueError, match="multiple of n_qubits"):
        QDIReadout(features=21, n_qubits=4)
    with pytest.raises(ValueError, match="multiple of n_qubits"):
        QDICircuit(n_features=21, n_qubits=4)
