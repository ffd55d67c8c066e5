"""QNodes of the user's own: run on every edge, and checked before they are used."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.quantum.pennylane_compat import import_pennylane, pennylane_settings
from allegro_jax.quantum.registry import UserCircuit

_REMEDY = (
    "define it with @qml.qnode(qml.device('default.qubit', wires=...), diff_method='backprop') "
    "and without shots"
)


@functools.partial(jax.jit, static_argnames="circuit")
def user_expectations(
    features: Float[Array, "edges features"], weights: Float[Array, "*shape"], circuit: UserCircuit
) -> Float[Array, "edges outputs"]:
    """Expectation values of a registered circuit on every edge, in the dtype of the features."""
    with pennylane_settings(features.dtype):
        return jax.vmap(lambda x: _as_vector(circuit.qnode(x, weights)))(features)


def _as_vector(outputs: Any) -> Float[Array, "outputs"]:
    """One array of everything that a QNode returns."""
    return jnp.concatenate([jnp.atleast_1d(leaf) for leaf in jax.tree.leaves(outputs)])


def count_outputs(qnode: Callable[..., Any], n_features: int, weight_shape: tuple[int, ...]) -> int:
    """Number of expectation values of a QNode, which is seen to be usable.

    Raises:
        ValueError: It is not, with the reason.
    """
    for name, size in (("n_features", n_features), *(("weight_shape", n) for n in weight_shape)):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be made of integers >= 1, got {size!r}")
    _check_settings(qnode)
    _check_indices(qnode, n_features, weight_shape)
    with pennylane_settings(jnp.float32):
        shapes = jnp.zeros(n_features, jnp.float32), jnp.ones(weight_shape, jnp.float32)
        n_outputs = _trace_outputs(qnode, *shapes)
        _check_derivatives(qnode, *shapes)
        _check_zero_features(qnode, *shapes)
    return n_outputs


def _check_settings(qnode: Any) -> None:
    """Refuses what could not be differentiated twice under jit."""
    if not isinstance(qnode, import_pennylane().QNode):
        raise ValueError(f"expected a PennyLane QNode, got {type(qnode).__name__}; {_REMEDY}")
    if qnode.diff_method not in ("backprop", "best"):
        raise ValueError(
            f"training on forces differentiates the circuit twice, which "
            f"diff_method={qnode.diff_method!r} of PennyLane cannot do in JAX; {_REMEDY}"
        )
    if qnode.shots.total_shots:
        raise ValueError(
            f"expected exact expectation values, got {qnode.shots.total_shots} shots, whose "
            f"noise has no derivatives; {_REMEDY}"
        )
    if qnode.interface not in ("auto", "jax", "jax-jit"):
        raise ValueError(f"expected a QNode for JAX, got interface={qnode.interface!r}; {_REMEDY}")


def _check_indices(qnode: Any, n_features: int, weight_shape: tuple[int, ...]) -> None:
    """Builds the circuit once from NumPy arrays, which do not forgive an index out of range."""
    inputs = np.zeros(n_features), np.ones(weight_shape)
    try:
        import_pennylane().workflow.construct_tape(qnode, level="device")(*inputs)
    except Exception as error:
        raise ValueError(
            f"the circuit cannot be built from features of shape [{n_features}] and weights of "
            f"shape {weight_shape}, or has a gate that its device cannot simulate: {error}"
        ) from error


def _trace_outputs(qnode: Any, features: Array, weights: Array) -> int:
    try:
        shape = jax.eval_shape(lambda x, w: _as_vector(qnode(x, w)), features, weights)
    except Exception as error:
        raise ValueError(
            "the circuit cannot be traced by JAX (no Python decisions on values of features or "
            f"weights, no samples or counts): {error}"
        ) from error
    if shape.ndim != 1 or not jnp.issubdtype(shape.dtype, jnp.floating):
        raise ValueError(
            "the circuit must return real expectation values such as [qml.expval(qml.Z(0)), ...], "
            f"got {shape.dtype} of shape {shape.shape} for one edge"
        )
    return math.prod(shape.shape)


def _check_derivatives(qnode: Any, features: Array, weights: Array) -> None:
    def force_loss(features: Array, weights: Array) -> Array:
        forces = jax.grad(lambda x: _as_vector(qnode(x, weights)).sum())(features)
        return (forces**2).sum()

    try:
        jax.eval_shape(jax.grad(force_loss, (0, 1)), features, weights)
    except Exception as error:
        raise ValueError(
            "the circuit cannot be differentiated twice in features and weights; "
            f"{_REMEDY}: {error}"
        ) from error


def _check_zero_features(qnode: Any, features: Array, weights: Array) -> None:
    """At the cutoff all features are zero, where an amplitude embedding divides by its norm."""
    # Compiled, since JAX may take constants of an earlier 64-bit program where it runs one by one.
    jacobian = jax.jit(jax.jacfwd(lambda x: _as_vector(qnode(x, weights))))(features)
    if not bool(jnp.isfinite(jacobian).all()):
        raise ValueError(
            "the circuit has no finite derivative at zero features, which every edge at the cutoff "
            "has; encode the features as angles, not as normalised amplitudes"
        )
