"""A potential whose circuits are measured."""

import dataclasses

import jax
import numpy as np
import pytest

from allegro_jax.configs import CircuitReadout, FrozenQDIReadout, QDILayer
from allegro_jax.datasets import load
from allegro_jax.potential import Potential, initial_params
from allegro_jax.quantum import register_circuit, registry
from allegro_jax.quantum.diagnostics import of_qdi
from allegro_jax.quantum.hardware import Hardware
from allegro_jax.quantum.hardware.potentials import _graphs as graphs_of
from allegro_jax.quantum.hardware.potentials import (
    edge_angles,
    hardware_errors,
    predict_on,
    trained_circuits,
)
from allegro_jax.quantum.pennylane_compat import import_pennylane
from tests.small_models import DOUBLE, READOUTS, small_config

ELEMENTS = {"type_names": ("H", "C", "O"), "cutoff": 2.0}
QDI = READOUTS["qdi"]
LAYER = QDILayer(features=2, n_qubits=2, drop_dead_weights=True)
MODELS = {
    "two circuits, scaled": {
        "readout": dataclasses.replace(
            QDI, n_circuits=2, input_scale=0.7, train_input_scale=True, learn_frequency=True
        )
    },
    "beside a perceptron": {"readout": dataclasses.replace(QDI, parallel_widths=(4, 3))},
    "one output, without dead weights": {
        "readout": dataclasses.replace(QDI, drop_dead_weights=True, measurement_mode="single")
    },
    "frozen": {"readout": FrozenQDIReadout(**vars(QDI))},
    "in the latents": {"readout": READOUTS["mlp"], "latent_circuit": LAYER},
    "in latents and readout": {
        "readout": dataclasses.replace(QDI, simulator="layers"),
        "latent_circuit": LAYER,
        "num_layers": 1,
    },
}
EVERYDAY = ["two circuits, scaled", "in the latents"]
N_CIRCUITS = dict(zip(MODELS, (2, 1, 1, 1, 2, 2), strict=True))


def potential_of(architecture="2025", readout=QDI, **options):
    """A potential in float64 whose factors of the angles are not the trivial ones of the start."""
    config = small_config(architecture, precision=DOUBLE, **(ELEMENTS | options))
    config = dataclasses.replace(config, readout=readout)
    params = initial_params(config)
    for name in ("frequencies", "frequencies_1"):
        if name in params.get("readout", {}):
            params["readout"][name] = np.linspace(0.5, 1.5, len(params["readout"][name]))
    return Potential(config, params)


@pytest.fixture(scope="module")
def potential():
    config = small_config(readout="qdi", type_names=("H", "C", "O"), cutoff=2.5)
    return Potential(config, initial_params(config))


@pytest.fixture(scope="module")
def frames():
    return load("rmd17-aspirin").select(range(2))


def test_ideal_hardware_changes_nothing(potential, frames):
    errors = hardware_errors(potential, frames, Hardware())
    assert errors.energy_mae < 1e-6
    assert errors.forces_rmse < 1e-5
    assert errors.label_forces_mae == pytest.approx(errors.exact_label_forces_mae, abs=1e-5)
    assert errors.circuits == errors.edges * 9


def test_errors_fall_as_the_square_root_of_the_shots(potential, frames):
    few, many = (hardware_errors(potential, frames, Hardware(shots)) for shots in (100, 10_000))
    assert few.forces_rmse / many.forces_rmse == pytest.approx(10, rel=0.4)


def test_forces_of_shots_are_right_on_average(potential, frames):
    ((graph, _),) = graphs_of(potential, frames)
    exact = jax.device_get(potential.predict(graph))
    draws = np.stack(
        [predict_on(Hardware(1000), potential, graph, seed)[0].forces for seed in range(12, 32)]
    )
    spread = draws.std(axis=0, ddof=1)
    moved = spread > 1e-6  # not the padding
    z = ((draws.mean(axis=0) - exact.forces)[moved] / spread[moved]) * np.sqrt(len(draws))
    assert np.abs(z).max() < 5
    assert 0.7 < z.std() < 1.3


def test_full_depolarisation_leaves_the_bias_alone(potential, frames):
    """With <P> = 0 and no slope there are no forces from the circuit but those of the envelope."""
    ((graph, _),) = graphs_of(potential, frames)
    result, _ = predict_on(Hardware(None, 0.75, 0.75), potential, graph)
    np.testing.assert_allclose(result.forces, 0.0, atol=1e-6)  # the bias starts at zero


