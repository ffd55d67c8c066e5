"""QNodes of the user's own: what can be registered, and what is refused with a reason."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.quantum import register_circuit, registered_circuit
from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations
from allegro_jax.quantum.pennylane_compat import import_pennylane
from allegro_jax.quantum.user_circuits import user_expectations

SHAPES = {"n_features": 2, "weight_shape": (3, 2)}


def qnode_of(body, **options):
    qml = import_pennylane()
    device = options.pop("device", None) or qml.device("default.qubit", wires=2)
    return qml.qnode(device, **({"diff_method": "backprop"} | options))(body)


def ring(features, weights):
    qml = import_pennylane()
    qml.AngleEmbedding(features, wires=[0, 1])
    qml.BasicEntanglerLayers(weights, wires=[0, 1])
    return [qml.expval(qml.Z(0)), qml.expval(qml.X(1))]


def amplitudes(features, weights):
    import_pennylane().AmplitudeEmbedding(features, wires=[0], normalize=True)
    return ring(features, weights)


def state(features, weights):
    import_pennylane().RX(features[0], wires=0)
    return import_pennylane().state()


def feature_out_of_range(features, weights):
    import_pennylane().RX(features[2], wires=0)
    return ring(features, weights)


def noise(features, weights):
    import_pennylane().DepolarizingChannel(0.1, wires=0)
    return ring(features, weights)


def decision(features, weights):
    return ring(features if features[0] > 1 else 2 * features, weights)


REFUSED = {
    "no QNode": (lambda: ring, "expected a PennyLane QNode, got function"),
    "adjoint": (lambda: qnode_of(ring, diff_method="adjoint"), "twice.*'adjoint'.*backprop"),
    "parameter shift": (lambda: qnode_of(ring, diff_method="parameter-shift"), "twice.*backprop"),
    "shots": (
        lambda: import_pennylane().set_shots(qnode_of(ring, diff_method="best"), 100),
        "100 shots",
    ),
    "torch": (lambda: qnode_of(ring, interface="torch"), "interface='torch'"),
    "complex output": (lambda: qnode_of(state), "real expectation values.*complex64"),
    "index": (lambda: qnode_of(feature_out_of_range), r"shape \[2\].*out of bounds"),
    "unsupported gate": (lambda: qnode_of(noise), "cannot simulate.*DepolarizingChannel"),
    "decision": (lambda: qnode_of(decision), "cannot be traced.*no Python decisions"),
    "amplitudes": (lambda: qnode_of(amplitudes), "no finite derivative at zero features"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_qnode_that_cannot_be_trained_on_forces_is_refused_with_the_reason(name):
    make, reason = REFUSED[name]
    with pytest.raises(ValueError, match=f"(?s){reason}"):
        register_circuit(name, make(), **SHAPES)
    with pytest.raises(ValueError, match="no circuit is registered"):
        registered_circuit(name)


def test_weights_of_another_shape_than_the_circuit_takes_are_refused():
    with pytest.raises(ValueError, match=r"weights of shape \(3, 3\)"):
        register_circuit("wrong weights", qnode_of(ring), n_features=2, weight_shape=(3, 3))
    with pytest.raises(ValueError, match=r"n_features.*integers >= 1, got 0"):
        register_circuit("no features", qnode_of(ring), n_features=0, weight_shape=(3, 2))


def test_a_name_is_taken_by_one_circuit_unless_it_is_replaced():
    first, second = qnode_of(ring), qnode_of(ring)
    circuit = register_circuit("taken", first, **SHAPES)
    assert register_circuit("taken", first, **SHAPES) is circuit
    with pytest.raises(ValueError, match=r"already registered as 'taken'.*replace=True"):
        register_circuit("taken", second, **SHAPES)
    assert register_circuit("taken", second, **SHAPES, replace=True).qnode is second
    assert registered_circuit("taken").n_outputs == 2


def paper(features, weights):
    """The paper's circuit on two qubits, written by hand."""
    qml = import_pennylane()
    for block in range(2):
        qml.StronglyEntanglingLayers(weights[block], wires=[0, 1])
        if block == 0:
            for qubit in range(2):
                qml.RZ(features[qubit], wires=qubit)
    return [qml.expval(qml.Y(qubit)) for qubit in range(2)]


def test_qdi_by_hand_has_the_values_and_second_derivatives_of_qdi(x64):
    qdi = QDICircuit(2, 2)
    mine = register_circuit("by hand", qnode_of(paper), n_features=2, weight_shape=qdi.weight_shape)
    rng = np.random.default_rng(0)
    features, weights = rng.normal(size=(3, 2)), rng.uniform(0, 6, qdi.weight_shape)

    def force_loss(weights, simulate, circuit):
        gradient = jax.grad(lambda x: jnp.sin(simulate(x, weights, circuit)).sum())
        return (gradient(jnp.asarray(features)) ** 2).sum()

    both = ((user_expectations, mine), (qdi_expectations, qdi))
    results = [
        jax.jit(jax.value_and_grad(force_loss), static_argnums=(1, 2))(jnp.asarray(weights), *one)
        for one in both
    ]
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-10)
