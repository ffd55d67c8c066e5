"""The Fourier series of a circuit in its features: which coefficients exist, which are reached.

f(x) = Σ_ω c_ω exp(i ω·x). The gates that encode a feature fix the frequencies that can occur
(Schuld, Sweke and Meyer, Phys. Rev. A 103, 032430 (2021)); the trainable gates and what is
measured decide which coefficients can differ from zero, and how freely.

Counts of real terms differ between authors. f is real, so c_{-ω} is the conjugate of c_ω and a
spectrum of K frequencies has K independent real coefficients. The paper (arXiv:2602.16908)
counts real and imaginary parts of all K coefficients but the imaginary part of c_0: 2 K - 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from allegro_jax.quantum.diagnostics.circuit_function import (
    CircuitFunction,
    circuit_tape,
    evaluate_many,
)
from allegro_jax.quantum.diagnostics.samples import random_angles
from allegro_jax.quantum.pennylane_compat import import_pennylane, pennylane_settings

MAX_POINTS = 20_000
"""Grids beyond this many points are refused."""

ZERO = 1e-10
"""Coefficients below this are zero to rounding."""


@dataclass(frozen=True, eq=False)
class FourierReport:
    """Fourier coefficients over random weights.

    Attributes:
        frequencies: every ω of the theoretical spectrum.
        coefficients: c_ω for every weight vector and output.
    """

    frequencies: Int[np.ndarray, "frequencies features"]
    coefficients: Complex[np.ndarray, "samples outputs frequencies"]

    @property
    def n_frequencies(self) -> int:
        """Size K of the theoretical spectrum."""
        return len(self.frequencies)

    @property
    def n_real_terms(self) -> int:
        """2 K - 1, as the paper counts."""
        return 2 * self.n_frequencies - 1

    @property
    def reached(self) -> np.ndarray:
        """Which coefficients some weights make non-zero: [outputs, frequencies]."""
        return np.abs(self.coefficients).max(axis=0) > ZERO

    def n_reached(self, output: int | None = None) -> int:
        """Number of frequencies reached by one output, or by any of them."""
        rows = self.reached if output is None else self.reached[[output]]
        return int(rows.any(axis=0).sum())

    def n_reached_real_terms(self, output: int | None = None) -> int:
        """Non-zero real and imaginary parts of one output, or of any, as the paper counts."""
        chosen = self.coefficients if output is None else self.coefficients[:, [output]]
        parts = [np.abs(part).max(axis=(0, 1)) > ZERO for part in (chosen.real, chosen.imag)]
        return int(np.sum(parts))

    def rank(self, output: int) -> int:
        """Dimension of the space that the series of one output span over all weights.

        At most K, and no more than the number of samples.
        """
        chosen = self.coefficients[:, output]
        values = np.linalg.svd(np.hstack([chosen.real, chosen.imag]), compute_uv=False)
        return int((values > max(1e-9 * values[0], ZERO)).sum())


def encoded_spectra(
    circuit: CircuitFunction, weights: Float[np.ndarray, "*shape"] | None = None
) -> list[Float[np.ndarray, "frequencies"]]:
    """The non-negative frequencies with which every feature can occur.

    From the generators of the gates that a feature enters, as `qml.fourier.qnode_spectrum`
    does, which fails with JAX 0.9 and later: it looks inside JAX for constants.

    Args:
        circuit: made of a QNode.
        weights: those of the circuit, where they scale the features; random ones if None.

    Raises:
        ValueError: No circuit, or a feature that does not enter the gates linearly.
    """
    qml = import_pennylane()
    from pennylane.fourier.utils import get_spectrum, join_spectra

    rng = np.random.default_rng(0)
    given = random_angles(rng, *circuit.weight_shape) if weights is None else weights
    points = random_angles(rng, 2, circuit.n_features)
    with pennylane_settings(jnp.float64):
        gates, slopes = zip(*(_encodings(circuit, x, given) for x in points), strict=True)
        if not np.allclose(slopes[0], slopes[1], atol=1e-9):
            raise ValueError(
                "expected features that enter the angles of gates linearly, got a nonlinear "
                "function of them; apply it before the circuit"
            )
    spectra: list[set[float]] = [{0.0} for _ in range(circuit.n_features)]
    for gate, row in zip(gates[0], slopes[0], strict=True):
        for feature in np.flatnonzero(np.abs(row) > 1e-12):
            with qml.QueuingManager.stop_recording():
                own = {abs(row[feature]) * frequency for frequency in get_spectrum(gate, 8)}
            spectra[feature] = join_spectra(spectra[feature], own)
    return [np.unique(np.round(sorted(spectrum), 8)) for spectrum in spectra]


def fourier_coefficients(
    circuit: CircuitFunction,
    degrees: Sequence[int],
    n_samples: int = 200,
    seed: int = 0,
    *,
    weights: Float[np.ndarray, "samples *shape"] | None = None,
) -> FourierReport:
    """Fourier coefficients for random weights, by a fast transform of values on a grid.

    The same as `qml.fourier.coefficients`, for all outputs and weights in one program.

    Args:
        circuit: periodic in every feature with 2π.
        degrees: highest frequency of every feature; see `integer_degrees`.
        n_samples: weight vectors, drawn from U(0, 2π).
        seed: of the draws.
        weights: weights to take instead.

    Raises:
        ValueError: A grid of more than `MAX_POINTS` points.
    """
    sizes = [2 * degree + 1 for degree in degrees]
    if math.prod(sizes) > MAX_POINTS:
        raise ValueError(
            f"expected a grid of at most {MAX_POINTS} points, got {math.prod(sizes)} for "
            f"{len(sizes)} features of degrees {list(degrees)}; fix some of the features"
        )
    if weights is None:
        rng = np.random.default_rng(seed)
        weights = random_angles(rng, n_samples, *circuit.weight_shape)
    axes = [2.0 * np.pi * np.arange(size) / size for size in sizes]
    grid = np.array(list(itertools.product(*axes)))
    every_w = np.repeat(weights.reshape(len(weights), *circuit.weight_shape), len(grid), axis=0)
    values = evaluate_many(circuit.outputs, np.tile(grid, (len(weights), 1)), every_w, chunk=4096)
    cube = np.moveaxis(values.reshape(len(weights), *sizes, -1), -1, 1)
    spectrum = np.fft.fftn(cube, axes=range(2, cube.ndim)) / len(grid)
    orders = [np.rint(np.fft.fftfreq(size, 1.0 / size)).astype(int) for size in sizes]
    frequencies = np.array(list(itertools.product(*orders)))
    return FourierReport(frequencies, spectrum.reshape(len(weights), -1, len(grid)))


def integer_degrees(spectra: Sequence[Float[np.ndarray, "frequencies"]]) -> list[int]:
    """The highest frequency of every feature.

    Raises:
        ValueError: Frequencies that are no integers, so that there is no common period.
    """
    for feature, spectrum in enumerate(spectra):
        if not np.allclose(spectrum, np.rint(spectrum), atol=1e-6):
            raise ValueError(
                f"expected integer frequencies, got {spectrum.tolist()} for feature {feature}; "
                "scale the features so that their period is 2π"
            )
    return [int(np.rint(spectrum[-1])) for spectrum in spectra]


def _encodings(
    circuit: CircuitFunction, features: Any, weights: Any
) -> tuple[list[Any], Float[np.ndarray, "angles features"]]:
    """Every gate with an angle, and the derivative of its angle by the features."""
    qml = import_pennylane()
    qnode = circuit.require_qnode("the spectrum of a circuit")

    def gates(x: Array) -> list[Any]:
        with qml.QueuingManager.stop_recording():
            tape = circuit_tape(qnode, x, weights)
            rotations = {"RX", "RY", "RZ", "PhaseShift", "CNOT", "CZ", "Hadamard"}
            [tape], _ = qml.transforms.decompose(tape, gate_set=rotations)
        return [gate for gate in tape.operations if gate.num_params]

    def angles(x: Array) -> Array:
        return jnp.stack([jnp.asarray(gate.data[0], jnp.float64) for gate in gates(x)])

    slopes = np.asarray(jax.jacfwd(angles)(jnp.asarray(features, jnp.float64)))
    return gates(features), slopes
