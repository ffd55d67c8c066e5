"""One pass over a data set in random order: which structures share a batch, and a device."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from allegro_jax.graphs.graph_dataset import GraphDataset


class BatchSizes(NamedTuple):
    """Atoms and edges of every batch, one column for each device that takes a share of it."""

    atoms: Int[np.ndarray, "steps shards"]
    edges: Int[np.ndarray, "steps shards"]


def epoch_rows(
    graphs: GraphDataset, batch_size: int, rng: np.random.Generator, shards: int = 1
) -> Int[np.ndarray, "steps shards structures"]:
    """Puts every structure into one batch; `len(graphs)` stands for an empty place.

    Where several devices share a batch, its structures are dealt out by size, back and forth, so
    that all of them have about the same number of edges.

    Args:
        graphs: The data set.
        batch_size: Structures per batch, a multiple of `shards`; the last may be part full.
        rng: Decides the order.
        shards: Devices that share a batch.
    """
    steps = -(-len(graphs) // batch_size)
    places = np.full(steps * batch_size, len(graphs))
    places[: len(graphs)] = rng.permutation(len(graphs))
    rows = places.reshape(steps, batch_size)
    return rows[:, None, :] if shards == 1 else _dealt(rows, graphs.n_edges, shards)


def batch_sizes(
    graphs: GraphDataset, rows: Int[np.ndarray, "steps shards structures"]
) -> BatchSizes:
    """Counts the atoms and edges of batches."""
    atoms, edges = (np.append(sizes, 0)[rows] for sizes in (graphs.n_atoms, graphs.n_edges))
    return BatchSizes(atoms.sum(axis=-1), edges.sum(axis=-1))


def _dealt(
    rows: Int[np.ndarray, "steps structures"], n_edges: Int[np.ndarray, "structures"], shards: int
) -> Int[np.ndarray, "steps shards structures"]:
    sizes = np.append(n_edges, -1)[rows]  # empty places come last
    largest_first = np.take_along_axis(rows, np.argsort(-sizes, axis=1, kind="stable"), axis=1)
    rounds = largest_first.reshape(len(rows), -1, shards)
    rounds[:, 1::2] = rounds[:, 1::2, ::-1].copy()
    return rounds.swapaxes(1, 2)
