"""Which weights of a circuit do nothing, and how many of the others do the same.

Two ranks tell how many directions in the space of weights change the function:

* that of J [inputs · outputs, weights], the Jacobian of all outputs over many inputs;
* that of the readout E(x) = Σ_q a_q f_q(x + b; w) + c with linear maps around the circuit, whose
  a, b and c can take over the work of some weights of the circuit.

A dead weight is seen here by its derivatives, in any circuit and with no knowledge of its gates.
For circuits of this project `allegro_jax.quantum.structure.dead_weights` proves it from the gates.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from allegro_jax.quantum.diagnostics.circuit_function import CircuitFunction

TOLERANCE = 1e-9
"""Singular values below this share of the largest count as zero."""


@dataclass(frozen=True, eq=False)
class WeightReport:
    """What the weights of a circuit are good for.

    Attributes:
        n_weights: all of them.
        dead: flat indices of the weights without any effect in the samples.
        gradients: largest |∂f/∂w| of each weight over all samples, inputs and outputs.
        ranks: rank of the stacked Jacobian for every weight vector.
        null_shares: share of each weight in the directions without effect, averaged over the weight
            vectors: 1 for a dead weight, 0 for one that nothing else replaces.
    """

    n_weights: int
    dead: tuple[int, ...]
    gradients: Float[np.ndarray, "weights"]
    ranks: Int[np.ndarray, "samples"]
    null_shares: Float[np.ndarray, "weights"]

    @property
    def rank(self) -> int:
        """The generic rank: the largest that any weight vector has."""
        return int(self.ranks.max())

    @property
    def n_redundant(self) -> int:
        """Weights that have an effect, but one that the others can have as well."""
        return self.n_weights - len(self.dead) - self.rank

    @property
    def dead_names(self) -> tuple[str, ...]:
        """Names of the dead weights, counted from w1 in the order of the flat vector."""
        return tuple(f"w{index + 1}" for index in self.dead)


def diagnose_weights(
    jacobians: Float[np.ndarray, "samples inputs outputs weights"], tolerance: float = 1e-12
) -> WeightReport:
    """Finds dead and redundant weights from the Jacobians of `sample_circuit`.

    Args:
        jacobians: ∂f/∂w, in float64.
        tolerance: a weight is dead if no derivative exceeds this.

    Raises:
        ValueError: Too few inputs to see every weight.
    """
    samples, inputs, outputs, weights = jacobians.shape
    if inputs * outputs < weights:
        raise ValueError(
            f"expected at least as many inputs times outputs as weights, got {inputs} inputs and "
            f"{outputs} outputs for {weights} weights; take {-(-weights // outputs)} inputs or more"
        )
    gradients = np.abs(jacobians).max(axis=(0, 1, 2))
    stacked = jacobians.reshape(samples, inputs * outputs, weights)
    _, values, directions = np.linalg.svd(stacked, full_matrices=False)
    idle = values <= TOLERANCE * values[:, :1]
    shares = np.einsum("sk,skw->w", idle, directions**2) / samples
    dead = tuple(int(index) for index in np.flatnonzero(gradients < tolerance))
    return WeightReport(weights, dead, gradients, (~idle).sum(axis=1), shares)


def with_linear_maps(circuit: CircuitFunction, n_outputs: int) -> CircuitFunction:
    """The readout E(x) = Σ_q a_q f_q(x + b; w) + c as a function of [w, b, a, c].

    Args:
        circuit: f.
        n_outputs: length of the output of f.
    """
    sizes = np.cumsum([circuit.n_weights, circuit.n_features, n_outputs])

    def outputs(x: Array, everything: Array) -> Array:
        w, b, a, c = jnp.split(everything, sizes)
        return a @ circuit.outputs(x + b, w.reshape(circuit.weight_shape)) + c

    return CircuitFunction(outputs, circuit.n_features, (int(sizes[-1]) + 1,))
