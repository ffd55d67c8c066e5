"""An epoch holds every structure once, and devices that share a batch have equal work."""

import numpy as np
import pytest

from allegro_jax.datasets import load
from allegro_jax.graphs import GraphDataset
from allegro_jax.graphs.epochs import batch_sizes, epoch_rows


@pytest.fixture(scope="module")
def graphs() -> GraphDataset:
    data = load("qm9").select(range(203))
    return GraphDataset.build(data, 4.0, data.elements)


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_every_structure_comes_once(graphs: GraphDataset, shards: int) -> None:
    rows = epoch_rows(graphs, 8, np.random.default_rng(0), shards)
    assert rows.shape == (26, shards, 8 // shards)
    assert sorted(rows[rows < len(graphs)]) == list(range(len(graphs)))
    assert (np.diff(rows == len(graphs), axis=-1) >= 0).all()  # empty places come last


def test_batches_are_the_same_on_any_number_of_devices(graphs: GraphDataset) -> None:
    one, four = (epoch_rows(graphs, 8, np.random.default_rng(3), shards) for shards in (1, 4))
    np.testing.assert_array_equal(
        np.sort(one.reshape(len(one), -1)), np.sort(four.reshape(len(four), -1))
    )


def test_devices_have_about_the_same_number_of_edges(graphs: GraphDataset) -> None:
    rows = epoch_rows(graphs, 32, np.random.default_rng(0), 4)[:-1]
    edges = batch_sizes(graphs, rows).edges
    assert (edges.max(axis=1) / edges.mean(axis=1)).mean() < 1.1
    unsorted = batch_sizes(graphs, np.sort(rows.reshape(-1, 32)).reshape(rows.shape)).edges
    assert np.ptp(edges, axis=1).mean() < 0.5 * np.ptp(unsorted, axis=1).mean()
