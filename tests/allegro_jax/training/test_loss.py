"""Losses and metrics see labelled entries of real atoms and structures only."""

import dataclasses

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from allegro_jax.datasets import load
from allegro_jax.graphs import Capacity, GraphDataset, batch, capacity_for
from allegro_jax.potential import Predictions
from allegro_jax.training.loss import LossWeights, Penalty, weighted_loss
from allegro_jax.training.metrics import batch_errors, summarise


@pytest.fixture(scope="module")
def graphs() -> GraphDataset:
    data = load("rmd17-benzene").select(range(4))
    return GraphDataset.build(data, 4.0, data.elements, {1: -13.0, 6: -1035.0})


def zero_predictions(graph: jraph.GraphsTuple) -> Predictions:
    atoms, n_graphs = graph.nodes["species"].shape[0], graph.n_node.shape[0]
    return Predictions(
        jnp.zeros(n_graphs), jnp.zeros((atoms, 3)), jnp.zeros(atoms), jnp.zeros((n_graphs, 3, 3))
    )


def roomy(graphs: GraphDataset) -> Capacity:
    tight = capacity_for(graphs, 3)
    return Capacity(tight.atoms + 40, tight.edges + 200, tight.graphs + 2)


def test_loss_of_zero_predictions_is_the_mean_square_of_the_labels(graphs: GraphDataset) -> None:
    graph = batch(graphs, [0, 1, 2], capacity_for(graphs, 3))
    loss = weighted_loss(zero_predictions(graph), graph, LossWeights(energy=2.0, forces=3.0))
    per_atom = graphs.energy[:3] / 12
    expected = 2.0 * np.mean(per_atom**2) + 3.0 * np.mean(graphs.forces[:36] ** 2)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_padding_changes_neither_loss_nor_metrics(graphs: GraphDataset) -> None:
    tight = batch(graphs, [0, 1, 2], capacity_for(graphs, 3))
    loose = batch(graphs, [0, 1, 2], roomy(graphs))
    weights = LossWeights()
    losses = [weighted_loss(zero_predictions(graph), graph, weights) for graph in (tight, loose)]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-6)
    errors = [summarise([batch_errors(zero_predictions(graph), graph)]) for graph in (tight, loose)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)


def test_padding_atoms_have_no_gradient(graphs: GraphDataset) -> None:
    graph = batch(graphs, [0, 1, 2], roomy(graphs))

    def loss(forces: jax.Array) -> jax.Array:
        return weighted_loss(zero_predictions(graph)._replace(forces=forces), graph, LossWeights())

    gradient = jax.grad(loss)(jnp.ones_like(graph.nodes["positions"]))
    real = np.asarray(jraph.get_node_padding_mask(graph))
    assert np.all(gradient[~real] == 0)
    assert np.all(gradient[real] != 0)


def test_metrics_match_numpy_over_several_batches(graphs: GraphDataset) -> None:
    capacity = capacity_for(graphs, 3)
    parts = [batch(graphs, [0, 1, 2], capacity), batch(graphs, [3], capacity)]
    errors = summarise(batch_errors(zero_predictions(graph), graph) for graph in parts)
    assert errors["forces_mae"] == pytest.approx(np.abs(graphs.forces).mean(), rel=1e-5)
    assert errors["forces_rmse"] == pytest.approx(np.sqrt((graphs.forces**2).mean()), rel=1e-5)
    assert errors["energy_mae"] == pytest.approx(np.abs(graphs.energy).mean(), rel=1e-5)
    assert errors["energy_per_atom_rmse"] == pytest.approx(
        np.sqrt((graphs.energy**2).mean()) / 12, rel=1e-5
    )


DELTA = 0.5
CLOSED_FORMS = {
    "mse": (lambda e: e**2, lambda e: 2 * e),
    "mae": (np.abs, np.sign),
    "huber": (
        lambda e: np.where(np.abs(e) <= DELTA, e**2 / 2, DELTA * (np.abs(e) - DELTA / 2)),
        lambda e: np.clip(e, -DELTA, DELTA),
    ),
}
"""Cost of an error, and its derivative."""


@pytest.mark.parametrize("kind", CLOSED_FORMS)
def test_costs_and_their_gradients_have_the_closed_form(kind: str) -> None:
    cost, slope = CLOSED_FORMS[kind]
    error = np.linspace(-2.0, 2.0, 17)
    penalty = Penalty(kind, DELTA)
    np.testing.assert_allclose(penalty(jnp.asarray(error)), cost(error), rtol=1e-6)
    gradient = jax.vmap(jax.grad(penalty))(jnp.asarray(error))
    np.testing.assert_allclose(gradient, slope(error), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", CLOSED_FORMS)
@pytest.mark.parametrize("per_atom", [True, False])
def test_losses_are_means_over_structures_and_components(
    graphs: GraphDataset, kind: str, per_atom: bool
) -> None:
    cost, slope = CLOSED_FORMS[kind]
    graph = batch(graphs, [0, 1, 2], roomy(graphs))
    penalty = Penalty(kind, DELTA, energy_per_atom=per_atom)

    def loss(forces: jax.Array) -> jax.Array:
        predictions = zero_predictions(graph)._replace(forces=forces)
        return weighted_loss(predictions, graph, LossWeights(2.0, 3.0), penalty=penalty)

    value, gradient = jax.value_and_grad(loss)(jnp.zeros_like(graph.nodes["positions"]))
    energies = graphs.energy[:3] / (12 if per_atom else 1)
    expected = 2 * cost(energies).mean() + 3 * cost(graphs.forces[:36]).mean()
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        gradient[:36], 3 * slope(-graphs.forces[:36]) / 108, rtol=1e-4, atol=1e-7
    )


