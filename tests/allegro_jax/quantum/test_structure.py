"""Which weights are dead is found by rule, and is what the circuits themselves say."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics import diagnose_weights, of_qdi, sample_circuit
from allegro_jax.quantum.structure import dead_weights, live_weights, spread_weights

from .statevector import expectations

OPTIONS = list(itertools.product((1, 2, 3), ("strong", "basic"), "XYZ", ("none", "even", "single")))


def weights_without_effect(circuit, draws=3):
    """For exp(-i w P / 2), f(w + π/2) - f(w - π/2) is twice the derivative."""
    rng = np.random.default_rng(0)
    largest = np.zeros(circuit.weight_shape)
    for _ in range(draws):
        features = rng.normal(size=circuit.n_features)
        weights = rng.uniform(0, 2 * np.pi, circuit.weight_shape)
        for index in np.ndindex(circuit.weight_shape):
            shift = np.zeros(circuit.weight_shape)
            shift[index] = np.pi / 2
            up, down = (expectations(circuit, features, weights + s * shift) for s in (1, -1))
            largest[index] = max(largest[index], np.abs(up - down).max())
    return largest < 1e-12


@pytest.mark.parametrize("depth", [1, 2])
def test_dead_weights_are_those_without_effect_in_every_small_circuit(depth):
    for n, entangling, measure, mode in OPTIONS:
        rotation = "X" if depth == 1 else "Z"
        circuit = QDICircuit(n, n, depth, entangling, rotation, measure, measurement_mode=mode)
        expected = weights_without_effect(circuit)
        np.testing.assert_array_equal(live_weights(circuit), ~expected, err_msg=str(circuit))


CIRCUITS = [
    QDICircuit(4),
    QDICircuit(3, 3, 1, "basic", "Y", "X", measurement_mode="single"),
    QDICircuit(4, 2, 1, "strong", "Y", "X"),
]
LARGER = [
    QDICircuit(4, 4, 1, "strong", "Z", "Z", (2,)),
    QDICircuit(6, 3, 2, "basic", "X", "Z"),
    QDICircuit(4, 4, 1, "basic", "X", "Y", measurement_mode="even"),
    QDICircuit(3, 3, 2, "strong", "Z", "Y", measurement_mode="single"),
]


@pytest.mark.parametrize(
    "circuit",
    [*CIRCUITS, *(pytest.param(each, marks=pytest.mark.slow) for each in LARGER)],
    ids=str,
)
def test_rules_and_derivatives_find_the_same_dead_weights(circuit):
    inputs = -(-2 * circuit.n_weights // circuit.n_outputs)
    report = diagnose_weights(sample_circuit(of_qdi(circuit), 4, inputs).jacobians)
    by_rule = [np.ravel_multi_index(index, circuit.weight_shape) for index in dead_weights(circuit)]
    assert list(report.dead) == by_rule


def test_dead_weights_of_the_papers_circuit_are_its_first_rotations():
    assert dead_weights(QDICircuit(4)) == tuple((0, 0, qubit, 0) for qubit in range(4))


def test_last_rotations_are_dead_too_where_z_is_measured():
    """w15, w18, w21 and w24 of Fig. 3a."""
    dead = dead_weights(QDICircuit(4, measure="Z"))
    assert {(1, 0, qubit, 2) for qubit in range(4)} < set(dead)


def test_a_wide_circuit_is_searched_in_a_moment():
    assert len(dead_weights(QDICircuit(10, 10, 4, measure="Z"))) == 20


def test_live_weights_fill_the_places_that_are_not_dead():
    circuit = QDICircuit(4)
    live = jnp.arange(1.0, 1 + live_weights(circuit).sum())
    spread = np.asarray(spread_weights(live, circuit))
    assert spread.shape == circuit.weight_shape
    np.testing.assert_array_equal(spread[live_weights(circuit)], live)
    assert all(spread[index] == 0 for index in dead_weights(circuit))
