"""A whole data set as batches, in order: for validation, evaluation and timing."""

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
    size = min(batch_size, len(graphs))
    steps = -(-len(graphs) // size)
    rows = np.minimum(np.arange(steps * size), len(graphs)).reshape(steps, size)
    capacities = exact_capacities(graphs, rows[:, None, :])
    return [batch(graphs, row[row < len(graphs)], capacities, dtype) for row in rows]
