"""Circuits that cannot fit are refused before anything is allocated."""

import jax
import jax.numpy as jnp
import pytest

from allegro_jax.quantum import memory
from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.expectations import SIMULATORS, chosen_simulator, expectations
from allegro_jax.quantum.memory import available_bytes, check_memory, estimated_bytes


def test_more_qubits_than_memory_allows_are_refused_without_allocating():
    circuit = QDICircuit(40, 40)
    features, weights = jnp.zeros((2, 40)), jnp.zeros(circuit.weight_shape)
    with pytest.raises(ValueError, match=r"40 qubits.*2 edges.*needs about.*has .*GB.*fewer"):
        expectations(features, weights, circuit)


def test_the_message_names_what_would_fit(monkeypatch):
    circuit = QDICircuit(10, 10, 4)
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    with pytest.raises(ValueError, match=r"has 1 GB; use simulator='layers'"):
        check_memory(circuit, 2000, "qnode")
    with pytest.raises(ValueError, match=r"smaller batches \(at most [0-9]{5} edges\)"):
        check_memory(circuit, 40_000, "layers")
    check_memory(circuit, 2000, "layers")


def test_ten_qubits_of_depth_four_fit_a_small_machine():
    """The bar: five aspirin molecules, about 2,000 edges, within 24 GiB."""
    circuit = QDICircuit(10, 10, 4)
    needed = memory.TRAINING * estimated_bytes(circuit, 2000, chosen_simulator(circuit))
    assert needed < 2e9


@pytest.mark.parametrize(
    "simulator",
    [  # `auto` never takes the QNode, which compiles longest.
        pytest.param(name, marks=pytest.mark.slow if name == "qnode" else []) for name in SIMULATORS
    ],
)
def test_the_estimate_is_within_a_factor_of_two_of_what_xla_plans(simulator):
    circuit = QDICircuit(7, 7, 2)
    features, weights = jnp.zeros((400, 7)), jnp.zeros(circuit.weight_shape)

    def energy_and_forces(features, weights):
        energy = lambda x: jnp.sin(SIMULATORS[simulator](x, weights, circuit)).sum()  # noqa: E731
        return jax.value_and_grad(energy)(features)

    plan = jax.jit(energy_and_forces).lower(features, weights).compile().memory_analysis()
    ratio = estimated_bytes(circuit, 400, simulator) / plan.temp_size_in_bytes
    assert 0.5 < ratio < 2


def test_memory_of_this_machine_is_known():
    assert 1e8 < available_bytes() < 1e14


def test_a_simulator_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"simulator must be one of auto, unitaries.*'mps'"):
        chosen_simulator(QDICircuit(4), "mps")


def test_wide_and_shallow_circuits_run_by_layers_and_others_by_matrices():
    chosen = {(n, d): chosen_simulator(QDICircuit(n, n, d)) for n in (4, 8, 10) for d in (1, 4)}
    assert {size for size, name in chosen.items() if name == "layers"} == {(8, 1), (10, 1), (10, 4)}
