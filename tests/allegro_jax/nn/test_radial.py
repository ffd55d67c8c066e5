"""Envelope and radial bases against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.nn.radial import (
    bessel_basis,
    harmonic_bessel_basis,
    polynomial_envelope,
    sine_and_cosine,
    spline_basis,
)


@pytest.mark.parametrize("p", [2.0, 6.0, 6.5, 48.0])
def test_the_envelope_falls_from_one_to_zero_with_two_vanishing_derivatives(x64, p):
    def envelope(x):
        return polynomial_envelope(jnp.array([x]), p)[0]

    assert envelope(0.0) == 1.0
    assert envelope(1.0) == 0.0
    assert envelope(1.7) == 0.0
    nearly = 1.0 - 1e-9
    assert abs(envelope(nearly)) < 1e-12
    assert abs(jax.grad(envelope)(nearly)) < 1e-9
    assert abs(jax.grad(jax.grad(envelope))(nearly)) < 1e-3
    assert -2.5 < (envelope(0.6) - envelope(0.5)) / 0.1 <= 0.0


def test_the_envelope_of_exponent_six_is_the_published_polynomial(x64):
    x = np.linspace(0.0, 0.99, 20)
    expected = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    np.testing.assert_allclose(polynomial_envelope(jnp.asarray(x), 6.0), expected, atol=1e-14)


def test_the_envelope_has_finite_derivatives_far_outside_in_single_precision():
    def envelope(x):
        return polynomial_envelope(jnp.array([x], jnp.float32), 48.0)[0]

    assert jax.grad(envelope)(1e3) == 0.0
    assert jax.grad(jax.grad(envelope))(1e3) == 0.0


def test_bessel_functions_are_sines_over_their_argument(x64):
    x = jnp.array([0.2, 0.7])
    basis = bessel_basis(x, jnp.arange(1.0, 5.0))
    expected = np.sin(np.pi * np.outer([0.2, 0.7], [1, 2, 3, 4])) / (
        np.pi * np.array([[0.2], [0.7]])
    )
    np.testing.assert_allclose(basis, expected, rtol=1e-14)


def test_splines_vanish_smoothly_at_the_cutoff(x64):
    edge = jnp.array([1.0 - 1e-6, 1.0, 1.5])
    assert np.abs(spline_basis(edge, 16, 12)).max() < 1e-18
    inside = spline_basis(jnp.array([0.5]), 16, 12)
    assert inside.shape == (1, 16)
    assert inside.max() > 0.9


def test_the_recursion_gives_the_bessel_functions_and_their_derivatives(x64):
    x = jnp.linspace(0.05, 0.999, 50)

    def values_and_slopes(basis):
        return jax.jvp(basis, (x,), (jnp.ones_like(x),))

    recursion = values_and_slopes(lambda x: harmonic_bessel_basis(x, 8, 1 - x))
    sines = values_and_slopes(lambda x: bessel_basis(x, jnp.arange(1.0, 9.0)) * (1 - x)[:, None])
    for ours, expected in zip(recursion, sines, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_sine_and_cosine_have_all_digits_of_their_type_in_two_derivatives(x64, dtype):
    x = jnp.linspace(0.0, 0.9999, 301, dtype=dtype)
    phase = np.pi * np.asarray(x, np.float64)
    expected = {0: (np.sin, np.cos), 1: (np.cos, lambda t: -np.sin(t))}
    for part in range(2):
        function = lambda x, part=part: sine_and_cosine(x[None])[part][0]  # noqa: E731
        for order in range(3):
            sign = -1.0 if order == 2 else 1.0
            exact = sign * np.pi**order * expected[order % 2][part](phase)
            bound = 4 * np.pi**order * jnp.finfo(dtype).eps
            np.testing.assert_allclose(jax.vmap(function)(x), exact, rtol=0, atol=bound)
            function = jax.grad(function)


def test_sine_and_cosine_stay_finite_far_outside():
    sine, cosine = sine_and_cosine(jnp.array([1e6], jnp.float32))
    np.testing.assert_allclose([sine[0], cosine[0]], [0.0, -1.0], atol=1e-6)
