"""Irreps bookkeeping, coupling coefficients and the tensor-product back ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.nn.irreps import (
    SCALAR,
    coupling_coefficients,
    coupling_paths,
    dimension,
    harmonic_irreps,
    track_irreps,
)
from allegro_jax.nn.tensor_product import platform_backend, tensor_product


def names(irreps):
    return "+".join(f"{irrep.l}{'e' if irrep.p > 0 else 'o'}" for irrep in irreps)


def test_three_layers_with_parity_carry_the_irreps_of_the_specification():
    track = track_irreps(2, True, 3)
    assert [names(irreps) for irreps in track] == ["0e+1o+2e", "0e+1e+1o+2e+2o", "0e+1o+2e", "0e"]


def test_irreps_lost_once_stay_lost_in_the_architecture_of_2023():
    current, earlier = (track_irreps(2, True, 5, never_again=flag) for flag in (False, True))
    assert names(current[2]) == "0e+0o+1e+1o+2e+2o"
    assert names(earlier[2]) == "0e+1e+1o+2e+2o"
    assert track_irreps(3, True, 4) == track_irreps(3, True, 4, never_again=True)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_parity_changes_nothing_up_to_two_layers(num_layers):
    assert track_irreps(3, True, num_layers) == track_irreps(3, False, num_layers)


@pytest.mark.parametrize(("l_max", "first", "last"), [(1, 4, 2), (2, 11, 3), (3, 23, 4)])
def test_two_layers_have_the_published_numbers_of_paths(l_max, first, last):
    harmonics = harmonic_irreps(l_max)
    assert len(coupling_paths(harmonics, harmonics, harmonics)) == first
    assert len(coupling_paths(harmonics, harmonics, (SCALAR,))) == last


def test_coefficients_are_normalised_and_scalars_are_dot_products():
    for degree in range(4):
        dot = coupling_coefficients(degree, degree, 0)[:, :, 0]
        np.testing.assert_allclose(
            dot, np.eye(2 * degree + 1) / np.sqrt(2 * degree + 1), atol=1e-14
        )
    assert np.sum(coupling_coefficients(1, 2, 3) ** 2) == pytest.approx(7.0, rel=1e-12)


def example(irreps, channels=3, weight_channels=3):
    keys = jax.random.split(jax.random.key(0), 3)
    first = jax.random.normal(keys[0], (dimension(irreps[0]), 5, channels))
    second = jax.random.normal(keys[1], (dimension(irreps[1]), 5, channels))
    weights = jax.random.normal(keys[2], (len(coupling_paths(*irreps)), weight_channels))
    return first, second, weights


TRACK = track_irreps(2, True, 3)
LAYERS = {
    "first": (TRACK[0], harmonic_irreps(2), TRACK[1]),
    "middle, odd irreps": (TRACK[1], harmonic_irreps(2), TRACK[2]),
    "last, scalars": (TRACK[2], harmonic_irreps(2), TRACK[3]),
}


@pytest.mark.parametrize("backend", ["sparse", "dense"])
@pytest.mark.parametrize(
    ("layer", "weight_channels"), [("first", 3), ("middle, odd irreps", 1), ("last, scalars", 3)]
)
def test_back_ends_agree_with_e3nn_in_value_and_gradient(x64, backend, layer, weight_channels):
    irreps = LAYERS[layer]
    inputs = example(irreps, weight_channels=weight_channels)

    def value_and_gradient(backend):
        product = tensor_product(backend, irreps)

        def loss(*inputs):
            return jnp.sum(jnp.sin(jnp.stack(product(*inputs))))

        gradient = jax.grad(loss, argnums=(0, 1, 2))
        return jax.jit(lambda *xs: (jnp.stack(product(*xs)), gradient(*xs)))(*inputs)

    result, e3nn = value_and_gradient(backend), value_and_gradient("e3nn")
    assert result[0].shape == (dimension(irreps[2]), 5, 3)
    for ours, theirs in zip(jax.tree.leaves(result), jax.tree.leaves(e3nn), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_the_platform_decides_the_back_end(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert platform_backend() == "dense"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert platform_backend() == "sparse"
