"""The diagnoses on states and functions with known answers."""

import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest

from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics import (
    CircuitFunction,
    FisherSpectrum,
    classical_fisher,
    decay_per_qubit,
    diagnose_weights,
    effective_dimension,
    encoded_spectra,
    entanglement_entropy,
    expressibility,
    fourier_coefficients,
    gradient_scaling,
    integer_degrees,
    meyer_wallach,
    of_qdi,
    of_qnode,
    pair_fidelities,
    quantum_fisher,
    regression_fisher,
    sample_circuit,
    with_linear_maps,
)

SMALL = QDICircuit(n_features=2, n_qubits=2)


def qnode_of(function, n_wires=1):
    return qml.qnode(qml.device("default.qubit", wires=n_wires), interface="jax")(function)


@qnode_of
def one_rotation(features, weights):
    qml.RY(weights[0], wires=0)
    qml.RZ(features[0], wires=0)
    return qml.expval(qml.PauliZ(0))


def haar_states(n_qubits, count, seed=0):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(count, 2**n_qubits)) + 1j * rng.normal(size=(count, 2**n_qubits))
    return states / np.linalg.norm(states, axis=1, keepdims=True)


# The interface


def test_outputs_of_a_user_qnode_are_its_expectation_values():
    @qml.qnode(qml.device("default.qubit", wires=["a", "b"]), interface="jax")
    def qnode(features, weights):
        qml.Rot(*weights, wires="b")
        qml.RX(features[0], wires="a")
        qml.CNOT(["b", "a"])
        word = qml.PauliY("a") @ qml.PauliX("b")
        return [qml.expval(word), qml.expval(qml.PauliX("b"))]

    circuit = of_qnode(qnode, 1, (3,))
    samples = sample_circuit(circuit, 2, 3)
    for values, weights in zip(samples.outputs, samples.weights, strict=True):
        for value, features in zip(values, samples.features, strict=True):
            np.testing.assert_allclose(value, np.array(qnode(features, weights)), atol=1e-6)


def test_circuits_that_do_not_return_pauli_expectations_are_refused():
    @qnode_of
    def probabilities(features, weights):
        qml.RX(features[0], wires=0)
        return qml.probs(wires=0)

    with pytest.raises(ValueError, match=r"expectation values of Pauli words.*probs"):
        of_qnode(probabilities, 1, (1,))

    @qnode_of
    def conflicting(features, weights):
        qml.RX(features[0], wires=0)
        return qml.expval(qml.PauliX(0)), qml.expval(qml.PauliZ(0))

    with pytest.raises(ValueError, match="read together"):
        of_qnode(conflicting, 1, (1,))


def test_plain_functions_have_no_state_and_say_so():
    plain = CircuitFunction(lambda x, w: w * x[0], 1, (2,))
    with pytest.raises(ValueError, match="needs a quantum circuit"):
        pair_fidelities(plain)
    with pytest.raises(ValueError, match="plain function"):
        sample_circuit(plain, 2, 2).quantum()


def test_derivatives_equal_central_differences():
    circuit, step = of_qdi(SMALL), 1e-6
    rng = np.random.default_rng(0)
    weights, direction = rng.uniform(0, 6, 12), rng.normal(size=12)
    points = weights + step * np.array([[0.0], [1.0], [-1.0]]) * direction
    samples = sample_circuit(circuit, n_inputs=3, weights=points)
    numeric = (samples.outputs[1] - samples.outputs[2]) / (2 * step)
    np.testing.assert_allclose(samples.jacobians[0] @ direction, numeric, atol=1e-8)


# Weights


def test_dead_and_redundant_weights_of_a_plain_function_are_named():
    # w1 is dead, w2 and w3 act as their sum, w4 is on its own.
    circuit = CircuitFunction(
        lambda x, w: x[:1] * (w[1] + w[2]) + x[1:] ** 2 * w[3] + 0.0 * w[0], 2, (4,)
    )
    report = diagnose_weights(sample_circuit(circuit, 3, 8).jacobians)
    assert report.dead_names == ("w1",)
    assert (report.rank, report.n_redundant) == (2, 1)
    np.testing.assert_allclose(report.null_shares, [1, 0.5, 0.5, 0], atol=1e-12)


def test_too_few_inputs_to_see_every_weight_are_refused():
    with pytest.raises(ValueError, match="6 inputs or more"):
        diagnose_weights(sample_circuit(of_qdi(SMALL), 1, 5).jacobians)


def test_linear_maps_take_over_the_angles_beside_the_encoding():
    """RZ(x + b) Rot(w, ...): of b and w only the sum is seen, so b adds nothing to the rank."""
    circuit = of_qdi(SMALL)
    alone = diagnose_weights(sample_circuit(circuit, 3, 12).jacobians)
    joined = diagnose_weights(sample_circuit(with_linear_maps(circuit, 2), 3, 40).jacobians)
    assert joined.n_weights == 12 + 2 + 2 + 1
    assert joined.rank <= alone.rank + 3


