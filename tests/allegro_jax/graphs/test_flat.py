"""A batch assembled on the device is the one built on the host."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from allegro_jax.datasets import Dataset, load
from allegro_jax.graphs import Capacity, GraphDataset, batch
from allegro_jax.graphs.flat import assemble, flat_bytes, flat_graphs


@pytest.fixture(scope="module")
def graphs() -> GraphDataset:
    data: Dataset = load("culi").select([0, 300, 2000, 2100, 2150, 2177])
    return GraphDataset.build(data, 4.0, data.elements)


def assert_same(left, right) -> None:
    jax.tree.map(np.testing.assert_array_equal, left, right)
    types = jax.tree.map(lambda a, b: a.dtype == b.dtype, left, right)
    assert all(jax.tree.leaves(types))


@pytest.mark.parametrize("chosen", [[0, 1, 2], [5, 3], [4], [2, 2, 1]])
def test_arrays_are_those_of_the_host(graphs: GraphDataset, chosen: list[int]) -> None:
    capacity = Capacity(400, 16_000, 4)
    rows = np.array([*chosen, *[len(graphs)] * (3 - len(chosen))])
    assert_same(assemble(flat_graphs(graphs), rows, capacity), batch(graphs, chosen, capacity))


def test_structures_in_another_order_with_room_to_spare_give_the_same(graphs: GraphDataset) -> None:
    capacity = Capacity(400, 16_000, 3)
    flat = flat_graphs(graphs, [4, 1, 0], Capacity(500, 20_000, 6))
    assert_same(assemble(flat, np.array([2, 1]), capacity), batch(graphs, [0, 1], capacity))


def test_a_batch_without_structures_is_padding(graphs: GraphDataset) -> None:
    graph = assemble(flat_graphs(graphs), np.full(2, len(graphs)), Capacity(10, 20, 3))
    np.testing.assert_array_equal(graph.n_node, [10, 0, 0])
    np.testing.assert_array_equal(graph.n_edge, [20, 0, 0])
    assert (graph.senders == 9).all()
    assert not graph.nodes["forces"].any()


def test_unlabelled_structures_have_no_labels() -> None:
    data = load("qm9").select(range(3))
    graphs = GraphDataset.build([replace(item, energy=None) for item in data], 4.0, data.elements)
    graph = assemble(flat_graphs(graphs), np.array([0, 2]), Capacity(60, 1000, 3))
    assert set(graph.nodes) == {"positions", "species"}
    assert set(graph.globals) == {"cell", "max_neighbors"}


def test_the_size_is_known_before_it_is_made(graphs: GraphDataset) -> None:
    built = sum(leaf.nbytes for leaf in jax.tree.leaves(flat_graphs(graphs)))
    assert flat_bytes(graphs) == pytest.approx(built, rel=0.01)


def test_one_program_serves_all_batches(graphs: GraphDataset) -> None:
    assembled = jax.jit(partial(assemble, capacity=Capacity(400, 16_000, 3)))
    flat = jax.device_put(flat_graphs(graphs))
    for rows in ([0, 1], [3, 2], [5, 6]):
        assembled(flat, np.array(rows))
    assert assembled._cache_size() == 1
