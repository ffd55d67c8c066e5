"""Shots and noise against exact values and known statistics."""

import numpy as np
import pennylane as qml
import pytest

from allegro_jax.quantum.circuits import QDICircuit, qdi_qnode
from allegro_jax.quantum.diagnostics import CircuitFunction, of_qdi, of_qnode
from allegro_jax.quantum.hardware import Hardware, measure_on, outcome_probabilities, shift_rule

CIRCUIT = of_qdi(QDICircuit(n_features=4, n_qubits=2))
RNG = np.random.default_rng(0)
FEATURES = RNG.uniform(0, 2 * np.pi, (40, 4))
WEIGHTS = RNG.uniform(0, 2 * np.pi, CIRCUIT.weight_shape)


@pytest.fixture(scope="module")
def exact():
    return measure_on(Hardware(), CIRCUIT, FEATURES, WEIGHTS)


def test_without_shots_and_noise_values_and_derivatives_are_those_of_the_qnode(exact, x64):
    import jax

    qnode = qdi_qnode(QDICircuit(n_features=4, n_qubits=2))
    with jax.numpy_rank_promotion("allow"):
        values, jacobians = (
            np.array(jax.jit(f)(FEATURES[0], WEIGHTS)) for f in (qnode, jax.jacobian(qnode))
        )
    np.testing.assert_allclose(exact.values[0], values, atol=1e-12)
    np.testing.assert_allclose(exact.jacobians[0], jacobians, atol=1e-12)


def test_every_feature_costs_two_circuits(exact):
    assert exact.circuits == 1 + 2 * 4


def test_shot_noise_has_the_mean_and_the_variance_of_binomial_draws(exact):
    """Variance (1 - <P>²)/shots of values; half the sum of both shifted ones for derivatives."""
    shots = 400
    draws = [measure_on(Hardware(shots), CIRCUIT, FEATURES, WEIGHTS, seed) for seed in range(30)]
    values = np.stack([draw.values for draw in draws])
    errors = (values - exact.values) / np.sqrt((1 - exact.values**2) / shots)
    assert abs(errors.mean()) < 4 / np.sqrt(errors.size)
    assert errors.var() == pytest.approx(1.0, abs=0.15)
    slopes = np.stack([draw.jacobians for draw in draws]) - exact.jacobians
    assert abs(slopes.mean() / slopes.std()) < 4 / np.sqrt(slopes.size)


def test_variance_falls_as_the_inverse_of_the_shots(exact):
    variances = []
    for shots in (100, 10_000):
        readings = measure_on(Hardware(shots), CIRCUIT, FEATURES, WEIGHTS)
        variances.append(np.var(readings.jacobians - exact.jacobians))
    assert variances[0] / variances[1] == pytest.approx(100, rel=0.4)


def test_draws_have_the_statistics_of_shots_on_the_device_of_pennylane():
    def gates(features, weights):
        qml.StronglyEntanglingLayers(weights[0], wires=range(2))
        for q in range(2):
            qml.RZ(features[q], wires=q)
        qml.StronglyEntanglingLayers(weights[1], wires=range(2))
        return [qml.expval(qml.PauliY(q)) for q in range(2)]

    device = qml.device("default.qubit", wires=2, seed=7)
    sampled = qml.set_shots(qml.QNode(gates, device, interface="numpy"), shots=500)
    theirs = np.array([sampled(FEATURES[0], WEIGHTS) for _ in range(100)])
    circuit = of_qdi(QDICircuit(n_features=2, n_qubits=2))
    features = np.repeat(FEATURES[:1, :2], 100, axis=0)
    ours = measure_on(Hardware(500), circuit, features, WEIGHTS[:2]).values
    spread = np.sqrt((theirs.var(axis=0) + ours.var(axis=0)) / 100)
    assert (np.abs(theirs.mean(axis=0) - ours.mean(axis=0)) < 4 * spread).all()
    np.testing.assert_allclose(theirs.std(axis=0), ours.std(axis=0), rtol=0.3)


