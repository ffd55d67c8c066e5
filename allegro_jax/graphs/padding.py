"""Padding: the only place that knows capacities and how they are rounded.

A compiled step has fixed array sizes, so a batch is padded up to a `Capacity`. Training knows its
worst batch beforehand: one tight capacity (`capacity_for`) wastes little on frames of one molecule;
where structures differ in size a few of them (`buckets_for`) waste much less, at one compilation
each. Calculators meet sizes one by one and round coarsely (`rounded_capacity`), so that a few
atoms or edges more or less do not recompile anything.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

if TYPE_CHECKING:
    from allegro_jax.graphs.graph_dataset import GraphDataset

_ATOM_STEP, _EDGE_STEP = 4, 32  # tight rounding: at most 3 atoms and 31 edges of waste
_STEPS_PER_DOUBLING = 4  # coarse rounding: 16, 20, 24, 28, 32, 40, ...: at most 20 % of waste
_FINE_STEPS_PER_DOUBLING = 16  # at most 6 % of waste
_SAMPLED_BATCHES, _QUANTILES = 1000, 32
_TOLERATED_WASTE = 0.15  # of the edges, before a second capacity is worth its compilation


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
    return Capacity(
        atoms=_round_up(atoms + 1, _ATOM_STEP),
        edges=_round_up(max(edges, 1), _EDGE_STEP),
        graphs=batch_size + 1,
    )


def buckets_for(graphs: "GraphDataset", batch_size: int, levels: int = 2) -> tuple[Capacity, ...]:
    """Returns up to `levels` capacities, ascending; the last one holds any batch.

    They differ in edges, which are what a step spends its time on. The smaller ones are those
    that minimise the padded edges expected over random batches. `batch` takes the smallest that
    fits.

    Raises:
        ValueError: `levels` is not between 1 and 4, or `batch_size` as in `capacity_for`.
    """
    if not 1 <= levels <= 4:
        raise ValueError(f"levels must lie between 1 and 4 (one compilation each); came {levels}")
    worst = capacity_for(graphs, batch_size)
    sampled = _sampled_edges(graphs, batch_size)
    quantiles = np.quantile(sampled, np.linspace(0.0, 1.0, _QUANTILES + 1)[1:])
    tight = sorted({_round_up(math.ceil(edges), _EDGE_STEP) for edges in quantiles} - {0})
    candidates = [edges for edges in tight if edges < worst.edges]
    count = min(levels - 1, len(candidates))
    best = min(
        itertools.combinations(candidates, count),
        key=lambda edges: _padded_edges(sampled, [*edges, worst.edges]).sum(),
    )
    return (*(dataclasses.replace(worst, edges=edges) for edges in best), worst)


def capacities_for(graphs: "GraphDataset", batch_size: int) -> tuple[Capacity, ...]:
    """Returns one capacity, or two where one alone would waste more than 15 % of the edges.

    Raises:
        ValueError: `batch_size` as in `capacity_for`.
    """
    worst = capacity_for(graphs, batch_size)
    if padding_waste(graphs, batch_size, worst) <= _TOLERATED_WASTE:
        return (worst,)
    return buckets_for(graphs, batch_size, levels=2)


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


@dataclasses.dataclass(frozen=True)
class PartsCapacity:
    """Array sizes for a structure that is evaluated in parts.

    How many parts there are is none of it, as long as they find room.

    Attributes:
        atoms: rows of the arrays of the whole structure.
        slots: room for parts on each device.
        listed: padded size of the neighbour list of a part.
        evaluated: padded size of what the model sees of a part.
    """

    atoms: int
    slots: int
    listed: Capacity
    evaluated: Capacity

    @property
    def cost(self) -> int:
        """What a part costs, in edges; local atoms count for about as much."""
        return self.evaluated.edges + self.evaluated.atoms

    def with_edges(self, edges: int, *, fine: bool) -> "PartsCapacity":
        """The same with room for that many evaluated edges per part; see `parts_capacity`."""
        evaluated = dataclasses.replace(self.evaluated, edges=_part_edges(edges, fine))
        return dataclasses.replace(self, evaluated=evaluated)

    def holds(self, other: "PartsCapacity") -> bool:
        """Tells whether whatever fits into `other` fits into this as well."""
        return self.joined(other) == self

    def joined(self, other: "PartsCapacity") -> "PartsCapacity":
        """The smallest capacity that holds both."""
        return PartsCapacity(
            max(self.atoms, other.atoms),
            max(self.slots, other.slots),
            _larger(self.listed, other.listed),
            _larger(self.evaluated, other.evaluated),
        )


def parts_capacity(
    atoms: int,
    chunks: int,
    part_atoms: int,
    part_edges: tuple[int, int],
    *,
    fine: bool,
) -> PartsCapacity:
    """Returns a rounded capacity for a structure in parts.

    What costs little, arrays of the whole structure and room for parts, is rounded to powers of
    two; the edges of a part as in `rounded_capacity`, or finer.

    Args:
        atoms: atoms of the structure.
        chunks: parts per device.
        part_atoms: most atoms in a part, its halo included.
        part_edges: most edges in a part, listed and evaluated.
        fine: for many parts, which have equally many edges, so that little padding is needed.
    """
    rows = _coarse(part_atoms + 1, 16)
    listed, evaluated = (Capacity(rows, _part_edges(edges, fine), 2) for edges in part_edges)
    return PartsCapacity(_power_of_two(atoms + 1), _power_of_two(chunks), listed, evaluated)


def reused_capacity(known: Iterable[PartsCapacity], needed: PartsCapacity) -> PartsCapacity:
    """Returns the cheapest known capacity that holds what is needed at little waste, or `needed`.

    Args:
        known: capacities that something was compiled for.
        needed: what a structure needs.
    """
    fitting = [
        capacity
        for capacity in known
        if capacity.holds(needed)
        and capacity.cost <= (1.0 + _TOLERATED_WASTE) * needed.cost
        and max(capacity.atoms // needed.atoms, capacity.slots // needed.slots) <= 4
    ]
    return min(fitting, key=lambda capacity: capacity.cost, default=needed)


def padding_waste(
    graphs: "GraphDataset", batch_size: int, capacities: Capacity | Sequence[Capacity]
) -> float:
    """Returns the expected fraction of padded edges over random batches (0 is no waste)."""
    if isinstance(capacities, Capacity):
        capacities = [capacities]
    sampled = _sampled_edges(graphs, batch_size)
    padded = _padded_edges(sampled, [capacity.edges for capacity in capacities])
    return float(1.0 - sampled.sum() / padded.sum())


def _sampled_edges(graphs: "GraphDataset", batch_size: int) -> Int[np.ndarray, "batches"]:
    """Edges of random batches; the seed is fixed, so that a set always has the same buckets."""
    generator = np.random.default_rng(0)
    batches = generator.integers(len(graphs), size=(_SAMPLED_BATCHES, batch_size))
    return graphs.n_edges[batches].sum(axis=1)


def _padded_edges(sampled: Int[np.ndarray, "batches"], sizes: Sequence[int]) -> np.ndarray:
    """Edges of each batch after padding to the smallest of the ascending sizes that fits."""
    # Drawn with replacement, a sample may exceed the worst case of different structures.
    which = np.minimum(np.searchsorted(sizes, sampled), len(sizes) - 1)
    return np.asarray(sizes)[which]


def _larger(first: Capacity, second: Capacity) -> Capacity:
    return Capacity(
        max(first.atoms, second.atoms),
        max(first.edges, second.edges),
        max(first.graphs, second.graphs),
    )


def _part_edges(edges: int, fine: bool) -> int:
    steps = _FINE_STEPS_PER_DOUBLING if fine else _STEPS_PER_DOUBLING
    return _coarse(edges, _EDGE_STEP, steps)


def _power_of_two(size: int) -> int:
    return 1 << (size - 1).bit_length()


def _coarse(size: int, floor: int, steps: int = _STEPS_PER_DOUBLING) -> int:
    size = max(size, floor)
    return _round_up(size, 2 ** math.floor(math.log2(size)) // steps)


def _round_up(size: int, step: int) -> int:
    return -(-size // step) * step
