"""All simulators give the function of the QNode, its derivatives and its precision."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations
from allegro_jax.quantum.layers import expectations_by_layers
from allegro_jax.quantum.unitaries import expectations_by_unitaries

from . import statevector

FAST = [expectations_by_unitaries, expectations_by_layers]
CIRCUITS = [
    QDICircuit(n_features=4, n_qubits=4, depth=1),
    QDICircuit(n_features=6, n_qubits=3, depth=2, rotation="Y", measure="Z"),
    QDICircuit(n_features=4, n_qubits=2, depth=1, entangling="basic", rotation="X", measure="X"),
    QDICircuit(n_features=6, n_qubits=3, depth=2, ranges=(2, 1), measurement_mode="single"),
]
SMALLEST = [CIRCUITS[0], CIRCUITS[2]]
WIDE = QDICircuit(n_features=7, n_qubits=7, depth=2, measurement_mode="even", rotation="Y")
"""Wide enough for Kronecker products of halves."""


def random_inputs(circuit: QDICircuit, dtype=np.float64) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(5, circuit.n_features)).astype(dtype)
    weights = rng.uniform(0, 2 * np.pi, circuit.weight_shape).astype(dtype)
    return jnp.asarray(features), jnp.asarray(weights)


def force_loss(simulate, circuit: QDICircuit, features: jax.Array, weights: jax.Array) -> jax.Array:
    def readout(features: jax.Array) -> jax.Array:
        values = simulate(features, weights, circuit)
        return jnp.sum(jnp.sin(values) * jnp.arange(1.0, 1 + values.size).reshape(values.shape))

    return jnp.sum(jax.grad(readout)(features) ** 2)


@pytest.mark.parametrize(
    "circuit",
    [  # Compiling a QNode's second derivatives takes seconds.
        pytest.param(each, id=str(each), marks=[] if each in SMALLEST else pytest.mark.slow)
        for each in CIRCUITS
    ],
)
def test_values_and_second_derivatives_equal_those_of_the_qnode(circuit: QDICircuit, x64) -> None:
    inputs = random_inputs(circuit)
    value, *gradients = (
        jax.jit(jax.grad(force_loss, (2, 3)), static_argnums=(0, 1))(simulate, circuit, *inputs)
        for simulate in (qdi_expectations, *FAST)
    )
    for fast, (which, slow) in itertools.product(gradients, enumerate(value)):
        np.testing.assert_allclose(fast[which], slow, rtol=0, atol=1e-10)


OPTIONS = list(itertools.product("XYZ", "XYZ", ("none", "even", "single")))


@pytest.mark.slow
def test_every_configuration_has_the_values_of_a_state_vector(x64) -> None:
    """Every axis, Pauli operator and mode; qubits, blocks and encodings vary along with them."""
    circuits = [
        QDICircuit(
            n_features=(2 + index % 2) * (1 + index % 3 % 2),
            n_qubits=2 + index % 2,
            entangling=("strong", "basic")[index // 2 % 2],
            rotation=rotation,
            measure=measure,
            measurement_mode=mode,
        )
        for index, (rotation, measure, mode) in enumerate(OPTIONS)
    ]
    for circuit in (*circuits, QDICircuit(2, 1, 2), *CIRCUITS, WIDE):
        features, weights = random_inputs(circuit)
        inputs = np.asarray(features[0]), np.asarray(weights)
        expected = statevector.expectations(circuit, *inputs)
        # Values alone, operation by operation: compiling so many programs would take minutes.
        with jax.disable_jit():
            values = [simulate(features[:1], weights, circuit)[0] for simulate in FAST]
        np.testing.assert_allclose(values, [expected] * 2, atol=1e-10, err_msg=str(circuit))


@pytest.mark.parametrize("mode", ["even", "single"])
@pytest.mark.parametrize("measure", ["X", "Y", "Z"])
def test_the_qnode_measures_as_the_state_vector_does(mode, measure, x64) -> None:
    circuit = QDICircuit(3, 3, 1, measure=measure, measurement_mode=mode)
    features, weights = random_inputs(circuit)
    with jax.disable_jit():
        values = qdi_expectations(features[:1], weights, circuit)[0]
    expected = statevector.expectations(circuit, np.asarray(features[0]), np.asarray(weights))
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("simulate", FAST)
def test_derivatives_of_both_orders_equal_finite_differences(simulate, x64) -> None:
    circuit = CIRCUITS[3]
    features, weights = random_inputs(circuit)
    rng = np.random.default_rng(1)
    direction = jnp.asarray(rng.normal(size=weights.shape))
    loss = jax.jit(lambda w: force_loss(simulate, circuit, features, w))
    slope = jnp.vdot(jax.jit(jax.grad(loss))(weights), direction)
    numeric = (loss(weights + 1e-5 * direction) - loss(weights - 1e-5 * direction)) / 2e-5
    np.testing.assert_allclose(slope, numeric, rtol=1e-6)

    along = jnp.asarray(rng.normal(size=features.shape))
    value = jax.jit(lambda x: jnp.sin(simulate(x, weights, circuit)).sum())
    slope = jnp.vdot(jax.jit(jax.grad(value))(features), along)
    numeric = (value(features + 1e-5 * along) - value(features - 1e-5 * along)) / 2e-5
    np.testing.assert_allclose(slope, numeric, rtol=1e-6)


@pytest.mark.parametrize("simulate", FAST)
def test_float32_stays_in_single_precision_inside_a_64_bit_program(simulate, x64) -> None:
    circuit = CIRCUITS[0]
    inputs = random_inputs(circuit, np.float32)
    assert simulate(*inputs, circuit).dtype == jnp.float32
    program = str(jax.make_jaxpr(lambda *args: simulate(*args, circuit))(*inputs))
    assert "c128[" not in program


def test_single_precision_is_within_1e_6_of_double(x64) -> None:
    circuit = CIRCUITS[1]
    features, weights = random_inputs(circuit)
    double = expectations_by_unitaries(features, weights, circuit)
    single = expectations_by_unitaries(
        features.astype(np.float32), weights.astype(np.float32), circuit
    )
    np.testing.assert_allclose(single, double, rtol=0, atol=2e-6)


def test_depth_adds_nothing_to_what_is_done_per_edge() -> None:
    """A phase and a matrix product per encoding: no gates are left on the edges."""

    def operations_on_edges(depth: int) -> int:
        circuit = QDICircuit(n_features=4, n_qubits=4, depth=depth)
        features, weights = random_inputs(circuit, np.float32)
        lowered = jax.jit(expectations_by_unitaries, static_argnums=2).lower(
            features, weights, circuit
        )
        return sum("x5x" in line and "stablehlo" in line for line in lowered.as_text().splitlines())

    assert operations_on_edges(1) == operations_on_edges(3) > 0
