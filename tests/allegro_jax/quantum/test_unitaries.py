"""Blocks as matrices give the function of the QNode, its derivatives and its precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations
from allegro_jax.quantum.unitaries import expectations_by_unitaries

CIRCUITS = [
    QDICircuit(n_features=4, n_qubits=4, depth=1),
    QDICircuit(n_features=6, n_qubits=3, depth=2, rotation="Y", measure="Z"),
    QDICircuit(n_features=4, n_qubits=2, depth=1, entangling="basic", rotation="X", measure="X"),
]


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


@pytest.mark.parametrize("circuit", CIRCUITS, ids=str)
def test_values_and_second_derivatives_equal_those_of_the_qnode(circuit: QDICircuit, x64) -> None:
    inputs = random_inputs(circuit)
    values = [
        simulate(*inputs, circuit) for simulate in (expectations_by_unitaries, qdi_expectations)
    ]
    np.testing.assert_allclose(*values, rtol=0, atol=1e-12)
    gradients = [
        jax.jit(jax.grad(force_loss, (2, 3)), static_argnums=(0, 1))(simulate, circuit, *inputs)
        for simulate in (expectations_by_unitaries, qdi_expectations)
    ]
    for fast, slow in zip(*gradients, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-10)


def test_float32_stays_in_single_precision_inside_a_64_bit_program(x64) -> None:
    circuit = CIRCUITS[0]
    inputs = random_inputs(circuit, np.float32)
    assert expectations_by_unitaries(*inputs, circuit).dtype == jnp.float32
    program = str(jax.make_jaxpr(lambda *args: expectations_by_unitaries(*args, circuit))(*inputs))
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
