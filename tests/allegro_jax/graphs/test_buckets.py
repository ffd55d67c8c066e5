"""Little of a batch is padding, and few programs are compiled."""

import itertools

import numpy as np
import pytest

from allegro_jax.datasets import load
from allegro_jax.graphs import GraphDataset, capacities_for, ordered_batches, padding_waste
from allegro_jax.graphs.buckets import _best_sizes, levels_of
from allegro_jax.graphs.epochs import batch_sizes, epoch_rows


def graphs_of(name: str, cutoff: float) -> GraphDataset:
    data = load(name)
    return GraphDataset.build(data, cutoff, data.elements)


def epoch_waste(graphs: GraphDataset, batch_size: int, shards: int = 1) -> float:
    """Padded share of the edges of one epoch, its part-full last batch included."""
    capacities = capacities_for(graphs, batch_size, shards)
    sizes = batch_sizes(graphs, epoch_rows(graphs, batch_size, np.random.default_rng(7), shards))
    padded = np.array([capacity.edges for capacity in capacities])[levels_of(sizes, capacities)]
    return 1 - sizes.edges.sum() / (padded.sum() * shards)


@pytest.mark.parametrize("cutoff", [4.0, 5.0, 6.0])
def test_at_most_15_percent_of_the_edges_of_qm9_are_padding(cutoff: float) -> None:
    graphs = graphs_of("qm9", cutoff)
    for batch_size in (5, 16, 32):
        assert len(capacities_for(graphs, batch_size)) <= 3
        assert epoch_waste(graphs, batch_size) <= 0.15


@pytest.mark.parametrize("batch_size", [5, 16, 32])
def test_at_most_15_percent_of_the_edges_of_metals_and_alloys_are_padding(batch_size: int) -> None:
    graphs = graphs_of("culi", 5.0)
    assert len(capacities_for(graphs, batch_size)) <= 3
    assert epoch_waste(graphs, batch_size) <= 0.15


@pytest.mark.parametrize("name", ["rmd17-aspirin", "rmd17-benzene"])
def test_frames_of_one_molecule_need_one_program(name: str) -> None:
    graphs = graphs_of(name, 5.0)
    for batch_size in (1, 5, 32):
        assert len(capacities_for(graphs, batch_size)) == 1
        assert epoch_waste(graphs, batch_size) <= 0.15


def test_the_reported_waste_is_that_of_an_epoch() -> None:
    graphs = graphs_of("qm9", 4.0)
    expected = padding_waste(graphs, 16, capacities_for(graphs, 16))
    assert epoch_waste(graphs, 16) == pytest.approx(expected, abs=0.02)


def test_shares_of_several_devices_waste_as_little() -> None:
    graphs = graphs_of("qm9", 5.0)
    assert len(capacities_for(graphs, 32, shards=4)) <= 3
    assert epoch_waste(graphs, 32, shards=4) <= 0.15


def test_levels_pad_as_little_as_the_best_of_all_combinations() -> None:
    edges = np.random.default_rng(0).gamma(4.0, 200.0, size=60).astype(int)
    worst = 4096
    for levels in (1, 2, 3):
        found = _best_sizes(edges, worst, levels)
        candidates = sorted({-(-size // 8) * 8 if size < 512 else -(-size // 32) * 32
                             for size in edges})  # fmt: skip

        def padded(sizes: list[int]) -> int:
            return sum(min(size for size in sizes if size >= batch) for batch in edges)

        choices = itertools.combinations(candidates, levels - 1)
        assert padded(found) == min(padded([*choice, worst]) for choice in choices)
        assert found[-1] == worst


def test_validation_batches_take_the_sizes_of_their_structures() -> None:
    data = load("qm9").select(range(100))
    graphs = GraphDataset.build(data, 4.0, data.elements)
    batches = ordered_batches(graphs, 25)
    edges = graphs.n_edges.reshape(4, 25).sum(axis=1)
    assert max(len(graph.senders) for graph in batches) - edges.max() < 32
    assert edges.sum() / sum(len(graph.senders) for graph in batches) >= 0.85
