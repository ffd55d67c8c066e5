"""Edge geometry and spherical harmonics."""

import jax
import jax.numpy as jnp
import numpy as np

from allegro_jax.nn.geometry import edge_geometry, spherical_harmonics


def test_harmonics_have_the_published_form_with_y_as_polar_axis(x64):
    x, y, z = direction = np.array([2.0, -1.0, 0.5]) / np.linalg.norm([2.0, -1.0, 0.5])
    found = spherical_harmonics(jnp.asarray(direction[None]), 2)[:, 0]
    expected = [
        1.0,
        *np.sqrt(3) * direction,
        np.sqrt(15) * x * z,
        np.sqrt(15) * x * y,
        np.sqrt(5) * (y**2 - (x**2 + z**2) / 2),
        np.sqrt(15) * y * z,
        np.sqrt(15) / 2 * (z**2 - x**2),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_each_degree_has_squared_norm_two_l_plus_one(x64):
    directions = np.random.default_rng(0).normal(size=(5, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    harmonics = np.asarray(spherical_harmonics(jnp.asarray(directions), 4))
    for degree in range(5):
        block = harmonics[degree**2 : (degree + 1) ** 2]
        np.testing.assert_allclose((block**2).sum(axis=0), 2 * degree + 1, rtol=1e-12)


def test_zero_vectors_and_masked_edges_lie_beyond_the_cutoff_with_zero_derivatives():
    vectors = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    mask = jnp.array([True, False, True])
    np.testing.assert_allclose(edge_geometry(vectors, 5.0, mask).lengths, [10.0, 10.0, 2.0])

    def total(vectors):
        lengths, directions = edge_geometry(vectors, 5.0, mask)
        return jnp.sum(lengths) + jnp.sum(spherical_harmonics(directions, 2))

    gradient = jax.jit(jax.grad(total))(vectors)
    hessian = jax.jit(jax.hessian(total))(vectors)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    np.testing.assert_array_equal(gradient[:2], 0.0)
    np.testing.assert_array_equal(hessian[:2], 0.0)
    assert np.abs(gradient[2]).max() > 0.1
