"""Perceptrons: normalisation, initial distribution, zero to zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.nn.mlp import MLP


@pytest.mark.parametrize("nonlinearity", ["silu", "mish", "gelu", None])
def test_zero_goes_to_zero(nonlinearity):
    mlp = MLP((8, 4), nonlinearity)
    zero = jnp.zeros((2, 3))
    output = mlp.apply(mlp.init(jax.random.key(0), zero), zero)
    np.testing.assert_array_equal(output, 0.0)


@pytest.mark.parametrize(
    ("nonlinearity", "forward", "gains"),
    [
        ("silu", True, (1 / 3, 2 / 5, 2 / 7)),
        ("silu", False, (2 / 5, 2 / 7, 1 / 2)),
        (None, True, (1 / 3, 1 / 5, 1 / 7)),
    ],
)
def test_layers_are_scaled_by_their_fan(nonlinearity, forward, gains):
    mlp = MLP((5, 7, 2), nonlinearity, forward)
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
