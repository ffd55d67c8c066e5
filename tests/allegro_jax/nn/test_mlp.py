"""Perceptrons: normalisation, initial distribution, zero to zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.nn.mlp import MLP, SECOND_MOMENT_GAINS, activation


@pytest.mark.parametrize("nonlinearity", ["silu", "mish", "gelu", None])
def test_zero_goes_to_zero(nonlinearity):
    mlp = MLP((8, 4), nonlinearity)
    zero = jnp.zeros((2, 3))
    output = mlp.apply(mlp.init(jax.random.key(0), zero), zero)
    np.testing.assert_array_equal(output, 0.0)


@pytest.mark.parametrize(
    ("nonlinearity", "normalization", "gains"),
    [
        ("silu", "fan_in", (1 / 3, 2 / 5, 2 / 7)),
        ("silu", "fan_out", (2 / 5, 2 / 7, 1 / 2)),
        ("silu", "second_moment", (1 / 3, 2.81963 / 5, 2.81963 / 7)),
        (None, "fan_in", (1 / 3, 1 / 5, 1 / 7)),
        (None, "second_moment", (1 / 3, 1 / 5, 1 / 7)),
    ],
)
def test_layers_are_scaled_by_their_fan(nonlinearity, normalization, gains):
    mlp = MLP((5, 7, 2), nonlinearity, normalization)
    x = jax.random.normal(jax.random.key(1), (4, 3))
    params = mlp.init(jax.random.key(0), x)
    expected = np.asarray(x, np.float64)
    for index, gain in enumerate(gains):
        expected = expected @ np.asarray(params["params"][f"weight_{index}"]) * gain**0.5
        if nonlinearity is not None and index < 2:
            expected = expected / (1 + np.exp(-expected))
    np.testing.assert_allclose(mlp.apply(params, x), expected, rtol=1e-4, atol=1e-6)


def test_weights_start_uniform_with_unit_variance():
    params = MLP((200,)).init(jax.random.key(0), jnp.zeros((1, 200)))
    weight = params["params"]["weight_0"]
    assert np.abs(weight).max() <= np.sqrt(3)
    assert np.abs(weight).max() > 1.7
    assert np.var(weight) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("nonlinearity", SECOND_MOMENT_GAINS)
def test_gains_bring_the_second_moment_back_to_one(nonlinearity, x64):
    points, weights = np.polynomial.hermite_e.hermegauss(100)
    squares = np.asarray(activation(nonlinearity)(jnp.asarray(points))) ** 2
    moment = weights @ squares / weights.sum() * SECOND_MOMENT_GAINS[nonlinearity] ** 2
    assert moment == pytest.approx(1.0, abs=4e-3 if nonlinearity == "silu" else 1e-6)


def test_inputs_in_parts_are_inputs_in_one_array(x64):
    mlp = MLP((5, 2), dtype=jnp.float64)
    x = jax.random.normal(jax.random.key(1), (4, 7))
    params = mlp.init(jax.random.key(0), x)
    parts = [x[:, :1], x[:, 1:5], x[:, 5:]]
    np.testing.assert_allclose(mlp.apply(params, parts), mlp.apply(params, x), rtol=1e-13)


def test_silu_is_that_of_jax(x64):
    x = jnp.linspace(-30.0, 30.0, 301)
    np.testing.assert_allclose(activation("silu")(x), jax.nn.silu(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("hidden", [5, 40])
def test_outputs_in_parts_are_outputs_in_one_array(x64, hidden):
    mlp = MLP((hidden, 6), dtype=jnp.float64)
    x = jax.random.normal(jax.random.key(1), (4, 7))
    params = mlp.init(jax.random.key(0), x)
    parts = mlp.apply(params, [x[:, :3], x[:, 3:]], (4, 2), method="in_parts")
    assert [part.shape for part in parts] == [(4, 4), (4, 2)]
    np.testing.assert_allclose(jnp.concatenate(parts, axis=1), mlp.apply(params, x), rtol=1e-12)
