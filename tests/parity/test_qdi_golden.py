"""Expectation values of QDI circuits computed by an independent NumPy simulator."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations
from allegro_jax.quantum.layers import expectations_by_layers
from allegro_jax.quantum.unitaries import expectations_by_unitaries

GOLDEN = json.loads(Path(__file__).with_name("qdi_golden.json").read_text())


def circuit_of(entry: dict) -> QDICircuit:
    names = ("n_qubits", "depth", "entangling", "rotation", "measure")
    return QDICircuit(entry["n_qubits"] * entry["E"], **{name: entry[name] for name in names})


def inputs_of(circuit: QDICircuit) -> tuple[np.ndarray, np.ndarray]:
    features = np.cos(0.53 * np.arange(circuit.n_features) + 0.2)
    weights = 1.7 * np.sin(0.37 * np.arange(circuit.n_weights) + 0.1)
    return features[None], weights.reshape(circuit.weight_shape)


def name_of(entry: dict) -> str:
    keys = ("n_qubits", "E", "depth", "entangling", "rotation", "measure")
    return "-".join(str(entry[key]) for key in keys)


@pytest.mark.parametrize("entry", GOLDEN, ids=name_of)
def test_expectations_equal_the_golden_values_to_1e_10(entry, x64):
    circuit = circuit_of(entry)
    features, weights = inputs_of(circuit)

    # Gate by gate: XLA would spend seconds on each of the deep circuits.
    with jax.disable_jit():
        values = qdi_expectations(features, weights, circuit)

    assert values.dtype == jnp.float64
    assert circuit.n_weights == entry["n_weights"]
    np.testing.assert_allclose(values[0], entry["expval"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("simulate", [expectations_by_unitaries, expectations_by_layers])
@pytest.mark.parametrize("entry", GOLDEN, ids=name_of)
def test_the_other_simulators_give_the_golden_values_to_1e_10(entry, simulate, x64):
    circuit = circuit_of(entry)
    with jax.disable_jit():
        values = simulate(*map(jnp.asarray, inputs_of(circuit)), circuit)
    np.testing.assert_allclose(values[0], entry["expval"], rtol=0, atol=1e-10)


PAPER_READOUT = [entry for entry in GOLDEN if entry["measure"] == "Y" and entry["n_weights"] <= 72]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(
            entry, id=name_of(entry), marks=[] if entry["n_weights"] <= 24 else pytest.mark.slow
        )
        for entry in PAPER_READOUT
    ],
)
def test_jitted_expectations_equal_the_golden_values_on_every_edge_of_a_batch(entry, x64):
    circuit = circuit_of(entry)
    features, weights = inputs_of(circuit)
    batch = np.concatenate([features, np.zeros_like(features), features])

    values = jax.jit(qdi_expectations, static_argnums=2)(batch, weights, circuit)

    np.testing.assert_allclose(values[::2], [entry["expval"]] * 2, rtol=0, atol=1e-10)


def test_single_precision_reaches_the_golden_values_to_2e_6():
    for entry in (entry for entry in GOLDEN if entry["n_weights"] <= 24):
        circuit = circuit_of(entry)
        with jax.disable_jit():
            values = qdi_expectations(*map(jnp.float32, inputs_of(circuit)), circuit)
        np.testing.assert_allclose(values[0], entry["expval"], rtol=0, atol=2e-6)
