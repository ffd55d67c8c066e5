import dataclasses
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations, qdi_qnode

PAPER = QDICircuit(n_features=4, n_qubits=4, depth=1)
SMALL = QDICircuit(n_features=4, n_qubits=2, depth=1, rotation="Y", measure="Z")
expectations = jax.jit(qdi_expectations, static_argnums=2)


def random_inputs(circuit, edges=3, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(edges, circuit.n_features)).astype(dtype)
    weights = rng.uniform(0, 2 * np.pi, circuit.weight_shape).astype(dtype)
    return jnp.asarray(features), jnp.asarray(weights)


def readout(features, weights, circuit=SMALL):
    """A scalar with different derivatives for every edge and qubit."""
    values = qdi_expectations(features, weights, circuit)
    return jnp.sum(jnp.sin(values) * jnp.arange(1.0, 1 + values.size).reshape(values.shape))


def force_loss(features, weights):
    return jnp.sum(jax.grad(readout)(features, weights) ** 2)


# One compilation each, shared by the tests below.
readout_and_gradients = jax.jit(jax.value_and_grad(readout, (0, 1)), static_argnums=2)
force_loss_and_gradients = jax.jit(jax.value_and_grad(force_loss, (0, 1)))


def central_difference(f, x, direction, step=1e-5):
    return (f(x + step * direction) - f(x - step * direction)) / (2 * step)


# Sizes and validation


@pytest.mark.parametrize(
    ("circuit", "n_weights"),
    [
        (PAPER, 24),  # Fig. 3a
        (QDICircuit(4, depth=3), 72),  # Cu-Li and QM9
        (QDICircuit(21, 3, 4), 288),  # aspirin, if three qubits
        (QDICircuit(20, 4, 4, "basic"), 96),
    ],
)
def test_number_of_weights_is_the_published_one(circuit, n_weights):
    assert circuit.n_weights == np.prod(circuit.weight_shape) == n_weights


def test_features_that_do_not_fill_the_qubits_are_refused_with_what_would_fit():
    with pytest.raises(ValueError, match=r"20 or 24 features.*\{1, 3, 7\}"):
        QDICircuit(n_features=21, n_qubits=4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_features", 0),
        ("n_qubits", 0),
        ("depth", 0),
        ("entangling", "weak"),
        ("rotation", "x"),
        ("measure", "ZZ"),
        ("measurement_mode", "odd"),
        ("ranges", (1, 2)),
        ("ranges", (4,)),
    ],
)
def test_impossible_values_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"{field}.*{re.escape(str(value))}"):
        dataclasses.replace(PAPER, **{field: value})


def test_shapes_and_dtypes_that_do_not_fit_are_refused():
    features, weights = random_inputs(PAPER)
    with pytest.raises(ValueError, match=r"\[edges, 4\].*\(3, 3\)"):
        qdi_expectations(features[:, :3], weights, PAPER)
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 3\).*\(2, 1, 4\)"):
        qdi_expectations(features, weights[..., 0], PAPER)
    with pytest.raises(ValueError, match=r"float32 or float64.*int32"):
        qdi_expectations(features.astype(jnp.int32), weights, PAPER)


def test_equal_circuits_share_one_qnode():
    assert qdi_qnode(QDICircuit(6, 3)) is qdi_qnode(QDICircuit(6, 3))
    assert qdi_qnode(QDICircuit(6, 3)) is not qdi_qnode(QDICircuit(6, 2))


# The circuit


def test_gates_come_in_the_order_of_the_paper():
    """Fig. 3a: block, one RZ per qubit, block; per block Rot on every qubit, then a CNOT ring."""
    import pennylane as qml

    features, weights = random_inputs(PAPER)
    tape = qml.workflow.construct_tape(qdi_qnode(PAPER), level="device")(features[0], weights)
    block = ["Rot"] * 4 + ["CNOT"] * 4
    assert [op.name for op in tape.operations] == [*block, *["RZ"] * 4, *block]
    ring = [op.wires.tolist() for op in tape.operations if op.name == "CNOT"]
    assert ring == [[0, 1], [1, 2], [2, 3], [3, 0]] * 2


