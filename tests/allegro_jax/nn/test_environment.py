"""The two ways to sum over neighbours are one function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.nn.environment import Centers, edge_environments, weight_harmonics

L_MAX, CHANNELS, ATOMS, EDGES = 2, 4, 3, 10


def example(weights_per_channel: int):
    keys = jax.random.split(jax.random.key(0), 3)
    weights = jax.random.normal(keys[0], (EDGES, weights_per_channel * CHANNELS))
    harmonics = jax.random.normal(keys[1], ((L_MAX + 1) ** 2, EDGES)).at[0].set(1.0)
    receivers = jnp.sort(jax.random.randint(keys[2], (EDGES,), 0, ATOMS))
    normalization = jnp.array([0.5, 1.0, 2.0])
    return weights, harmonics, receivers, normalization


@pytest.mark.parametrize("weights_per_channel", [1, L_MAX + 1])
def test_one_hot_products_are_the_segment_sums_in_value_and_gradient(x64, weights_per_channel):
    weights, harmonics, receivers, normalization = example(weights_per_channel)

    def value_and_gradient(limit):
        centers = Centers.build(receivers, normalization, channels=limit)
        assert (centers.one_hot is None) == (limit < ATOMS)

        def environments(weights, harmonics):
            # The scalar harmonic is the constant 1 and is not differentiated.
            harmonics = jnp.concatenate([jnp.ones((1, EDGES)), harmonics])
            return jnp.stack(edge_environments(weights, harmonics, centers, L_MAX, CHANNELS))

        def loss(weights, harmonics):
            return jnp.sum(jnp.sin(environments(weights, harmonics)))

        arguments = weights, harmonics[1:]
        return environments(*arguments), jax.grad(loss, argnums=(0, 1))(*arguments)

    one_hot, segments = value_and_gradient(ATOMS), value_and_gradient(ATOMS - 1)
    for ours, theirs in zip(jax.tree.leaves(one_hot), jax.tree.leaves(segments), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_environments_are_normalised_sums_over_the_edges_of_a_centre(x64):
    weights, harmonics, receivers, normalization = example(L_MAX + 1)
    centers = Centers.build(receivers, normalization, CHANNELS)
    weighted = np.stack(weight_harmonics(weights, harmonics, L_MAX, CHANNELS))
    environments = np.stack(edge_environments(weights, harmonics, centers, L_MAX, CHANNELS))
    for edge, centre in enumerate(np.asarray(receivers)):
        expected = weighted[:, receivers == centre].sum(axis=1) * normalization[centre]
        np.testing.assert_allclose(environments[:, edge], expected, rtol=1e-12, atol=1e-13)
