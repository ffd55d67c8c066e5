"""Circuits of the user's own, by name.

A saved model holds the name of its circuit and nothing else: no code, no import path. Loading it
therefore runs nothing that the file brings along; the program that loads it has to register the
circuit before.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class UserCircuit:
    """A registered QNode.

    Attributes:
        name: what configs call it.
        qnode: ``qnode(features [n_features], weights [weight_shape])`` -> expectation values.
        n_features: numbers that it encodes.
        weight_shape: shape of its trainable weights.
        n_outputs: expectation values that it returns.
    """

    name: str
    qnode: Callable[..., Any]
    n_features: int
    weight_shape: tuple[int, ...]
    n_outputs: int

    @property
    def n_weights(self) -> int:
        """Number of trainable weights."""
        return math.prod(self.weight_shape)


_CIRCUITS: dict[str, UserCircuit] = {}


def register_circuit(
    name: str,
    qnode: Callable[..., Any],
    *,
    n_features: int,
    weight_shape: tuple[int, ...],
    replace: bool = False,
) -> UserCircuit:
    """Makes a PennyLane QNode usable as a readout, `CircuitReadout(circuit=name)`.

    The QNode is traced once, to see that it is what training on forces needs: expectation values
    that are real, finite at zero features and differentiable twice.

    Args:
        name: What configs and saved models call it.
        qnode: ``qnode(features [n_features], weights [weight_shape])``, on "default.qubit" with
            ``diff_method="backprop"``, that returns expectation values.
        n_features: Numbers that it encodes.
        weight_shape: Shape of its trainable weights.
        replace: Take the place of another QNode of that name, as when a notebook cell runs again.
            Everything compiled is compiled again, since programs hold the old one.

    Returns:
        The circuit, with the number of its outputs.

    Raises:
        ValueError: The QNode cannot be used, or the name is taken by another.

    Example:
        >>> import pennylane as qml
        >>> @qml.qnode(qml.device("default.qubit", wires=2), diff_method="backprop")
        ... def ring(features, weights):
        ...     qml.AngleEmbedding(features, wires=[0, 1])
        ...     qml.BasicEntanglerLayers(weights, wires=[0, 1])
        ...     return [qml.expval(qml.Z(q)) for q in (0, 1)]
        >>> register_circuit("ring", ring, n_features=2, weight_shape=(3, 2)).n_outputs
        2
    """
    known = _CIRCUITS.get(name)
    weight_shape = tuple(weight_shape)
    if known is not None:
        if (known.qnode, known.n_features, known.weight_shape) == (qnode, n_features, weight_shape):
            return known
        if not replace:
            raise ValueError(
                f"a circuit is already registered as {name!r}; choose another name, or replace=True"
            )
    # Configs import this module, and need neither JAX nor PennyLane.
    from allegro_jax.quantum.user_circuits import count_outputs

    n_outputs = count_outputs(qnode, n_features, weight_shape)
    if known is not None:
        importlib.import_module("jax").clear_caches()
    _CIRCUITS[name] = UserCircuit(name, qnode, n_features, weight_shape, n_outputs)
    return _CIRCUITS[name]


def registered_circuit(name: str) -> UserCircuit:
    """The circuit of a name.

    Raises:
        ValueError: None is registered under it.
    """
    if name not in _CIRCUITS:
        raise ValueError(
            f"no circuit is registered as {name!r} (registered: {sorted(_CIRCUITS) or 'none'}); "
            f"call allegro_jax.register_circuit({name!r}, qnode, ...) before the config is made or "
            "the potential is loaded"
        )
    return _CIRCUITS[name]
