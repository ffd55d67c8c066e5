"""A QDI circuit as a list of gates, and which of its weights have no effect at all.

Two rules find weights whose gradient is exactly zero for all features, weights and outputs:

* **Forwards.** |0...0> is an eigenstate of every Z_q. A Pauli operator of which a state is an
  eigenstate, whatever the angles before it, turns the state by a phase alone: the first RZ of every
  qubit is dead (w1, w4, w7, w10 of arXiv:2602.16908, Fig. 3a).
* **Backwards.** An observable seen from before the gates that follow (in the Heisenberg picture) is
  a sum of Pauli strings. A rotation whose axis commutes with all of them drops out: the last RZ of
  every qubit if Z is measured, and whatever lies outside the light cone of the measured qubits.

Strings are integers, the X parts of all qubits in the high bits and the Z parts in the low ones.
Both rules are exact where they find something. They do not find weights that only become one
with another (two rotations about one axis in a row): that takes the rank of a Jacobian.

`allegro_jax.quantum.diagnostics.diagnose_weights` calls the same weights dead, for any circuit, by
their derivatives at random inputs and weights. A test compares both. What is left out of a model
(``drop_dead_weights``) goes by the rules here, which need no samples and cannot mistake a small
derivative for none.
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from allegro_jax.quantum.circuits import QDICircuit, closing_cnots, entangling_cnots

_MOST_STRINGS = 4096
"""The backward search ends where an observable has more strings; what is before counts as alive."""


class Rotation(NamedTuple):
    """exp(-i angle/2 P) on one qubit.

    Attributes:
        axis: "X", "Y" or "Z".
        qubit: where it acts.
        weight: index of its angle in the weights, or None.
        feature: index of its angle in the features, or None.
    """

    axis: str
    qubit: int
    weight: tuple[int, ...] | None = None
    feature: int | None = None


class CNOT(NamedTuple):
    """Flips the target where the control is 1."""

    control: int
    target: int


def gates(circuit: QDICircuit) -> list[Rotation | CNOT]:
    """All gates from |0...0> to the measurement, in an order in which they may be applied."""
    found: list[Rotation | CNOT] = []
    for block in range(circuit.n_encodings + 1):
        for layer in range(circuit.depth):
            found += _layer(circuit, block, layer)
        if block < circuit.n_encodings:
            first = block * circuit.n_qubits
            found += [
                Rotation(circuit.rotation, qubit, feature=first + qubit)
                for qubit in range(circuit.n_qubits)
            ]
    return found + [CNOT(*pair) for pair in closing_cnots(circuit)]


def _layer(circuit: QDICircuit, block: int, layer: int) -> list[Rotation | CNOT]:
    n = circuit.n_qubits
    ring = [CNOT(*pair) for pair in entangling_cnots(circuit, layer)]
    if circuit.entangling == "basic":
        return [*(Rotation("X", q, (block, layer, q)) for q in range(n)), *ring]
    turns = [
        Rotation(axis, q, (block, layer, q, angle))
        for angle, axis in enumerate("ZYZ")  # Rot gates of different qubits, side by side
        for q in range(n)
    ]
    return [*turns, *ring]


def dead_weights(circuit: QDICircuit) -> tuple[tuple[int, ...], ...]:
    """Indices of the weights whose gradient the gates make exactly zero, in ascending order.

    Example:
        >>> dead_weights(QDICircuit(n_features=4))
        ((0, 0, 0, 0), (0, 0, 1, 0), (0, 0, 2, 0), (0, 0, 3, 0))
    """
    return tuple(map(tuple, np.argwhere(~live_weights(circuit)).tolist()))


@functools.lru_cache(maxsize=64)
def live_weights(circuit: QDICircuit) -> Bool[np.ndarray, "*shape"]:
    """Which weights are not dead, in the shape of the weights."""
    live = np.ones(circuit.weight_shape, bool)
    for index in [*_dead_forwards(circuit), *_dead_backwards(circuit)]:
        live[index] = False
    live.setflags(write=False)
    return live


def spread_weights(live: Float[Array, "live"], circuit: QDICircuit) -> Float[Array, "*shape"]:
    """All weights of a circuit from those that are not dead; the dead ones are zero."""
    positions = np.flatnonzero(live_weights(circuit))
    every = jnp.zeros(circuit.n_weights, live.dtype).at[positions].set(live)
    return every.reshape(circuit.weight_shape)


def _dead_forwards(circuit: QDICircuit) -> list[tuple[int, ...]]:
    """Rotations about operators of which the state is an eigenstate whatever the angles."""
    n, dead = circuit.n_qubits, []
    stabilizers = [_string("Z", qubit, n) for qubit in range(n)]
    for gate in gates(circuit):
        if isinstance(gate, CNOT):
            stabilizers = [_through_cnot(string, gate, n) for string in stabilizers]
            continue
        axis = _string(gate.axis, gate.qubit, n)
        broken = [string for string in stabilizers if not _commute(string, axis, n)]
        if broken:
            # Products of two broken ones are kept.
            kept = [string for string in stabilizers if _commute(string, axis, n)]
            stabilizers = kept + [string ^ broken[0] for string in broken[1:]]
        elif gate.weight is not None and _in_span(axis, stabilizers):
            dead.append(gate.weight)
        if not stabilizers:
            break
    return dead


def _dead_backwards(circuit: QDICircuit) -> list[tuple[int, ...]]:
    """Rotations that commute with every string that the observables can have there."""
    n, dead = circuit.n_qubits, []
    strings = {_string(circuit.measure, qubit, n) for qubit in circuit.measured}
    for gate in reversed(gates(circuit)):
        if isinstance(gate, CNOT):
            strings = {_through_cnot(string, gate, n) for string in strings}
            continue
        axis = _string(gate.axis, gate.qubit, n)
        turned = {string ^ axis for string in strings if not _commute(string, axis, n)}
        if not turned and gate.weight is not None:
            dead.append(gate.weight)
        strings |= turned
        if len(strings) > _MOST_STRINGS:
            break
    return dead


def _string(pauli: str, qubit: int, n_qubits: int) -> int:
    x, z = {"X": (1, 0), "Y": (1, 1), "Z": (0, 1)}[pauli]
    return x << (n_qubits + qubit) | z << qubit


def _commute(a: int, b: int, n_qubits: int) -> bool:
    mask = (1 << n_qubits) - 1
    return ((a >> n_qubits & b & mask) ^ (b >> n_qubits & a & mask)).bit_count() % 2 == 0


def _through_cnot(string: int, gate: CNOT, n_qubits: int) -> int:
    """X of the control spreads to the target, Z of the target to the control; signs aside."""
    x = string >> (n_qubits + gate.control) & 1
    z = string >> gate.target & 1
    return string ^ (x << (n_qubits + gate.target)) ^ (z << gate.control)


def _in_span(string: int, generators: Iterable[int]) -> bool:
    """Whether a string is a product of some of the generators (Gaussian elimination)."""
    basis: list[int] = []
    for generator in generators:
        for element in basis:
            generator = min(generator, generator ^ element)
        if generator:
            basis.append(generator)
    for element in basis:
        string = min(string, string ^ element)
    return string == 0
