"""Buckets: how many capacities a data set needs, and which, so that little is padded.

Frames of one molecule need one. Where structures differ in size, a few levels waste much less than
the worst case alone, at one compilation each. Atoms follow from edges: the room for atoms in a
level is what batches of that many edges have.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from allegro_jax.graphs.epochs import BatchSizes, batch_sizes, epoch_rows
from allegro_jax.graphs.graph_dataset import GraphDataset
from allegro_jax.graphs.padding import Capacity, capacity_for, tight_capacity

MAX_LEVELS = 4
"""Capacities that a data set is given at most; each costs a compilation."""

_TOLERATED_WASTE = 0.145  # of the edges: with what epochs vary about the mean, at most 15 %
_SAMPLED_BATCHES, _QUANTILES = 1000, 64


def capacities_for(graphs: GraphDataset, batch_size: int, shards: int = 1) -> tuple[Capacity, ...]:
    """Returns the fewest capacities that waste at most 15 % of the edges, ascending, at most four.

    Args:
        graphs: The data set.
        batch_size: Structures per batch, a multiple of `shards`.
        shards: Devices that share a batch; capacities are those of one share.

    Raises:
        ValueError: `batch_size` as in `capacity_for`.
    """
    return _fewest(_sampled(graphs, batch_size, shards), capacity_for(graphs, batch_size // shards))


def buckets_for(graphs: GraphDataset, batch_size: int, levels: int = 2) -> tuple[Capacity, ...]:
    """Returns up to `levels` capacities, ascending; the last one holds any batch.

    The smaller ones are those that minimise the padded edges expected over random batches.
    `batch` takes the smallest that fits.

    Raises:
        ValueError: `levels` is not between 1 and 4, or `batch_size` as in `capacity_for`.
    """
    if not 1 <= levels <= MAX_LEVELS:
        raise ValueError(f"levels must lie between 1 and 4 (one compilation each); came {levels}")
    return _buckets(_sampled(graphs, batch_size), capacity_for(graphs, batch_size), levels)


def exact_capacities(
    graphs: GraphDataset, rows: Int[np.ndarray, "steps shards structures"]
) -> tuple[Capacity, ...]:
    """Returns the fewest capacities that hold these very batches and waste at most 15 %."""
    sizes = batch_sizes(graphs, rows)
    worst = tight_capacity(int(sizes.atoms.max()), int(sizes.edges.max()), rows.shape[-1])
    return _fewest(sizes, worst)


def padding_waste(
    graphs: GraphDataset,
    batch_size: int,
    capacities: Capacity | Sequence[Capacity],
    shards: int = 1,
) -> float:
    """Returns the expected fraction of padded edges over random batches (0 is no waste)."""
    if isinstance(capacities, Capacity):
        capacities = [capacities]
    return _waste(_sampled(graphs, batch_size, shards), capacities)


def levels_of(sizes: BatchSizes, capacities: Sequence[Capacity]) -> Int[np.ndarray, "steps"]:
    """Returns for every batch the first of the ascending capacities that holds all its shares."""
    atoms, edges = sizes.atoms.max(axis=1), sizes.edges.max(axis=1)
    fits = [(atoms < capacity.atoms) & (edges <= capacity.edges) for capacity in capacities]
    assert fits[-1].all(), "the last capacity holds any batch"
    return np.argmax(fits, axis=0)


def _fewest(sizes: BatchSizes, worst: Capacity) -> tuple[Capacity, ...]:
    for levels in range(1, MAX_LEVELS + 1):
        buckets = _buckets(sizes, worst, levels)
        if _waste(sizes, buckets) <= _TOLERATED_WASTE:
            break
    return buckets


def _buckets(sizes: BatchSizes, worst: Capacity, levels: int) -> tuple[Capacity, ...]:
    atoms, edges = sizes.atoms.max(axis=1), sizes.edges.max(axis=1)
    chosen = _best_sizes(edges, worst.edges, levels)
    smaller = [
        tight_capacity(int(atoms[edges <= size].max()), size, worst.graphs - 1)
        for size in chosen[:-1]
    ]
    fitting = [dataclasses.replace(c, atoms=min(c.atoms, worst.atoms)) for c in smaller]
    return (*fitting, worst)


def _waste(sizes: BatchSizes, capacities: Sequence[Capacity]) -> float:
    padded = np.array([capacity.edges for capacity in capacities])[levels_of(sizes, capacities)]
    return float(1.0 - sizes.edges.sum() / (padded.sum() * sizes.edges.shape[1]))


def _sampled(graphs: GraphDataset, batch_size: int, shards: int = 1) -> BatchSizes:
    """Sizes of random batches; the seed is fixed, so that a set always has the same buckets."""
    rng = np.random.default_rng(0)
    full = max(len(graphs) // batch_size, 1)  # part-full batches are few, and small
    passes = -(-_SAMPLED_BATCHES // full)
    rows = [epoch_rows(graphs, batch_size, rng, shards)[:full] for _ in range(passes)]
    return batch_sizes(graphs, np.concatenate(rows))


def _best_sizes(edges: Int[np.ndarray, "batches"], worst: int, levels: int) -> list[int]:
    """Returns up to `levels` ascending sizes, ending with `worst`, that pad the least in total.

    With candidates s_1 < ... < s_K = worst, of which s_k holds n_k of the batches, the least cost
    of `l` sizes up to s_k is C_l(k) = min_{j < k} C_{l-1}(j) + (n_k - n_j) s_k.
    """
    quantiles = np.quantile(edges, np.linspace(0.0, 1.0, _QUANTILES + 1)[1:], method="higher")
    tight = {tight_capacity(1, int(size), 1).edges for size in quantiles}
    candidates = np.array([*sorted(size for size in tight if size < worst), worst])
    held = (edges[:, None] <= candidates).sum(axis=0)
    cost, choices = (held * candidates).astype(float), []
    for _ in range(levels - 1):
        cost, before = _extended(cost, held, candidates)
        choices.append(before)
    return _traced_back(candidates, choices)


def _extended(
    cost: Float[np.ndarray, "sizes"],
    held: Int[np.ndarray, "sizes"],
    sizes: Int[np.ndarray, "sizes"],
) -> tuple[Float[np.ndarray, "sizes"], Int[np.ndarray, "sizes"]]:
    """One more level: the least cost up to every size, and the size before it (itself if none)."""
    count = len(sizes)
    totals = cost[:, None] + (held[None, :] - held[:, None]) * sizes[None, :]
    totals = np.where(np.tri(count, k=-1, dtype=bool).T, totals, np.inf)
    np.fill_diagonal(totals, cost)
    before = np.argmin(totals, axis=0)
    return totals[before, np.arange(count)], before


def _traced_back(
    candidates: Int[np.ndarray, "sizes"], choices: list[Int[np.ndarray, "sizes"]]
) -> list[int]:
    k = len(candidates) - 1
    chosen = {int(candidates[k])}
    for before in reversed(choices):
        k = int(before[k])
        chosen.add(int(candidates[k]))
    return sorted(chosen)