# Fisher information


def test_quantum_fisher_information_of_one_rotation_is_one():
    states, jacobians = sample_circuit(of_qnode(one_rotation, 1, (1,)), 4, 3).quantum()
    np.testing.assert_allclose(quantum_fisher(states, jacobians), 1.0, atol=1e-12)


def test_reading_z_after_a_rotation_about_y_attains_the_quantum_bound():
    states, jacobians = sample_circuit(of_qnode(one_rotation, 1, (1,)), 4, 3).quantum()
    np.testing.assert_allclose(classical_fisher(states, jacobians), 1.0, atol=1e-9)


def test_fisher_matrices_equal_those_of_pennylane():
    from pennylane import numpy as pnp

    samples = sample_circuit(of_qdi(SMALL), 1, 1)
    states, jacobians = samples.quantum()

    def block(angles):  # gate by gate, because PennyLane's function cannot look into templates
        for q in range(2):
            qml.RZ(angles[3 * q], wires=q)
            qml.RY(angles[3 * q + 1], wires=q)
            qml.RZ(angles[3 * q + 2], wires=q)
        qml.CNOT([0, 1])
        qml.CNOT([1, 0])

    def gates(weights):
        block(weights[:6])
        for q in range(2):
            qml.RZ(samples.features[0, q], wires=q)
        block(weights[6:])
        for q in range(2):  # from the basis of Y to that of Z
            qml.adjoint(qml.S(q))
            qml.Hadamard(q)
        return qml.expval(qml.PauliZ(0))

    qnode = qml.QNode(gates, qml.device("default.qubit", wires=2), interface="autograd")
    weights = pnp.array(samples.weights[0], requires_grad=True)
    expected = qml.gradients.quantum_fisher(qnode)(weights)
    np.testing.assert_allclose(quantum_fisher(states, jacobians)[0, 0], expected, atol=1e-10)
    expected = qml.gradients.classical_fisher(qnode)(weights)
    np.testing.assert_allclose(classical_fisher(states, jacobians)[0, 0], expected, atol=1e-8)


def test_no_reading_knows_more_than_the_state():
    states, jacobians = sample_circuit(of_qdi(SMALL), 4, 4).quantum()
    gap = quantum_fisher(states, jacobians) - classical_fisher(states, jacobians)
    assert np.linalg.eigvalsh(gap).min() > -1e-9


def test_outcomes_that_cannot_happen_do_not_spoil_the_classical_fisher_information():
    state = np.array([1.0, 0.0])
    change = np.array([[0.0], [0.5]])
    assert np.isfinite(classical_fisher(state, change)).all()


def test_shares_of_a_known_spectrum():
    spectrum = FisherSpectrum.of(np.diag([8.0, 1.9, 0.1, 0.0]))
    assert spectrum.ranks.tolist() == [3]
    assert spectrum.share_below(0.05) == 0.5
    assert spectrum.share_beyond(0.95) == 0.5


def test_effective_dimension_counts_the_directions_that_matter():
    """Of a constant F of rank r it tends to r as the data grow."""
    matrices = np.repeat(np.diag([1.0, 1.0, 1.0, 0.0, 0.0])[None], 7, axis=0)
    small, large = (effective_dimension(matrices, n) for n in (10**3, 10**30))
    assert large == pytest.approx(3.0, abs=0.05)
    assert small > large
    with pytest.raises(ValueError, match="n_data of 100 or more"):
        effective_dimension(matrices, 3)


def test_regression_fisher_of_a_linear_model_is_the_square_of_its_inputs():
    circuit = CircuitFunction(lambda x, w: (w @ x)[None], 3, (3,))
    samples = sample_circuit(circuit, 2, 4)
    expected = np.einsum("ik,il->ikl", samples.features, samples.features)
    np.testing.assert_allclose(regression_fisher(samples.jacobians)[0], expected, rtol=1e-12)


# Entanglement and expressibility