def test_expectations_are_bounded_and_periodic_in_every_feature():
    features, weights = random_inputs(PAPER, edges=8)
    values = expectations(features, weights, PAPER)
    assert values.shape == (8, 4)
    assert np.abs(values).max() <= 1
    np.testing.assert_allclose(
        values, expectations(features + 2 * jnp.pi, weights, PAPER), atol=2e-6
    )


def test_zero_features_do_not_give_zero():
    """Why the readout needs the envelope."""
    _, weights = random_inputs(PAPER)
    assert np.abs(expectations(jnp.zeros((1, 4)), weights, PAPER)).max() > 0.05


def test_first_angle_of_every_qubit_has_zero_gradient(x64):
    """w1, w4, w7, w10 of Fig. 3a are phases of |0>; every other weight of the circuit matters."""
    _, (_, in_weights) = readout_and_gradients(*random_inputs(PAPER, dtype=np.float64), PAPER)
    size = np.abs(np.array(in_weights))
    assert size[0, 0, :, 0].max() < 1e-14
    size[0, 0, :, 0] = np.inf
    assert size.min() > 1e-3


# Transformations, derivatives and precision


def test_jitted_equals_eager_and_each_edge_is_on_its_own():
    features, weights = random_inputs(SMALL)
    with jax.disable_jit():
        eager = qdi_expectations(features, weights, SMALL)
    np.testing.assert_allclose(expectations(features, weights, SMALL), eager, atol=1e-6)
    np.testing.assert_allclose(
        qdi_expectations(features[1:2], weights, SMALL)[0], eager[1], atol=1e-6
    )


def test_circuit_maps_over_sets_of_weights():
    features, weights = random_inputs(SMALL)
    stack = jnp.stack([weights, weights + 0.1])
    mapped = jax.vmap(qdi_expectations, (None, 0, None))(features, stack, SMALL)
    for values, one in zip(mapped, stack, strict=True):
        np.testing.assert_allclose(values, expectations(features, one, SMALL), atol=1e-6)


def assert_gradients_equal_finite_differences(value_and_gradients, edges=3):
    x, w = random_inputs(SMALL, edges, dtype=np.float64)
    dx, dw = random_inputs(SMALL, edges, seed=1, dtype=np.float64)
    _, (in_features, in_weights) = value_and_gradients(x, w)
    numeric = central_difference(lambda x: value_and_gradients(x, w)[0], x, dx)
    np.testing.assert_allclose(jnp.vdot(in_features, dx), numeric, rtol=1e-6)
    numeric = central_difference(lambda w: value_and_gradients(x, w)[0], w, dw)
    np.testing.assert_allclose(jnp.vdot(in_weights, dw), numeric, rtol=1e-6)


def test_first_derivatives_equal_finite_differences(x64):
    assert_gradients_equal_finite_differences(lambda x, w: readout_and_gradients(x, w, SMALL))


def test_derivatives_of_a_loss_on_the_input_gradient_equal_finite_differences(x64):
    assert_gradients_equal_finite_differences(force_loss_and_gradients)


def test_padding_edges_of_zeros_have_finite_derivatives(x64):
    _, weights = random_inputs(SMALL, dtype=np.float64)
    zeros = jnp.zeros((3, SMALL.n_features))
    value, gradients = force_loss_and_gradients(zeros, weights)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_float32_stays_in_single_precision_inside_a_64_bit_program(x64):
    features, weights = random_inputs(SMALL)
    program = str(jax.make_jaxpr(jax.value_and_grad(readout))(features, weights))
    assert qdi_expectations(features, weights, SMALL).dtype == jnp.float32
    assert "c64[" in program
    assert "c128[" not in program


def test_circuits_raise_no_warnings():
    features, weights = random_inputs(SMALL, edges=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jax.jit(jax.grad(force_loss, 1)).lower(features, weights)


def test_new_weights_do_not_recompile():
    traces = []

    @jax.jit
    def f(features, weights):
        traces.append(1)
        return qdi_expectations(features, weights, QDICircuit(4, 2))

    for seed in (0, 1):
        f(*random_inputs(QDICircuit(4, 2), seed=seed))
    assert len(traces) == 1
