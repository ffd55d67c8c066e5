"""Graphs of structures on disk: the interface of `GraphDataset` over mapped arrays."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from allegro_jax.graphs.graph_dataset import GraphDataset

if TYPE_CHECKING:
    from allegro_jax.graphs.store import GraphStore


@dataclasses.dataclass(frozen=True, eq=False)
class MappedGraphs(GraphDataset):
    """Graphs of a store. Arrays of atoms and edges are those of the whole store, on disk.

    The rows of structure k begin at `first_atoms[k]` and `first_edges[k]`.

    Attributes:
        store: The structures.
    """

    store: GraphStore

    @property
    def first_atoms(self) -> Int[np.ndarray, "structures"]:
        """Row of the first atom of each structure."""
        return self.store.first_atoms

    @property
    def first_edges(self) -> Int[np.ndarray, "structures"]:
        """Row of the first edge of each structure."""
        return self.store.first_edges

    @cached_property
    def max_neighbors(self) -> int:
        """Edges of the atom that has most."""
        return self.store.max_neighbors

    def fetch(self, rows: Int[np.ndarray, "chosen"]) -> None:
        """Has the disk read structures, all at once, while this process goes on.

        Args:
            rows: Which, in the order of the disk.
        """
        self.store.fetch(rows)

    def release(self) -> None:
        """Takes mapped pages out of the memory of this process."""
        self.store.release()


class LookedUp:
    """`table[array]` without making it: the species of atoms whose numbers are on disk."""

    def __init__(self, array: np.ndarray, table: np.ndarray) -> None:
        self._array, self._table = array, table
        self.shape, self.size, self.dtype = array.shape, array.size, table.dtype

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return np.asarray(self._table[self._array[rows]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)
