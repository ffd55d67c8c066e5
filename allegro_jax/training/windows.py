"""The training set on the device: whole, or in windows that a thread prepares ahead."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import PartitionSpec

from allegro_jax.graphs import GraphDataset, capacities_for, capacity_for, padding_waste
from allegro_jax.graphs.buckets import levels_of
from allegro_jax.graphs.epochs import batch_sizes, epoch_rows
from allegro_jax.graphs.flat import FlatGraphs, flat_bytes, flat_graphs
from allegro_jax.graphs.padding import Capacity, tight_capacity
from allegro_jax.graphs.prefetch import prefetched
from allegro_jax.sharding.data import AXIS, DataParallel

_WINDOW_BYTES = 64e6  # of a streamed window: seconds of steps, and little beside the model


class Window(NamedTuple):
    """Successive batches of an epoch with their structures, on the device.

    Attributes:
        flat: `FlatGraphs` behind an axis of devices (one row where all devices share them).
        rows: Which of them are in every batch [steps, shards, structures]; where a step takes
            several batches, those of the first come first.
        levels: Which capacity every batch takes [steps], or [steps, batches].
    """

    flat: Any
    rows: Any
    levels: Any


class TrainingWindows:
    """Cuts every epoch of a training set into windows.

    A set of at most `resident_gb` stays on the device and an epoch is one window; a larger one is
    streamed, and the next windows are made while the device trains on the present one.

    Args:
        graphs: The training set.
        batch_size: Structures per batch.
        devices: Who shares the batches.
        resident_gb: Size up to which the set stays on the device (10⁹ bytes).
        accumulate: Batches per step.

    Attributes:
        capacities: Padded sizes of one device's share of a batch, ascending.
        steps_per_epoch: Steps of an epoch.
        waste: Expected share of padding among the edges that are computed.
    """

    def __init__(
        self,
        graphs: GraphDataset,
        batch_size: int,
        devices: DataParallel,
        resident_gb: float,
        accumulate: int = 1,
    ) -> None:
        self._graphs, self._devices, self._accumulate = graphs, devices, accumulate
        self._batch_size, self._shares = batch_size * accumulate, devices.size * accumulate
        self.capacities = capacities_for(graphs, self._batch_size, self._shares)
        self.steps_per_epoch = -(-len(graphs) // self._batch_size)
        self.waste = padding_waste(graphs, self._batch_size, self.capacities, self._shares)
        self._resident: FlatGraphs | None = None
        self.window_steps = self.steps_per_epoch
        size = flat_bytes(graphs)
        if size <= resident_gb * 1e9:
            flat = jax.tree.map(lambda leaf: leaf[None], flat_graphs(graphs))
            self._resident = devices.replicate(flat)
            graphs.release()
        else:
            windows = max(int(size / devices.size / _WINDOW_BYTES), 2)
            self.window_steps = -(-self.steps_per_epoch // windows)
            self._capacity = self._window_capacity()

    @property
    def structures(self) -> int:
        """Structures of the training set."""
        return len(self._graphs)

    @property
    def edges_per_atom(self) -> float:
        """Mean number of neighbours of an atom of the training set."""
        return self._graphs.average_neighbors

    @property
    def specs(self) -> Any:
        """How a window lies on the devices."""
        flat = PartitionSpec() if self._resident is not None else PartitionSpec(AXIS)
        return Window(flat, PartitionSpec(None, AXIS), PartitionSpec())

    def epoch(self, seed: int, number: int, first: int = 0) -> Generator[tuple[int, Window]]:
        """Yields the windows of an epoch with their number of batches.

        Args:
            seed: Seed of the run.
            number: Number of the epoch; with the seed it decides the order.
            first: Batch to go on from; windows that end before it are left out.
        """
        rng = np.random.default_rng([seed, number])
        rows, levels = self._batches(epoch_rows(self._graphs, self._batch_size, rng, self._shares))
        if self._resident is not None:
            yield len(levels), self._window(self._resident, self._own(rows), levels)
            return
        begin = first - first % self.window_steps
        starts = range(begin, len(levels), self.window_steps)
        parts = [slice(start, start + self.window_steps) for start in starts]
        yield from prefetched(self._streamed(self._own(rows[part]), levels[part]) for part in parts)

    def _batches(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Deals the shares of every step out to batches and devices; adds the levels."""
        steps, _, share = rows.shape
        batches, devices = self._accumulate, self._devices.size
        shares = rows.reshape(steps * batches, devices, share)
        levels = levels_of(batch_sizes(self._graphs, shares), self.capacities)
        by_device = shares.reshape(steps, batches, devices, share).swapaxes(1, 2)
        places = steps if batches == 1 else (steps, batches)
        return by_device.reshape(steps, devices, -1), levels.reshape(places)

    def _own(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, self._devices.local_shards]

    def _window(self, flat: FlatGraphs, rows: np.ndarray, levels: np.ndarray) -> Window:
        devices = self._devices
        rows = devices.split(rows.astype(np.int32), axis=1)
        return Window(flat, rows, devices.replicate(levels.astype(np.int32)))

    def _streamed(self, rows: np.ndarray, levels: np.ndarray) -> tuple[int, Window]:
        """The structures of some batches, in the order in which they are used."""
        steps, shards, share = rows.shape
        absent = len(self._graphs)
        missing = self.window_steps - steps
        rows = np.pad(rows, [(0, missing), (0, 0), (0, 0)], constant_values=absent)
        parts, places = zip(
            *(self._share_of(rows[:, shard].ravel()) for shard in range(shards)), strict=True
        )
        self._graphs.release()
        flat = jax.tree.map(lambda *leaves: np.stack(leaves), *parts)
        local = np.stack(places, axis=1).reshape(self.window_steps, share, shards).swapaxes(1, 2)
        levels = np.pad(levels, [(0, missing), *[(0, 0)] * (levels.ndim - 1)])
        window = self._window(self._devices.split(flat), local, levels)
        return steps, window

    def _window_capacity(self) -> Capacity:
        """Size of one device's structures of a window, whichever they are."""
        places = self.window_steps * self._batch_size // self._devices.size
        worst = capacity_for(self._graphs, min(places, len(self._graphs)))
        return tight_capacity(worst.atoms, worst.edges + 1, places)

    def _share_of(self, rows: np.ndarray) -> tuple[FlatGraphs, np.ndarray]:
        """One device's structures of a window, and where each of `rows` is among them."""
        real = rows < len(self._graphs)
        # A store is read in the order in which it lies on the disk.
        order = np.argsort(self._graphs.first_atoms[rows[real]])
        chosen = rows[real][order]
        places = np.full(len(rows), len(rows))
        places[np.flatnonzero(real)[order]] = np.arange(len(chosen))
        self._graphs.fetch(chosen)
        return flat_graphs(self._graphs, chosen, self._capacity), places
