"""Padding: what a capacity is and how it is rounded; `buckets` chooses those of a data set.

A compiled step has fixed array sizes, so a batch is padded up to a `Capacity`. Training knows its
batches beforehand and rounds tightly (`capacity_for`, `tight_capacity`). Calculators meet sizes one
by one and round coarsely (`rounded_capacity`), so that a few atoms or edges more or less do not
recompile anything.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int
from numpy.typing import DTypeLike

if TYPE_CHECKING:
    from allegro_jax.graphs.graph_dataset import GraphDataset

_ATOM_STEP, _EDGE_STEP = 4, 32  # tight rounding: at most 3 atoms and 31 edges of waste
_SMALL_STEP = 8  # of few edges, of which 31 would be many
_STEPS_PER_DOUBLING = 4  # coarse rounding: 16, 20, 24, 28, 32, 40, ...: at most 20 % of waste


@dataclasses.dataclass(frozen=True)
class Capacity:
    """Array sizes of a padded batch; the padding atom and the padding graph are included.

    Attributes:
        atoms: at least one more than the atoms of the batch.
        edges: at least the edges of the batch.
        graphs: at least one more than the structures of the batch.
    """

    atoms: int
    edges: int
    graphs: int

    def __post_init__(self) -> None:
        if self.atoms < 2 or self.edges < 1 or self.graphs < 2:
            raise ValueError(
                "a capacity needs 2 or more atoms and graphs (one of each is padding) and 1 or "
                f"more edges; came {self}"
            )

    def fits(self, atoms: int, edges: int, graphs: int) -> bool:
        """Tells whether that much fits besides one padding atom and one padding graph."""
        return atoms < self.atoms and edges <= self.edges and graphs < self.graphs


def capacity_for(graphs: "GraphDataset", batch_size: int) -> Capacity:
    """Returns a capacity that no batch of `batch_size` different structures overflows.

    The worst case is the `batch_size` structures with most atoms, and those with most edges.

    Raises:
        ValueError: `batch_size` is not between 1 and the number of structures.
    """
    if not 1 <= batch_size <= len(graphs):
        raise ValueError(
            f"batch_size must lie between 1 and the {len(graphs)} structures of the set; came "
            f"{batch_size}"
        )
    atoms = int(np.sort(graphs.n_atoms)[-batch_size:].sum())
    edges = int(np.sort(graphs.n_edges)[-batch_size:].sum())
    return tight_capacity(atoms, edges, batch_size)


def tight_capacity(atoms: int, edges: int, graphs: int) -> Capacity:
    """Returns a capacity for that much in which at most 3 atoms and 31 edges are waste."""
    step = _SMALL_STEP if edges < 16 * _EDGE_STEP else _EDGE_STEP
    return Capacity(
        atoms=_round_up(atoms + 1, _ATOM_STEP),
        edges=_round_up(max(edges, 1), step),
        graphs=graphs + 1,
    )


def smallest_fit(capacities: Sequence[Capacity], atoms: int, edges: int, graphs: int) -> Capacity:
    """Returns the first of the ascending capacities that holds that much.

    Raises:
        ValueError: not even the last one does.
    """
    for capacity in capacities:
        if capacity.fits(atoms, edges, graphs):
            return capacity
    raise ValueError(
        f"a batch of {graphs} structures, {atoms} atoms and {edges} edges does not fit into "
        f"{capacities[-1]} with its one padding atom and graph; take fewer structures or a larger "
        "capacity (capacity_for, buckets_for, rounded_capacity)"
    )


def rounded_capacity(atoms: int, edges: int, graphs: int = 1) -> Capacity:
    """Returns the smallest coarse capacity that holds these atoms, edges and structures.

    Sizes are rounded up to quarters of a power of two, so that those met one by one, as by a
    calculator along a trajectory, share few compilations.
    """
    return Capacity(_coarse(atoms + 1, 16), _coarse(edges, _EDGE_STEP), graphs + 1)


def grown_capacity(current: Capacity | None, atoms: int, edges: int) -> Capacity:
    """Returns a coarse capacity for one structure, or part of one, that follows a simulation.

    It never shrinks, so that a number of neighbours that fluctuates about the edge of a bucket
    does not switch between two programs.

    Args:
        current: what was used so far, None at the beginning.
        atoms: how many.
        edges: directed edges.
    """
    needed = rounded_capacity(atoms, edges)
    if current is None:
        return needed
    return Capacity(
        max(current.atoms, needed.atoms), max(current.edges, needed.edges), needed.graphs
    )


def _coarse(size: int, floor: int) -> int:
    size = max(size, floor)
    return _round_up(size, 2 ** math.floor(math.log2(size)) // _STEPS_PER_DOUBLING)


def _round_up(size: int, step: int) -> int:
    return -(-size // step) * step


def padded_rows(
    source: np.ndarray | None, rows: Int[np.ndarray, "rows"], size: int, dtype: DTypeLike
) -> np.ndarray | None:
    """Returns rows of an array in another dtype, followed by zeros up to `size` rows."""
    if source is None:
        return None
    padded = np.zeros((size, *source.shape[1:]), dtype)
    padded[: len(rows)] = source[rows]
    return padded


def present(**arrays: Any) -> dict[str, Any]:
    """Returns those of the arrays of a graph that there are."""
    return {name: array for name, array in arrays.items() if array is not None}
