"""Losses and metrics see real atoms and structures only."""

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from allegro_jax.datasets import load
from allegro_jax.graphs import Capacity, GraphDataset, batch, capacity_for
from allegro_jax.potential import Predictions
from allegro_jax.training.loss import LossWeights, masked_mean, weighted_loss
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


def test_mean_over_no_rows_is_zero_not_nan() -> None:
    assert float(masked_mean(jnp.ones((3, 2)), jnp.zeros(3, bool))) == 0.0
