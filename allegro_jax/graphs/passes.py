"""A whole data set as batches, in order: for validation, evaluation and timing."""

from collections.abc import Iterator

import jraph
import numpy as np
from numpy.typing import DTypeLike

from allegro_jax.graphs.batches import batch
from allegro_jax.graphs.buckets import exact_capacities
from allegro_jax.graphs.graph_dataset import GraphDataset


def ordered_batches(
    graphs: GraphDataset, batch_size: int, dtype: DTypeLike = np.float32
) -> list[jraph.GraphsTuple]:
    """Returns batches that hold every structure once, in order, in as few capacities as it takes.

    Args:
        graphs: The data set.
        batch_size: Structures per batch; smaller sets take one batch, the last may be part full.
        dtype: Of the float arrays.
    """
    return list(each_batch(graphs, batch_size, dtype))


def each_batch(
    graphs: GraphDataset, batch_size: int, dtype: DTypeLike = np.float32
) -> Iterator[jraph.GraphsTuple]:
    """Yields the same batches as `ordered_batches` one at a time, for sets larger than memory."""
    size = min(batch_size, len(graphs))
    steps = -(-len(graphs) // size)
    rows = np.minimum(np.arange(steps * size), len(graphs)).reshape(steps, size)
    capacities = exact_capacities(graphs, rows[:, None, :])
    for row in rows:
        yield batch(graphs, row[row < len(graphs)], capacities, dtype)
        graphs.release()
