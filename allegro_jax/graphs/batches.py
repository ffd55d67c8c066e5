"""From structures to padded `jraph.GraphsTuple` batches.

Layout of a batch (float arrays in the dtype asked for, indices int32)::

    nodes     positions [atoms, 3], species [atoms], forces [atoms, 3] if labelled
    edges     shifts [edges, 3], integers stored as floats
    senders   neighbours j;  receivers: centres i, ascending
    globals   cell [graphs, 3, 3], energy [graphs] and stress [graphs, 3, 3] if labelled,
              max_neighbors, a `MaxNeighbors`, which holds no array
    n_node, n_edge [graphs]

The structures come first, then one padding graph that owns every padding atom and edge, then,
when the batch has fewer structures than it has room for, empty graphs. That is the layout of
`jraph.pad_with_graphs`, so `jraph.get_graph_padding_mask` and its kin apply. Padding edges join
the last padding atom to itself at zero distance.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jraph
import numpy as np
from jaxtyping import Int
from numpy.typing import DTypeLike

from allegro_jax.datasets.dataset import Dataset, Structure, ragged_rows
from allegro_jax.graphs.graph_dataset import GraphDataset
from allegro_jax.graphs.padding import (
    Capacity,
    padded_rows,
    present,
    rounded_capacity,
    smallest_fit,
)

_NEIGHBOR_STEP = 64  # a change of the bound recompiles


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class MaxNeighbors:
    """No atom of the data set has more neighbours; static, it takes part in no computation."""

    number: int


def neighbor_bound(graphs: GraphDataset) -> MaxNeighbors:
    """Returns the bound that all batches of a data set share."""
    return MaxNeighbors(-(-graphs.max_neighbors // _NEIGHBOR_STEP) * _NEIGHBOR_STEP)


def max_neighbors(graph: jraph.GraphsTuple) -> int | None:
    """Returns a bound on the neighbours of every atom of a batch, None if it carries none."""
    bound = (graph.globals or {}).get("max_neighbors")
    return None if bound is None else bound.number


def batch(
    graphs: GraphDataset,
    indices: Sequence[int] | Int[np.ndarray, "..."],
    capacity: Capacity | Sequence[Capacity],
    dtype: DTypeLike = np.float32,
) -> jraph.GraphsTuple:
    """Packs structures `indices` into one padded graph of numpy arrays.

    Args:
        graphs: where the structures come from.
        indices: which structures, in this order.
        capacity: the padded size; of several, in ascending order, the smallest that fits.
        dtype: of the float arrays.

    Returns:
        The batch; the layout is described at the top of this module.

    Raises:
        ValueError: the structures do not fit into `capacity`, or there are none.

    Example:
        >>> from allegro_jax import datasets, graphs
        >>> data = datasets.load("rmd17-benzene").select(range(10))
        >>> ready = graphs.GraphDataset.build(data, cutoff=5.0, species=data.elements)
        >>> capacity = graphs.capacity_for(ready, batch_size=5)
        >>> graphs.batch(ready, [0, 3, 4, 7, 9], capacity).n_node
        array([12, 12, 12, 12, 12,  4], dtype=int32)
    """
    indices = np.asarray(indices, dtype=np.int64)
    if indices.ndim != 1 or len(indices) == 0:
        raise ValueError(f"a batch needs a 1-D list of structures; came shape {indices.shape}")
    n_atoms, n_edges = graphs.n_atoms[indices], graphs.n_edges[indices]
    total_atoms, total_edges = int(n_atoms.sum()), int(n_edges.sum())
    capacities = [capacity] if isinstance(capacity, Capacity) else capacity
    capacity = smallest_fit(capacities, total_atoms, total_edges, len(indices))
    atoms = ragged_rows(graphs.first_atoms[indices], n_atoms)
    edges = ragged_rows(graphs.first_edges[indices], n_edges)
    # Local atom numbers become rows of the batch by adding the first row of their structure.
    first_row = np.repeat(np.cumsum(n_atoms) - n_atoms, n_edges)
    last = capacity.atoms - 1
    return jraph.GraphsTuple(
        nodes=present(
            positions=padded_rows(graphs.positions, atoms, capacity.atoms, dtype),
            species=padded_rows(graphs.species_index, atoms, capacity.atoms, np.int32),
            forces=padded_rows(graphs.forces, atoms, capacity.atoms, dtype),
        ),
        edges={"shifts": padded_rows(graphs.shifts, edges, capacity.edges, dtype)},
        receivers=_endpoints(graphs.centres[edges] + first_row, capacity.edges, last),
        senders=_endpoints(graphs.neighbors[edges] + first_row, capacity.edges, last),
        globals=present(
            cell=padded_rows(graphs.cell, indices, capacity.graphs, dtype),
            energy=padded_rows(graphs.energy, indices, capacity.graphs, dtype),
            stress=padded_rows(graphs.stress, indices, capacity.graphs, dtype),
            max_neighbors=neighbor_bound(graphs),
        ),
        n_node=_sizes(n_atoms, capacity.atoms - total_atoms, capacity.graphs),
        n_edge=_sizes(n_edges, capacity.edges - total_edges, capacity.graphs),
    )


def batch_structures(
    structures: Dataset | Sequence[Structure],
    cutoff: float,
    species: Sequence[int],
    capacity: Capacity | None = None,
    dtype: DTypeLike = np.float32,
) -> jraph.GraphsTuple:
    """Packs loose structures into one graph: neighbour lists, a capacity, a batch.

    Args:
        structures: at least one, labelled or not.
        cutoff: Å.
        species: atomic numbers in the order of the model's species.
        capacity: the padded size; a coarsely rounded one when None.
        dtype: of the float arrays.

    Raises:
        ValueError: as `GraphDataset.build` and `batch`.
    """
    graphs = GraphDataset.build(structures, cutoff, species)
    if capacity is None:
        capacity = rounded_capacity(
            int(graphs.n_atoms.sum()), int(graphs.n_edges.sum()), len(graphs)
        )
    return batch(graphs, np.arange(len(graphs)), capacity, dtype)


def _endpoints(
    rows: Int[np.ndarray, "edges"], size: int, padding_atom: int
) -> Int[np.ndarray, "capacity"]:
    padded = np.full(size, padding_atom, np.int32)
    padded[: len(rows)] = rows
    return padded


def _sizes(
    sizes: Int[np.ndarray, "structures"], padding: int, graphs: int
) -> Int[np.ndarray, "graphs"]:
    padded = np.zeros(graphs, np.int32)
    padded[: len(sizes)] = sizes
    padded[len(sizes)] = padding
    return padded