@pytest.mark.parametrize(
    "name",
    [name if name in EVERYDAY else pytest.param(name, marks=pytest.mark.slow) for name in MODELS],
)
def test_ideal_hardware_changes_nothing_whatever_circuits_a_model_has(name, frames):
    potential = potential_of(**MODELS[name])
    circuits = trained_circuits(potential)
    assert len(circuits) == N_CIRCUITS[name]
    ((graph, mask),) = graphs_of(potential, frames.select([0]))
    exact = jax.device_get(potential.predict(graph))
    real, runs = predict_on(Hardware(), potential, graph)
    np.testing.assert_allclose(real.energy, exact.energy, atol=1e-10)
    np.testing.assert_allclose(real.forces, exact.forces, atol=1e-9)
    assert np.abs(exact.forces).max() > 1e-3
    features = [(each.circuit.n_features, label) for label, each in circuits.items()]
    edges = int(mask.sum())
    assert runs == sum((edges + ("latent" in label)) * (1 + 2 * n) for n, label in features)


def test_ideal_hardware_changes_nothing_in_the_architecture_of_2023(frames):
    potential = potential_of("2023", readout=QDI, latent_circuit=LAYER)
    errors = hardware_errors(potential, frames.select([0]), Hardware())
    assert errors.energy_mae < 1e-10
    assert errors.forces_rmse < 1e-9


@pytest.mark.parametrize("name", EVERYDAY)
def test_shots_change_energies_and_forces_of_every_kind(name, frames):
    errors = hardware_errors(potential_of(**MODELS[name]), frames.select([0]), Hardware(100))
    assert errors.energy_mae > 1e-6
    assert errors.forces_rmse > 1e-6


@pytest.fixture
def register():
    """Registers circuits on two qubits that return what a function gives; forgets them after."""
    names = []

    def registered(name, measured):
        qml = import_pennylane()

        @qml.qnode(qml.device("default.qubit", wires=2), diff_method="backprop")
        def qnode(features, weights):
            qml.AngleEmbedding(features, wires=[0, 1])
            qml.BasicEntanglerLayers(weights, wires=[0, 1])
            return measured(qml)

        names.append(name)
        register_circuit(name, qnode, n_features=2, weight_shape=(2, 2))
        return CircuitReadout((8,), circuit=name, final_width=3, input_scale=0.5, n_circuits=2)

    yield registered
    for name in names:
        registry._CIRCUITS.pop(name, None)


def test_ideal_hardware_changes_nothing_in_a_circuit_of_the_user(register, frames):
    readout = register("words", lambda qml: [qml.expval(qml.X(1)), qml.expval(qml.Z(0) @ qml.X(1))])
    potential = potential_of(readout=readout)
    assert set(trained_circuits(potential)) == {"readout/circuit", "readout/circuit_1"}
    errors = hardware_errors(potential, frames.select([0]), Hardware())
    assert errors.energy_mae < 1e-10
    assert errors.forces_rmse < 1e-9
    assert errors.circuits == 2 * errors.edges * 5


def test_circuits_that_cannot_be_measured_are_refused(register, frames):
    apart = register("apart", lambda qml: [qml.expval(qml.X(1)), qml.expval(qml.Y(1))])
    with pytest.raises(ValueError, match="read together"):
        hardware_errors(potential_of(readout=apart), frames.select([0]), Hardware())
    unordered = register("dict", lambda qml: {"b": qml.expval(qml.Z(0)), "a": qml.expval(qml.Z(1))})
    with pytest.raises(ValueError, match="'dict' to return a list"):
        hardware_errors(potential_of(readout=unordered), frames.select([0]), Hardware())


def test_angles_and_weights_are_those_of_the_gates(frames):
    """Scaled, and with the dead weights in their places: the circuit gives what the model gets."""
    potential = potential_of(
        readout=dataclasses.replace(QDI, input_scale=0.5, drop_dead_weights=True),
        latent_circuit=LAYER,
    )
    plain = Potential(
        dataclasses.replace(
            potential.config, readout=dataclasses.replace(QDI, drop_dead_weights=True)
        ),
        potential.params,
    )
    angles, unscaled = (edge_angles(each, frames.select([0])) for each in (potential, plain))
    np.testing.assert_allclose(angles["readout/circuit"], 0.5 * unscaled["readout/circuit"])
    circuits = trained_circuits(potential)
    assert list(circuits) == list(angles)
    assert len({len(rows) for rows in angles.values()}) == 1
    for name, (circuit, weights) in circuits.items():
        assert angles[name].shape[1] == circuit.n_features
        assert weights.shape == circuit.weight_shape == of_qdi(circuit).weight_shape
        assert 0 < angles[name].std() < 10


def test_classical_potentials_are_refused(frames):
    config = small_config(readout="mlp", type_names=("H", "C", "O"))
    with pytest.raises(ValueError, match=r"quantum circuits .* MLPReadout and no latent_circuit"):
        hardware_errors(Potential(config, initial_params(config)), frames, Hardware())