def test_product_states_are_not_entangled_and_ghz_states_fully():
    product = np.kron(np.kron([0.6, 0.8j], [1.0, 0.0]), [1 / np.sqrt(2), 1 / np.sqrt(2)])
    ghz = np.zeros(8)
    ghz[[0, 7]] = 1 / np.sqrt(2)
    states = np.stack([product, ghz]).astype(complex)
    np.testing.assert_allclose(meyer_wallach(states), [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(entanglement_entropy(states), [0.0, 1.0], atol=1e-9)


def test_mean_entanglement_of_haar_states_is_the_published_one():
    """(N - 2) / (N + 1), N = 2**n (Sim et al. 2019)."""
    mean = meyer_wallach(haar_states(3, 4000)).mean()
    assert mean == pytest.approx(6 / 9, abs=0.01)


def test_expressibility_of_haar_states_is_the_floor_of_finite_samples():
    a, b = haar_states(2, 4000, 0), haar_states(2, 4000, 1)
    fidelities = np.abs(np.einsum("pb,pb->p", a.conj(), b)) ** 2
    assert expressibility(fidelities, 2).divergence < 2 * 74 / (2 * 4000)


def test_expressibility_of_a_circuit_that_does_nothing_is_the_published_one():
    """4.3 for one qubit and 75 bins (Sim et al. 2019): (2**n - 1) log 75."""
    for n_qubits in (1, 3):
        value = expressibility(np.ones(10), n_qubits).divergence
        assert value == pytest.approx((2**n_qubits - 1) * np.log(75))


def test_pairs_share_their_input_but_not_their_weights():
    """RY(w) RZ(x) |0>: fidelities are cos²((w - w')/2) whatever x is."""
    fidelities, states = pair_fidelities(of_qnode(one_rotation, 1, (1,)), 500)
    assert states.shape == (1000, 2)
    assert fidelities.mean() == pytest.approx(0.5, abs=0.06)
    quarter = np.mean(fidelities < np.cos(3 * np.pi / 8) ** 2)
    assert quarter == pytest.approx(0.25, abs=0.06)


# Fourier series


def test_coefficients_equal_those_of_pennylane():
    circuit, weights = of_qdi(SMALL), np.linspace(0, 5, 12).reshape(1, 2, 1, 2, 3)
    report = fourier_coefficients(circuit, [1, 1], weights=weights)

    def second_output(x):
        return np.asarray(circuit.outputs(x, weights[0]))[1]

    expected = np.asarray(qml.fourier.coefficients(second_output, 2, 1)).ravel()
    np.testing.assert_allclose(report.coefficients[0, 1], expected, atol=1e-6)


def test_features_used_several_times_or_scaled_have_higher_frequencies():
    @qnode_of
    def qnode(features, weights):
        qml.RX(features[0], wires=0)
        qml.Rot(*weights, wires=0)
        qml.RX(features[0], wires=0)
        qml.RZ(2.5 * features[1], wires=0)
        return qml.expval(qml.PauliX(0))

    spectra = encoded_spectra(of_qnode(qnode, 3, (3,)))
    assert [spectrum.tolist() for spectrum in spectra] == [[0, 1, 2], [0, 2.5], [0]]
    with pytest.raises(ValueError, match=r"2\.5.*feature 1"):
        integer_degrees(spectra)


def test_nonlinear_encodings_are_refused():
    @qnode_of
    def qnode(features, weights):
        qml.RX(features[0] ** 2, wires=0)
        return qml.expval(qml.PauliZ(0))

    with pytest.raises(ValueError, match="linearly"):
        encoded_spectra(of_qnode(qnode, 1, (1,)))


def test_fourier_terms_of_a_known_function_are_counted():
    """cos(x) + w sin(2 y): real parts of (±1, 0), imaginary parts of (0, ±2)."""
    circuit = CircuitFunction(lambda x, w: jnp.cos(x[:1]) + w * jnp.sin(2 * x[1:]), 2, (1,))
    report = fourier_coefficients(circuit, [1, 2], 5)
    assert (report.n_frequencies, report.n_real_terms) == (15, 29)
    assert (report.n_reached(), report.n_reached_real_terms(), report.rank(0)) == (4, 4, 2)


def test_grids_beyond_memory_are_refused():
    with pytest.raises(ValueError, match="at most 20000 points, got 59049"):
        fourier_coefficients(of_qdi(QDICircuit(10, 2)), [1] * 10)


# Gradients


def test_gradients_of_a_strong_circuit_vanish_exponentially_with_the_qubits():
    sizes = [(2, 1), (3, 1), (4, 1)]
    rows = gradient_scaling(lambda n, d: of_qdi(QDICircuit(n, n, d)), sizes, 200)
    assert 0.3 < decay_per_qubit(rows, "whole") < 0.7
    assert rows[0].local > rows[1].local > rows[2].local


def test_gradients_of_a_product_circuit_read_on_one_qubit_do_not_vanish():
    def product(n_qubits, depth):
        def gates(features, weights):
            for q in range(n_qubits):
                qml.RX(weights[q] + features[q], wires=q)
            return [qml.expval(qml.PauliZ(q)) for q in range(n_qubits)]

        return of_qnode(qnode_of(gates, n_qubits), n_qubits, (n_qubits,))

    rows = gradient_scaling(product, [(1, 1), (3, 1), (5, 1)], 500)
    assert decay_per_qubit(rows, "local") == pytest.approx(1.0, abs=0.1)
    assert decay_per_qubit(rows, "whole") == pytest.approx(0.5, abs=0.1)