def test_the_l2_loss_is_the_mean_length_of_the_error_of_a_force(graphs: GraphDataset) -> None:
    graph = batch(graphs, [0, 1, 2], roomy(graphs))

    def loss(forces: jax.Array) -> jax.Array:
        predictions = zero_predictions(graph)._replace(forces=forces)
        return weighted_loss(predictions, graph, LossWeights(2.0, 3.0), penalty=Penalty("l2"))

    # The force on the first atom is right: neither does it cost anything nor is its slope NaN.
    forces = jnp.zeros_like(graph.nodes["positions"]).at[0].set(graph.nodes["forces"][0])
    value, gradient = jax.value_and_grad(loss)(forces)
    error = -graphs.forces[1:36]
    lengths = np.linalg.norm(error, axis=1)
    expected = 2 * np.abs(graphs.energy[:3] / 12).mean() + 3 * lengths.sum() / 36
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(gradient[0], 0.0)
    np.testing.assert_allclose(gradient[1:36], 3 * error / lengths[:, None] / 36, rtol=1e-4)


@pytest.fixture(scope="module")
def partly_labelled(graphs: GraphDataset) -> GraphDataset:
    """No energy of the second structure, no forces on three atoms, and one component less."""
    energy, forces = graphs.energy.copy(), graphs.forces.copy()
    energy[1], forces[4:7], forces[20, 1] = np.nan, np.nan, np.nan
    return dataclasses.replace(graphs, energy=energy, forces=forces)


def test_entries_without_label_are_left_out_of_loss_and_gradient(
    partly_labelled: GraphDataset,
) -> None:
    graph = batch(partly_labelled, [0, 1, 2], roomy(partly_labelled))

    def loss(forces: jax.Array) -> jax.Array:
        predictions = zero_predictions(graph)._replace(forces=forces)
        return weighted_loss(predictions, graph, LossWeights(2.0, 3.0))

    value, gradient = jax.value_and_grad(loss)(jnp.zeros_like(graph.nodes["positions"]))
    labels = partly_labelled.forces[:36]
    per_atom = np.array([partly_labelled.energy[0], partly_labelled.energy[2]]) / 12
    expected = 2 * np.mean(per_atom**2) + 3 * np.nanmean(labels**2)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    slope = np.nan_to_num(3 * 2 * -labels / (~np.isnan(labels)).sum())
    np.testing.assert_allclose(gradient[:36], slope, rtol=1e-5)


def test_metrics_leave_out_what_is_not_labelled_and_tell_the_types(
    partly_labelled: GraphDataset,
) -> None:
    capacity = capacity_for(partly_labelled, 3)
    parts = [batch(partly_labelled, rows, capacity) for rows in ([0, 1, 2], [3])]
    errors = summarise(
        batch_errors(zero_predictions(graph), graph, ("H", "C", "O")) for graph in parts
    )
    labels, hydrogen = partly_labelled.forces, partly_labelled.species_index == 0
    assert errors["forces_mae"] == pytest.approx(np.nanmean(np.abs(labels)), rel=1e-5)
    for name, rows in (("H", hydrogen), ("C", ~hydrogen)):
        of_type = labels[rows]
        assert errors[f"forces_mae/{name}"] == pytest.approx(np.nanmean(np.abs(of_type)), rel=1e-5)
        assert errors[f"forces_rmse/{name}"] == pytest.approx(
            np.sqrt(np.nanmean(of_type**2)), rel=1e-5
        )
    energies = partly_labelled.energy[[0, 2, 3]]
    assert errors["energy_mae"] == pytest.approx(np.abs(energies).mean(), rel=1e-5)
    assert "forces_mae/O" not in errors  # there is none


def test_a_batch_without_a_label_has_no_loss_and_no_nan(graphs: GraphDataset) -> None:
    nothing = dataclasses.replace(graphs, energy=np.full(4, np.nan), forces=graphs.forces * np.nan)
    graph = batch(nothing, [0, 1], capacity_for(nothing, 3))
    assert float(weighted_loss(zero_predictions(graph), graph, LossWeights())) == 0.0
    assert summarise([batch_errors(zero_predictions(graph), graph)]) == {}
