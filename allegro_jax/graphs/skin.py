"""Neighbour lists that stay valid over many steps of a simulation.

A list is built with the cutoff plus a skin, so that no pair can come within the cutoff unseen
before the atoms have moved about the skin. On the device `prune` then drops the pairs beyond the
cutoff, so that the model computes no more edges than it would with a new list.
"""

import dataclasses
from functools import cached_property
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Bool, Float

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs.graph_dataset import GraphDataset


@dataclasses.dataclass(frozen=True, eq=False)
class SkinList:
    """Pairs of one structure within cutoff + skin.

    Attributes:
        structure: what the list was built for.
        graphs: its neighbour list, with `graphs.cutoff` = cutoff + skin.
        cutoff: Å.
    """

    structure: Structure
    graphs: GraphDataset
    cutoff: float

    @classmethod
    def build(
        cls, structure: Structure, cutoff: float, skin: float, species: tuple[int, ...]
    ) -> Self:
        """Finds the pairs.

        Args:
            structure: its arrays are copied, for callers may move atoms in place.
            cutoff: Å.
            skin: Å, zero or more.
            species: atomic numbers in the order of the model's species.

        Raises:
            ValueError: as `GraphDataset.build`.
        """
        copied = Structure(
            np.array(structure.numbers),
            np.array(structure.positions),
            np.array(structure.cell),
            np.array(structure.pbc),
        )
        return cls(copied, GraphDataset.build([copied], cutoff + skin, species), cutoff)

    @cached_property
    def inside(self) -> Bool[np.ndarray, "edges"]:
        """Edges shorter than the cutoff when the list was built."""
        graphs = self.graphs
        difference = graphs.positions[graphs.neighbors] - graphs.positions[graphs.centres]
        vectors = difference + graphs.shifts @ graphs.cell[0]
        return np.einsum("ec,ec->e", vectors, vectors) < self.cutoff**2

    def covers(self, structure: Structure) -> bool:
        """Tells whether the list holds every pair of `structure` within the cutoff.

        With r = r⁰ F + t + u, where F takes the old periodic lattice vectors to the new ones and t
        is a common translation, a pair outside of the list is at least
        σ_min(F) (cutoff + skin) - 2 max|u| apart, σ_min being the smallest singular value. In a
        fixed cell that is the rule "no atom moved more than half of the skin"; a cell that
        breathes, as under a barostat, needs no new list at every step.
        """
        built = self.structure
        same_atoms = np.array_equal(built.numbers, structure.numbers)
        if not (same_atoms and np.array_equal(built.pbc, structure.pbc)):
            return False
        deformation, stretch = np.eye(3), 1.0
        if not np.array_equal(built.cell, structure.cell):
            deformation = _deformation(built.cell, structure.cell, built.pbc)
            stretch = float(np.linalg.svd(deformation, compute_uv=False)[-1])
        moved = structure.positions - built.positions @ deformation
        moved -= moved.mean(axis=0)
        farthest = np.sqrt(np.einsum("ac,ac->a", moved, moved).max())
        # NaN positions compare as False, and building the next list names them.
        return bool(2.0 * farthest <= stretch * self.graphs.cutoff - self.cutoff)


class Pruned(NamedTuple):
    """What `prune` leaves.

    Attributes:
        graph: the edges within the cutoff, padded; incomplete if `n_edges` exceeds its capacity.
        n_edges: edges within the cutoff.
        shortest: length of the shortest edge (Å), infinite without edges.
        rows: which edges of the graph before they are; beyond its last one for padding.
    """

    graph: jraph.GraphsTuple
    n_edges: Array
    shortest: Array
    rows: Array


def prune(
    graph: jraph.GraphsTuple, vectors: Float[Array, "edges 3"], cutoff: float, capacity: int
) -> Pruned:
    """Keeps the edges shorter than the cutoff, in their order; pure, for use under jit.

    Args:
        graph: padded graph of one structure.
        vectors: its edge vectors (Å), zero on padding.
        cutoff: Å.
        capacity: edges of the graph that is returned. If more are within the cutoff, which
            `n_edges` tells, take a larger one.
    """
    graph = jax.tree.map(jnp.asarray, graph)
    is_real = jnp.arange(vectors.shape[0]) < graph.n_edge[0]
    squared = jnp.where(is_real, jnp.sum(vectors * vectors, axis=-1), jnp.inf)
    inside = squared < cutoff * cutoff
    n_edges = jnp.sum(inside)
    (rows,) = jnp.nonzero(inside, size=capacity, fill_value=vectors.shape[0])
    padding_atom = graph.nodes["species"].shape[0] - 1
    pruned = graph._replace(
        senders=graph.senders.at[rows].get(mode="fill", fill_value=padding_atom),
        receivers=graph.receivers.at[rows].get(mode="fill", fill_value=padding_atom),
        edges=jax.tree.map(lambda x: x.at[rows].get(mode="fill", fill_value=0), graph.edges),
        n_edge=jnp.stack([n_edges, capacity - n_edges]).astype(graph.n_edge.dtype),
    )
    return Pruned(pruned, n_edges, jnp.sqrt(jnp.min(squared, initial=jnp.inf)), rows)


def unlisted_margin(
    moved: Float[Array, "atoms 3"], stretch: Array | float, listed: float, cutoff: float
) -> Float[Array, ""]:
    """Å by which every pair that is not in a list is beyond the cutoff; for use under jit.

    The rule of `SkinList.covers`; negative if a pair may have come within the cutoff unseen.

    Args:
        moved: how far atoms went since the list was built, beside what the cell did (Å).
        stretch: smallest singular value of the deformation of the cell, or a bound below it.
        listed: the list holds all pairs that were closer than this (Å).
        cutoff: Å.
    """
    moved = moved - jnp.mean(moved, axis=0, keepdims=True)
    farthest = jnp.sqrt(jnp.max(jnp.sum(moved * moved, axis=-1)))
    return stretch * listed - cutoff - 2.0 * farthest


def _deformation(
    before: Float[np.ndarray, "3 3"], after: Float[np.ndarray, "3 3"], pbc: Bool[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """F with before[k] @ F = after[k] for every periodic direction k, the identity across them."""
    return np.eye(3) + np.linalg.pinv(before[pbc]) @ (after[pbc] - before[pbc])