def test_seeds_make_draws_repeatable():
    one, same, other = (
        measure_on(Hardware(50), CIRCUIT, FEATURES[:3], WEIGHTS, seed).values for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_full_depolarisation_leaves_nothing():
    readings = measure_on(Hardware(None, 0.75, 0.75), CIRCUIT, FEATURES[:3], WEIGHTS)
    np.testing.assert_allclose(readings.values, 0.0, atol=1e-12)
    np.testing.assert_allclose(readings.jacobians, 0.0, atol=1e-12)


def chain(one_qubit, two_qubit):
    """<Z> after three rotations on one qubit, or after rotations and a CNOT on two."""

    @qml.qnode(qml.device("default.qubit", wires=2), interface="jax")
    def qnode(features, weights):
        qml.RX(features[0], wires=0)
        qml.Rot(*weights, wires=0)
        qml.CNOT([0, 1])
        return qml.expval(qml.PauliZ(0)), qml.expval(qml.PauliZ(1))

    circuit = of_qnode(qnode, 1, (3,))
    features, weights = np.array([[0.3]]), np.array([0.1, 0.2, 0.3])
    exact, noisy = (
        measure_on(hardware, circuit, features, weights)
        for hardware in (Hardware(), Hardware(None, one_qubit, two_qubit))
    )
    return noisy.values[0] / exact.values[0]


def test_each_gate_shrinks_the_bloch_vector_by_its_rate():
    """A channel of rate p shrinks it by 1 - 4 p/3; `Rot` is one gate, CNOT acts on both qubits."""
    one = 1 - 4 * 0.01 / 3
    np.testing.assert_allclose(chain(0.01, 0.0), [one**2, one**2], rtol=1e-9)
    two = 1 - 4 * 0.03 / 3
    np.testing.assert_allclose(chain(0.0, 0.03), [two, two], rtol=1e-9)


def test_derivatives_under_noise_are_those_of_the_noisy_values():
    hardware, step = Hardware(None, 0.01, 0.05), 1e-5
    points = FEATURES[:1] + step * np.array([[0.0] * 4, [1, 0, 0, 0], [-1, 0, 0, 0]])
    readings = measure_on(hardware, CIRCUIT, points, WEIGHTS)
    numeric = (readings.values[1] - readings.values[2]) / (2 * step)
    np.testing.assert_allclose(readings.jacobians[0, :, 0], numeric, atol=1e-8)


def test_features_of_several_frequencies_get_their_own_shift_rule():
    @qml.qnode(qml.device("default.qubit", wires=1), interface="jax")
    def qnode(features, weights):
        qml.RX(features[0], wires=0)
        qml.RY(weights[0], wires=0)
        qml.RX(2.0 * features[0], wires=0)
        return qml.expval(qml.PauliZ(0))

    circuit = of_qnode(qnode, 1, (1,))
    weights, step = np.array([0.7]), 1e-5
    points = np.array([[0.4], [0.4 + step], [0.4 - step]])
    readings = measure_on(Hardware(), circuit, points, weights)
    numeric = (readings.values[1] - readings.values[2]) / (2 * step)
    np.testing.assert_allclose(readings.jacobians[0, :, 0], numeric, atol=1e-8)
    assert readings.circuits == len(shift_rule(circuit, weights)[0]) == 7


def test_probabilities_are_normalised_under_noise():
    probabilities = outcome_probabilities(CIRCUIT, Hardware(None, 0.1, 0.2))
    values = np.asarray(probabilities(FEATURES[0], WEIGHTS))
    assert values.sum() == pytest.approx(1.0, abs=1e-6)
    assert values.min() > 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"shots": 0}, "shots >= 1.*got 0"),
        ({"one_qubit": -0.1}, r"one_qubit in \[0, 0.75\].*-0.1"),
        ({"two_qubit": 0.8}, r"two_qubit in \[0, 0.75\].*0.8"),
    ],
)
def test_impossible_hardware_is_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        Hardware(**setting)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r"\[edges, 4\].*\(3,\)"):
        measure_on(Hardware(), CIRCUIT, np.zeros(3), WEIGHTS)
    plain = CircuitFunction(lambda x, w: x * w, 1, (1,))
    with pytest.raises(ValueError, match="needs a quantum circuit"):
        measure_on(Hardware(), plain, np.zeros((1, 1)), np.zeros(1))
