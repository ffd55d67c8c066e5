"""A potential whose circuits are measured."""

import jax
import numpy as np
import pytest

from allegro_jax.datasets import load
from allegro_jax.potential import Potential, initial_params
from allegro_jax.quantum.diagnostics import of_qdi
from allegro_jax.quantum.hardware import Hardware
from allegro_jax.quantum.hardware.potentials import _graphs as graphs_of
from allegro_jax.quantum.hardware.potentials import (
    edge_angles,
    hardware_errors,
    predict_on,
    trained_circuit,
)
from tests.small_models import small_config


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
    (graph,) = graphs_of(potential, frames)
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
    (graph,) = graphs_of(potential, frames)
    result, _ = predict_on(Hardware(None, 0.75, 0.75), potential, graph)
    np.testing.assert_allclose(result.forces, 0.0, atol=1e-6)  # the bias starts at zero


def test_angles_of_the_edges_give_the_energy_by_the_exact_circuit(potential, frames):
    angles = edge_angles(potential, frames)
    circuit, weights = trained_circuit(potential)
    assert angles.shape[1] == circuit.n_features
    assert weights.shape == circuit.weight_shape == of_qdi(circuit).weight_shape
    assert 0 < angles.std() < 10


def test_other_readouts_are_refused(frames):
    config = small_config(readout="mlp", type_names=("H", "C", "O"))
    with pytest.raises(ValueError, match=r"QDI readout, got one with MLPReadout"):
        hardware_errors(Potential(config, initial_params(config)), frames, Hardware())
