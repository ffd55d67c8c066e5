"""A whole data set as batches, in order: for validation, evaluation and timing."""

import jraph
import numpy as np
from numpy.typing import DTypeLike

from allegro_jax.graphs.batches import batch
from allegro_jax.graphs.graph_dataset import GraphDataset
from allegro_jax.graphs.padding import capacities_for


def ordered_batches(
    graphs: GraphDataset, batch_size: int, dtype: DTypeLike = np.float32
) -> list[jraph.GraphsTuple]:
    """Returns batches that hold every structure once, in order, in one or two capacities.

    Args:
        graphs: The data set.
        batch_size: Structures per batch; smaller sets take one batch, the last may be part full.
        dtype: Of the float arrays.
    """
    size = min(batch_size, len(graphs))
    capacities = capacities_for(graphs, size)
    starts = range(0, len(graphs), size)
    chunks = [np.arange(start, min(start + size, len(graphs))) for start in starts]
    return [batch(graphs, chunk, capacities, dtype) for chunk in chunks]
