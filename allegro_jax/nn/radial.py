"""Envelope and radial bases of an edge; x = r / cutoff throughout."""

import functools
import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def polynomial_envelope(x: Float[Array, "edges"], p: float) -> Float[Array, "edges"]:
    """u_p(x), which falls from 1 at x = 0 to 0 at x = 1 with two vanishing derivatives.

    u_p(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^{p+1} - p(p+1)/2 x^{p+2} for x < 1, else 0
    (DimeNet, arXiv 2003.03123, eq. 8).
    """
    inside = x < 1.0
    x = jnp.where(inside, x, 0.5)  # far edges must not overflow x^p, nor its derivatives
    power = x ** (int(p) if float(p).is_integer() else p)
    polynomial = (p + 1) * (p + 2) / 2 - p * (p + 2) * x + p * (p + 1) / 2 * x * x
    return jnp.where(inside, 1.0 - power * polynomial, 0.0)


def bessel_basis(
    x: Float[Array, "edges"], frequencies: Float[Array, "basis"]
) -> Float[Array, "edges basis"]:
    """b_n = sin(π w_n x) / (π x), without the envelope; x must not be 0."""
    phase = (np.pi * x)[:, None]
    return jnp.sin(phase * frequencies[None, :]) / phase


def harmonic_bessel_basis(
    x: Float[Array, "edges"], num_bessels: int, factor: Float[Array, "edges"]
) -> Float[Array, "edges basis"]:
    """The same for w_n = 1, 2, ..., times a factor, from one sine and one cosine.

    sin (n+1)t = 2 cos t sin nt - sin (n-1)t, divided by t.
    """
    sine, cosine = sine_and_cosine(x)
    twice_cos = 2.0 * cosine
    basis = [jnp.zeros_like(x), factor * sine / (np.pi * x)]
    while len(basis) <= num_bessels:
        basis.append(twice_cos * basis[-1] - basis[-2])
    return jnp.stack(basis[1:], axis=-1)


def sine_and_cosine(
    x: Float[Array, "edges"],
) -> tuple[Float[Array, "edges"], Float[Array, "edges"]]:
    """Returns sin πx and cos πx for 0 ≤ x ≤ 1, and their values at 1 beyond.

    Taylor series about x = 1/2 to the last digit of two derivatives. On CPU `jnp.cos` is a call
    for every number, and XLA repeats it in every loop that uses the result, not knowing its cost.
    """
    terms = 8 if x.dtype.itemsize <= 4 else 12
    y = jnp.minimum(x, 1.0) - 0.5
    coefficients = [np.pi**n / math.factorial(n) * (-1) ** (n // 2) for n in range(2 * terms)]
    square = y * y
    return _polynomial(coefficients[::2], square), -y * _polynomial(coefficients[1::2], square)


def _polynomial(coefficients: Sequence[float], x: Float[Array, "edges"]) -> Float[Array, "edges"]:
    """Σ_n c_n x^n by Horner's rule."""
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


@functools.lru_cache
def bessel_statistics(num_bessels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (unbiased) standard deviation of b_1..b_n over 4000 even steps of x up to 1.

    The architecture of 2023 shifts and scales the basis by them, also where the frequencies are
    trained later. float64.
    """
    phase = np.pi * np.arange(1, 4001)[:, None] / 4000
    values = np.sin(phase * np.arange(1, num_bessels + 1)) / phase
    return values.mean(axis=0), values.std(axis=0, ddof=1)


def spline_basis(
    x: Float[Array, "edges"], num_splines: int, span: int
) -> Float[Array, "edges splines"]:
    """φ_q(x) = ¼ (1 - cos 2π t_q)², t_q = (clip(x, l_q, u_q) - l_q) / (u_q - l_q).

    The supports l_q = (q - span)/num_splines, u_q = l_q + (span + 1)/num_splines end at x = 1, so
    that the basis vanishes smoothly at the cutoff without an envelope.
    """
    lower = (np.arange(num_splines, dtype=x.dtype) - span) / num_splines
    width = (span + 1) / num_splines
    t = (jnp.clip(x[:, None], lower[None, :], (lower + width)[None, :]) - lower[None, :]) / width
    return 0.25 * (1.0 - jnp.cos(2.0 * np.pi * t)) ** 2
