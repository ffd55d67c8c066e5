"""Structures on the device, and batches assembled there from their numbers.

The arrays of a data set go to the device once; a batch is then a handful of gathers inside the
compiled step. It equals what `batches.batch` builds on the host, array by array.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Bool, Int
from numpy.typing import DTypeLike

from allegro_jax.datasets.dataset import ragged_rows
from allegro_jax.graphs.batches import neighbor_bound
from allegro_jax.graphs.graph_dataset import GraphDataset
from allegro_jax.graphs.padding import Capacity, padded_rows, present


class FlatGraphs(NamedTuple):
    """Structures one after the other; rows of zeros at the end of every array stand for padding.

    Attributes:
        n_node: atoms per structure [structures].
        n_edge: edges per structure [structures].
        first_node: row of the first atom of each structure [structures].
        first_edge: row of its first edge [structures].
        nodes: positions, species and forces of all atoms.
        edges: shifts, senders and receivers of all edges, counted from the first atom.
        globals: cell, energy and stress of each structure, and `MaxNeighbors`, which has no array.
    """

    n_node: Any
    n_edge: Any
    first_node: Any
    first_edge: Any
    nodes: dict[str, Any]
    edges: dict[str, Any]
    globals: dict[str, Any]


def flat_bytes(graphs: GraphDataset) -> int:
    """Returns the size of a whole data set as `FlatGraphs` in float32, without padding."""
    per_edge = 5  # two ends, three shifts
    per_atom = 4 + (0 if graphs.forces is None else 3)
    per_structure = 4 + 9 + (graphs.energy is not None) + 9 * (graphs.stress is not None)
    edges, atoms = int(graphs.n_edges.sum()), int(graphs.n_atoms.sum())
    return 4 * (per_edge * edges + per_atom * atoms + per_structure * len(graphs))


def flat_graphs(
    graphs: GraphDataset,
    indices: Sequence[int] | Int[np.ndarray, "..."] | None = None,
    capacity: Capacity | None = None,
    dtype: DTypeLike = np.float32,
) -> FlatGraphs:
    """Returns structures as flat numpy arrays.

    Args:
        graphs: The data set.
        indices: Which structures, in this order; None for all.
        capacity: Array sizes, each with at least one row of padding; None for the smallest.
        dtype: Of the float arrays.
    """
    chosen = np.arange(len(graphs)) if indices is None else np.asarray(indices, np.int64)
    n_node, n_edge = graphs.n_atoms[chosen], graphs.n_edges[chosen]
    if capacity is None:
        capacity = Capacity(max(int(n_node.sum()) + 1, 2), int(n_edge.sum()) + 1, len(chosen) + 1)
    atoms = ragged_rows(graphs.first_atoms[chosen], n_node)
    edges = ragged_rows(graphs.first_edges[chosen], n_edge)
    every = np.arange(len(chosen))
    return FlatGraphs(
        n_node=padded_rows(n_node, every, capacity.graphs, np.int32),
        n_edge=padded_rows(n_edge, every, capacity.graphs, np.int32),
        first_node=padded_rows(np.cumsum(n_node) - n_node, every, capacity.graphs, np.int32),
        first_edge=padded_rows(np.cumsum(n_edge) - n_edge, every, capacity.graphs, np.int32),
        nodes=present(
            positions=padded_rows(graphs.positions, atoms, capacity.atoms, dtype),
            species=padded_rows(graphs.species_index, atoms, capacity.atoms, np.int32),
            forces=padded_rows(graphs.forces, atoms, capacity.atoms, dtype),
        ),
        edges=present(
            shifts=padded_rows(graphs.shifts, edges, capacity.edges, dtype),
            senders=padded_rows(graphs.neighbors, edges, capacity.edges, np.int32),
            receivers=padded_rows(graphs.centres, edges, capacity.edges, np.int32),
        ),
        globals=present(
            cell=padded_rows(graphs.cell, chosen, capacity.graphs, dtype),
            energy=padded_rows(graphs.energy, chosen, capacity.graphs, dtype),
            stress=padded_rows(graphs.stress, chosen, capacity.graphs, dtype),
            max_neighbors=neighbor_bound(graphs),
        ),
    )


def assemble(
    flat: FlatGraphs, rows: Int[Array, "structures"], capacity: Capacity
) -> jraph.GraphsTuple:
    """Packs structures into one padded graph; pure, for use under jit.

    Args:
        flat: Where they come from.
        rows: Which structures, in this order; then, in empty places, the row of padding.
        capacity: Padded size, of `len(rows)` structures and one; they must fit.

    Returns:
        The batch in the layout of `allegro_jax.graphs.batches`.
    """
    n_node, n_edge = flat.n_node[rows], flat.n_edge[rows]
    atoms = _Rows.build(flat.first_node[rows], n_node, flat.nodes["species"], capacity.atoms)
    edges = _Rows.build(flat.first_edge[rows], n_edge, flat.edges["senders"], capacity.edges)
    # Local atom numbers become rows of the batch by adding the first row of their structure.
    first_row = (jnp.cumsum(n_node) - n_node)[edges.owner]
    last = capacity.atoms - 1
    ends = {
        name: jnp.where(edges.is_real, flat.edges[name][edges.source] + first_row, last)
        for name in ("senders", "receivers")
    }
    count = jnp.sum(n_node > 0)
    return jraph.GraphsTuple(
        nodes=jax.tree.map(lambda values: values[atoms.source], flat.nodes),
        edges={"shifts": flat.edges["shifts"][edges.source]},
        **ends,
        globals=jax.tree.map(lambda values: _one_more(values[rows]), flat.globals),
        n_node=_with_padding(n_node, count, capacity.atoms),
        n_edge=_with_padding(n_edge, count, capacity.edges),
    )


class _Rows(NamedTuple):
    """Where the rows of a batch come from.

    Attributes:
        source: row of the flat arrays; their last, of zeros, for padding.
        owner: place of the structure in the batch.
        is_real: False for padding.
    """

    source: Int[Array, "size"]
    owner: Int[Array, "size"]
    is_real: Bool[Array, "size"]

    @classmethod
    def build(
        cls,
        first: Int[Array, "structures"],
        count: Int[Array, "structures"],
        flat: Array,
        size: int,
    ) -> "_Rows":
        owner = jnp.repeat(jnp.arange(len(count)), count, total_repeat_length=size)
        place = jnp.arange(size)
        is_real = place < count.sum()
        shift = first - (jnp.cumsum(count) - count)
        source = jnp.where(is_real, place + shift[owner], flat.shape[0] - 1)
        return cls(source, owner, is_real)


def _one_more(values: Array) -> Array:
    """Adds the row of the padding graph."""
    return jnp.pad(values, [(0, 1), *((0, 0),) * (values.ndim - 1)])


def _with_padding(
    sizes: Int[Array, "structures"], count: Array, total: int
) -> Int[Array, "structures+1"]:
    """Adds the size of the padding graph, which comes after the `count` real ones."""
    return _one_more(sizes).at[count].set((total - sizes.sum()).astype(sizes.dtype))
