"""A circuit and its derivatives at random weights and inputs: what most diagnoses look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Complex, Float

from allegro_jax.quantum.diagnostics.circuit_function import CircuitFunction, evaluate_many


@dataclass(frozen=True, eq=False)
class CircuitSamples:
    """Values and derivatives for every drawn weight vector at every drawn input.

    Attributes:
        features: inputs, the same for all weights.
        weights: flat weight vectors.
        outputs: f(x; w).
        jacobians: ∂f/∂w.
        states: amplitudes ψ of the outcomes when all qubits are read; None for plain functions.
        state_jacobians: ∂ψ/∂w; None for plain functions.
    """

    features: Float[np.ndarray, "inputs features"]
    weights: Float[np.ndarray, "samples weights"]
    outputs: Float[np.ndarray, "samples inputs outputs"]
    jacobians: Float[np.ndarray, "samples inputs outputs weights"]
    states: Complex[np.ndarray, "samples inputs outcomes"] | None = None
    state_jacobians: Complex[np.ndarray, "samples inputs outcomes weights"] | None = None

    def quantum(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns states and their derivatives.

        Raises:
            ValueError: The function is no circuit.
        """
        if self.states is None or self.state_jacobians is None:
            raise ValueError(
                "expected samples of a quantum circuit, got those of a plain function; draw them "
                "from a CircuitFunction made by `of_qnode` or `of_qdi`"
            )
        return self.states, self.state_jacobians


def random_angles(rng: np.random.Generator, *shape: int) -> Float[np.ndarray, "..."]:
    """Draws from U(0, 2π), in which every angle of a rotation is as likely as any other."""
    return rng.uniform(0.0, 2.0 * np.pi, shape)


def sample_circuit(
    circuit: CircuitFunction,
    n_samples: int = 64,
    n_inputs: int = 32,
    seed: int = 0,
    *,
    weights: Float[np.ndarray, "samples *shape"] | None = None,
    features: Float[np.ndarray, "inputs features"] | None = None,
) -> CircuitSamples:
    """Evaluates a circuit at random weights and inputs.

    Args:
        circuit: what is sampled.
        n_samples: weight vectors, drawn from U(0, 2π).
        n_inputs: feature vectors, drawn from U(0, 2π).
        seed: of the draws.
        weights: weights to take instead, such as trained ones.
        features: features to take instead, such as the angles of real edges.

    Raises:
        ValueError: No samples, or given arrays of other shapes.

    Example:
        >>> from allegro_jax.quantum.circuits import QDICircuit
        >>> from allegro_jax.quantum.diagnostics import of_qdi
        >>> samples = sample_circuit(of_qdi(QDICircuit(2, 2)), n_samples=3, n_inputs=5)
        >>> samples.jacobians.shape
        (3, 5, 2, 12)
    """
    rng = np.random.default_rng(seed)
    if weights is None:
        weights = random_angles(rng, n_samples, circuit.n_weights)
    if features is None:
        features = random_angles(rng, n_inputs, circuit.n_features)
    weights, features = np.asarray(weights, np.float64), np.asarray(features, np.float64)
    _check(circuit, weights, features)
    weights = weights.reshape(len(weights), -1)
    every_w = np.repeat(weights, len(features), axis=0)
    every_x = np.tile(features, (len(weights), 1))
    shape = (len(weights), len(features))
    values, jacobians = (
        part.reshape(*shape, *part.shape[1:])
        for part in evaluate_many(_with_derivatives(circuit), every_x, every_w)
    )
    if circuit.state is None:
        return CircuitSamples(features, weights, values, jacobians)
    _, eigenvalues = circuit.require_state("the state")
    outputs = np.abs(values) ** 2 @ eigenvalues.T
    changes = 2.0 * (values.conj()[..., None] * jacobians).real
    gradients = np.einsum("ob,sibw->siow", eigenvalues, changes)
    return CircuitSamples(features, weights, outputs, gradients, values, jacobians)


def _with_derivatives(
    circuit: CircuitFunction,
) -> Callable[[Array, Array], tuple[Array, Array]]:
    """The state, or the outputs where there is no state, and its derivative by flat weights."""
    function = circuit.outputs if circuit.state is None else circuit.state

    def both(x: Array, w: Array) -> tuple[Array, Array]:
        def of_weights(w: Array) -> Array:
            return function(x, w.reshape(circuit.weight_shape))

        return of_weights(w), jax.jacfwd(of_weights)(w)

    return both


def _check(circuit: CircuitFunction, weights: np.ndarray, features: np.ndarray) -> None:
    if len(weights) < 1 or len(features) < 1:
        raise ValueError(
            f"expected at least one weight vector and one input, got {len(weights)} and "
            f"{len(features)}"
        )
    if features.ndim != 2 or features.shape[1] != circuit.n_features:
        raise ValueError(
            f"expected features of shape [inputs, {circuit.n_features}], got {features.shape}"
        )
    if weights[0].size != circuit.n_weights:
        raise ValueError(
            f"expected weights of shape [samples, *{circuit.weight_shape}], got {weights.shape}"
        )
