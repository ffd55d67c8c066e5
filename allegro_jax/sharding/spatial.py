"""One structure in parts: over several devices, and one cache-sized chunk after the other.

A structure is cut into devices x chunks parts (see `allegro_jax.sharding.partition`). Every device
holds the neighbour lists of its own parts and evaluates one of them after the other, so that the
features of the model, by far the most memory, exist for one chunk at a time: 1/(devices x chunks)
of the whole. Energies, forces and stress are exact, for no energy is shared between atoms.

What travels is positions to all devices and the sum of forces back (`psum`). That is 12 bytes per
atom out and at most 32 back in float32, against some 10^5 to 10^7 bytes of features per atom: a
million atoms mean 44 MB a step, a millisecond between GPUs of one machine, against about a second
of computing. Exchanging halos instead would save less than a thousandth, and none of the memory
that matters.

Chunks pay on a CPU even where memory is no concern: with features that stay in its cache a step
takes less than half of the time.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import PartsCapacity, SkinList, parts_capacity, reused_capacity
from allegro_jax.graphs.neighbors import COINCIDENT
from allegro_jax.models.energy import Predictions, precision_scope
from allegro_jax.sharding.partition import Partition, partition
from allegro_jax.sharding.parts import (
    AXIS,
    Evaluation,
    Parts,
    chunk_edges,
    compiled_evaluation,
    part_arrays,
)

if TYPE_CHECKING:
    import ase

    from allegro_jax.potential import Potential, Result

_SLACK = 1.03
"""More chunks than would do if every cut were perfect."""


class Balance(NamedTuple):
    """How evenly the work of the last neighbour list is spread.

    Attributes:
        edges: edges within the cutoff per device.
        imbalance: those of the busiest device over the mean, less one.
        padding: computed edges that are padding, as a fraction of all.
        halo: atoms whose positions a part needs from others, over all atoms.
    """

    edges: Int[np.ndarray, "devices"]
    imbalance: float
    padding: float
    halo: float


class ShardedPotential:
    """A potential that evaluates one structure in parts; see `Potential.sharded`.

    The neighbour list stays from call to call while `SkinList.covers` says so. Array sizes are
    rounded up and, while the number of atoms stays, never shrink, so that a simulation compiles
    once, and again only if it becomes much denser. Other structures take sizes met before where
    these fit.

    Attributes:
        potential: what is evaluated.
        devices: where.
        chunks: chunks per device as asked for; None if chosen for every structure.
        skin: Å by which neighbour lists exceed the cutoff.
        capacities: sizes met so far; each of them was compiled, here or by another object of an
            equal config on the same devices.
        n_builds: neighbour lists built so far.
    """

    def __init__(
        self,
        potential: "Potential",
        devices: Sequence[jax.Device] | None = None,
        chunks: int | None = None,
        skin: float = 0.0,
    ) -> None:
        """Puts the parameters on the devices; nothing is compiled before the first structure.

        Raises:
            ValueError: no devices, the same one twice, less than one chunk, a bad skin.
        """
        self.devices = tuple(jax.local_devices() if devices is None else devices)
        if len(set(self.devices)) != len(self.devices) or not self.devices:
            raise ValueError(f"expected one or more different devices; came {list(self.devices)}")
        if chunks is not None and (int(chunks) != chunks or chunks < 1):
            raise ValueError(f"chunks must be an integer of 1 or more, or None; came {chunks!r}")
        if not (np.isfinite(skin) and skin >= 0):
            raise ValueError(f"the skin must be a length in Å, zero or more; came {skin}")
        self.potential, self.chunks, self.skin = potential, chunks, float(skin)
        self.capacities: set[PartsCapacity] = set()
        self.n_builds = 0
        self._mesh = Mesh(np.array(self.devices), (AXIS,))
        with precision_scope(potential.config.precision):
            self._params = jax.device_put(potential.params, self._sharding())
        self._bound: _Bound | None = None

    def __call__(self, structure: "Structure | ase.Atoms") -> "Result":
        """Evaluates a structure; equal to `Potential.__call__` up to rounding.

        Raises:
            ValueError: see `Potential.__call__`.
        """
        structure = _as_structure(structure)
        with precision_scope(self.potential.config.precision):
            evaluation = self._evaluate(structure)
        if evaluation.shortest < COINCIDENT:
            raise ValueError(
                f"two atoms are {float(evaluation.shortest):.1e} Å apart; atoms must be at least "
                f"{COINCIDENT} Å apart: remove the duplicate, or shorten the time step"
            )
        predictions = Predictions(
            evaluation.atomic_energies.sum()[None],
            evaluation.forces,
            evaluation.atomic_energies,
            evaluation.stress[None],
        )
        return self.potential.results([structure], predictions)[0]

    def lowered(
        self, structure: "Structure | ase.Atoms", platforms: tuple[str, ...] | None = None
    ) -> jax.stages.Lowered:
        """Returns the program of a structure; compiled, it tells its memory and cost.

        Args:
            structure: nothing of it is evaluated.
            platforms: of "cpu", "cuda", "rocm" and "tpu"; None for that of the devices.

        Raises:
            ValueError: see `Potential.__call__`.
        """
        structure = _as_structure(structure)
        with precision_scope(self.potential.config.precision):
            arguments, capacity = self._arguments(self._bind(structure), structure)
            traced = self.program.trace(*arguments, capacity=capacity)
            return traced.lower(lowering_platforms=platforms)

    @property
    def program(self) -> Any:
        """The jitted function, shared by all potentials of equal configs on these devices."""
        return compiled_evaluation(self.potential.config, self._mesh)

    @property
    def balance(self) -> Balance:
        """How the work of the last structure is spread over the devices.

        Raises:
            ValueError: nothing was evaluated so far.
        """
        if self._bound is None:
            raise ValueError("the balance is known after the first structure; evaluate one")
        sizes, parts = self._bound.sizes, self._bound.partition
        edges = parts.n_counted.reshape(len(self.devices), -1).sum(axis=1)
        computed = len(parts.n_own) * sizes.evaluated.edges
        imbalance = edges.max() / max(edges.mean(), 1.0) - 1.0 if edges.any() else 0.0
        return Balance(edges, float(imbalance), 1.0 - edges.sum() / computed, parts.halo_fraction)

    def _evaluate(self, structure: Structure) -> Evaluation:
        bound = self._bind(structure)
        evaluation = self._run(bound, structure)
        if evaluation.n_edges > bound.sizes.evaluated.edges:
            sizes = bound.sizes.with_edges(
                int(evaluation.n_edges), fine=len(bound.partition.n_own) > 1
            )
            bound = self._bound = bound._replace(sizes=sizes)
            evaluation = self._run(bound, structure)
        return evaluation

    def _bind(self, structure: Structure) -> "_Bound":
        """Returns the neighbour list that the structure needs, the present one if it will do."""
        if self._bound is None or not self._bound.list.covers(structure):
            self._bound = self._search(structure)
        return self._bound

    def _search(self, structure: Structure) -> "_Bound":
        """Builds a neighbour list, cuts it, and sends the parts to their devices."""
        config = self.potential.config
        self.potential.check_elements(structure)
        found = SkinList.build(structure, config.cutoff, self.skin, config.atomic_numbers)
        self.n_builds += 1
        chunks = self._chunks(len(structure.numbers), int(found.inside.sum()))
        devices = len(self.devices)
        cut = partition(found.graphs, structure.pbc, devices * chunks, found.inside)
        sizes = self._sizes(len(structure.numbers), chunks, cut)
        dtype = jnp.dtype(config.precision.geometry)
        arrays = part_arrays(cut, devices, sizes.slots, sizes.atoms, sizes.listed, dtype)
        return _Bound(found, cut, jax.device_put(arrays, self._sharding(AXIS)), chunks, sizes)

    def _sizes(self, atoms: int, chunks: int, cut: Partition) -> PartsCapacity:
        """Sizes for a partition, if possible such as were met before."""
        edges = int(cut.parts.n_edges.max()), int(cut.n_counted.max())
        most_atoms = int(cut.parts.n_atoms.max())
        needed = parts_capacity(atoms, chunks, most_atoms, edges, fine=len(cut.n_own) > 1)
        if self._bound is not None and len(self._bound.list.structure.numbers) == atoms:
            # A simulation: what fluctuates must not switch between two programs.
            return needed.joined(self._bound.sizes)
        return reused_capacity(self.capacities, needed)

    def _chunks(self, atoms: int, edges: int) -> int:
        """Parts per device for that many atoms and edges."""
        if self.chunks is not None:
            return self.chunks
        target = chunk_edges(self.potential.config, self.devices[0].platform)
        # Whole atoms: parts of three or four would all be padded to four.
        atoms_per_chunk = max(1, target * atoms // max(edges, 1))
        return max(1, math.ceil(_SLACK * atoms / (len(self.devices) * atoms_per_chunk)))

    def _run(self, bound: "_Bound", structure: Structure) -> Evaluation:
        """One call of the compiled function."""
        self.capacities.add(bound.sizes)
        arguments, capacity = self._arguments(bound, structure)
        return jax.device_get(self.program(*arguments, capacity=capacity))

    def _arguments(self, bound: "_Bound", structure: Structure) -> tuple[tuple, int]:
        """What the compiled function is called with."""
        config, atoms = self.potential.config, len(structure.numbers)
        positions = np.zeros((bound.sizes.atoms, 3), jnp.dtype(config.precision.geometry))
        # Small numbers lose less in float32 when a simulation has drifted far from the origin.
        positions[:atoms] = structure.positions - structure.positions.mean(axis=0)
        cell = np.zeros((2, 3, 3), positions.dtype)
        cell[0] = structure.cell * np.any(structure.pbc)
        count = np.int32(bound.chunks)
        return (self._params, bound.parts, count, positions, cell), bound.sizes.evaluated.edges

    def _sharding(self, *axes: str) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec(*axes))


class _Bound(NamedTuple):
    """A neighbour list, how it is cut, its parts on the devices, and the sizes of these.

    Attributes:
        chunks: parts per device.
    """

    list: SkinList
    partition: Partition
    parts: Parts
    chunks: int
    sizes: PartsCapacity


def _as_structure(item: "Structure | ase.Atoms") -> Structure:
    return item if isinstance(item, Structure) else Structure.from_atoms(item)
