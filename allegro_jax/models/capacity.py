"""How many parameters a readout has, and the perceptron that has as many."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from allegro_jax.configs import FrozenQDIReadout, MLPControl, QDIReadout, Readout
from allegro_jax.models.controls import FROZEN
from allegro_jax.models.readouts import build_readout


class Match(NamedTuple):
    """A control and how well it matches.

    Attributes:
        config: the control.
        parameters: what it has.
        wanted: what the readout it is compared with has.
    """

    config: MLPControl
    parameters: int
    wanted: int


def count_parameters(config: Readout, n_scalars: int, *, trained: bool = False) -> int:
    """Counts the parameters of a readout.

    Args:
        config: readout.
        n_scalars: scalars h_ij of an edge.
        trained: leave out those that training does not change.

    Example:
        >>> from allegro_jax.configs import QDIReadout
        >>> from allegro_jax.models.capacity import count_parameters
        >>> count_parameters(QDIReadout(hidden=(32,), final_width=16), n_scalars=64)
        2296
    """
    module = build_readout(config, normalization="fan_in", dtype=jnp.float32, name="readout")
    inputs = jnp.zeros((1, n_scalars)), jnp.zeros(1)
    params = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    fixed = FROZEN if trained and isinstance(config, FrozenQDIReadout) else ()
    trees = [tree for name, tree in params.items() if name not in fixed]
    return sum(leaf.size for leaf in jax.tree.leaves(trees))


def equal_mlp(qdi: QDIReadout, n_scalars: int = 1) -> Match:
    """Returns the perceptron whose number of parameters is closest to that of a QDI readout.

    The layers up to the features are those of the QDI readout. Behind them stand one or two layers
    with biases, whichever come closer; at the same distance one, and otherwise widths that differ
    least. Of two widths none is more than three times the other: a bottleneck would be a handicap.

    Args:
        qdi: what is to be matched.
        n_scalars: scalars h_ij of an edge; only the counts depend on it.

    Example:
        >>> from allegro_jax.configs import QDIReadout
        >>> from allegro_jax.models.capacity import equal_mlp
        >>> match = equal_mlp(QDIReadout(features=4, n_qubits=4, depth=1, final_width=16))
        >>> match.config.final_hidden, match.parameters - match.wanted
        ((20,), 0)
    """
    wanted = count_parameters(qdi, n_scalars)
    smallest = MLPControl(qdi.hidden, qdi.features, (), qdi.activation)
    shared = count_parameters(smallest, n_scalars) - qdi.features
    head = wanted - shared
    best = min(_candidates(qdi.features, head), key=lambda widths: _misfit(qdi, head, widths))
    config = MLPControl(qdi.hidden, qdi.features, best, qdi.activation)
    return Match(config, shared + _head_parameters(qdi.features, best), wanted)


def _candidates(features: int, head: int) -> list[tuple[int, ...]]:
    """Widths with about as many parameters as wanted."""
    one = [(max(1, round(head / (features + 2))),)]
    first = range(1, max(2, head // (features + 1)))
    two = [(a, max(1, round((head - a * (features + 1)) / (a + 2)))) for a in first]
    return one + [widths for widths in two if max(widths) <= 3 * min(widths)]


def _misfit(qdi: QDIReadout, head: int, widths: tuple[int, ...]) -> tuple[int, int, int]:
    missing = abs(_head_parameters(qdi.features, widths) - head)
    return missing, len(widths), max(widths) - min(widths)


def _head_parameters(features: int, widths: tuple[int, ...]) -> int:
    """Weights and biases of the layers behind the features, the last weights included."""
    inputs = (features, *widths)
    return sum(a * b + b for a, b in zip(inputs, widths, strict=False)) + inputs[-1]
