"""Data parallelism: the devices share every batch, and sum their gradients.

Parameters are on every device; each takes its part of the structures of a batch. Sums over the
batch are divided by counts over the whole batch, so the losses are those of one device up to
rounding. All devices of all processes take part (`jax.distributed` joins processes).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "data"
"""Name of the mesh axis, for sums over the devices."""


@dataclasses.dataclass(frozen=True)
class DataParallel:
    """The devices that share the batches of a training.

    Attributes:
        mesh: One axis, `AXIS`.
    """

    mesh: Mesh

    @classmethod
    def over(cls, batch_size: int, devices: int | None = None) -> DataParallel:
        """Chooses devices.

        Args:
            batch_size: Structures per batch.
            devices: How many; None takes all if `batch_size` is a multiple of their number, and
                one otherwise.

        Raises:
            ValueError: If there are fewer devices, `batch_size` is no multiple of their number, or
                a process would be left without a share.
        """
        present = jax.devices()
        if devices is None:
            alone = jax.process_count() == 1 and batch_size % len(present)
            devices = 1 if alone else len(present)
        if devices > len(present) or batch_size % devices:
            raise ValueError(
                f"batch_size must be a multiple of the number of devices, at most {len(present)}; "
                f"got batch_size={batch_size} and devices={devices}"
            )
        if jax.process_count() > 1 and devices != len(present):
            raise ValueError(f"a training of several processes takes all {len(present)} devices")
        return cls(Mesh(np.array(present[:devices]), (AXIS,)))

    @property
    def size(self) -> int:
        """Number of devices."""
        return int(self.mesh.size)

    @property
    def axis(self) -> str | None:
        """Name of the axis to sum over; None on one device, where nothing is summed."""
        return AXIS if self.size > 1 else None

    @property
    def local_shards(self) -> list[int]:
        """Places of this process's devices among all."""
        devices = self.mesh.devices.flat
        return [k for k, d in enumerate(devices) if d.process_index == jax.process_index()]

    def on_every_device(
        self, function: Callable[..., Any], in_specs: Any, out_specs: Any
    ) -> Callable[..., Any]:
        """Returns a function that runs on every device with its part of the arguments.

        Args:
            function: Sums over the axis `AXIS` what it returns as common to all devices.
            in_specs: `PartitionSpec` of every argument.
            out_specs: `PartitionSpec` of every result.
        """
        if self.size == 1:
            return function
        options = {"mesh": self.mesh, "in_specs": in_specs, "out_specs": out_specs}
        return jax.shard_map(function, **options, check_vma=False)

    def replicate(self, tree: Any) -> Any:
        """Puts arrays on every device."""
        return self._put(tree, PartitionSpec())

    def split(self, tree: Any, axis: int = 0) -> Any:
        """Puts on every device its part of arrays.

        Args:
            tree: Arrays, along `axis` the shards of this process.
            axis: Where the shards are.
        """
        return self._put(tree, PartitionSpec(*(None,) * axis, AXIS))

    def _put(self, tree: Any, spec: PartitionSpec) -> Any:
        sharding = NamedSharding(self.mesh, spec)
        if jax.process_count() == 1:
            return jax.device_put(tree, sharding)
        return jax.tree.map(lambda leaf: _of_processes(leaf, sharding), tree)


def local_copy(tree: Any) -> Any:
    """Returns arrays that are alike on every device as arrays of one device of this process."""
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def agreed(value: float) -> float:
    """Returns the value of the first process, so that all decide alike."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    return float(multihost_utils.broadcast_one_to_all(np.float32(value)))


def any_process(value: bool) -> bool:
    """Returns whether the value is true in any process."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    return bool(np.any(multihost_utils.process_allgather(np.asarray(value))))


def _of_processes(leaf: Any, sharding: NamedSharding) -> jax.Array:
    return jax.make_array_from_process_local_data(sharding, np.asarray(leaf))
