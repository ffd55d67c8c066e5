"""One structure in parts, one on each device.

A structure is cut into as many parts as there are devices (see `allegro_jax.sharding.partition`).
A device holds the neighbour list and the features of its own part, and evaluates it as `predict`
evaluates any batch: on CPU, or where memory would not do, block by block. Energies, forces and
stress are exact, for no energy is shared between atoms.

What travels is positions to all devices and the sum of forces back (`psum`). That is 12 bytes per
atom out and at most 32 back in float32, against some 10^5 to 10^7 bytes of features per atom: a
million atoms mean 44 MB a step, a millisecond between GPUs of one machine, against about a second
of computing. Exchanging halos instead would save less than a thousandth, and none of the memory
that matters.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, SkinList, grown_capacity, rounded_capacity
from allegro_jax.graphs.neighbors import COINCIDENT
from allegro_jax.models.energy import Predictions, precision_scope
from allegro_jax.sharding.partition import Partition, partition
from allegro_jax.sharding.parts import AXIS, Evaluation, Parts, compiled_evaluation, part_arrays

if TYPE_CHECKING:
    import ase

    from allegro_jax.committee import Committee
    from allegro_jax.committee_result import CommitteeResult
    from allegro_jax.potential import Potential, Result


class Sizes(NamedTuple):
    """Array sizes of a structure in parts.

    Attributes:
        atoms: rows of the arrays of the whole structure.
        listed: padded size of the neighbour list of a part.
        evaluated: padded size of what the model sees of a part.
    """

    atoms: int
    listed: Capacity
    evaluated: Capacity


class Balance(NamedTuple):
    """How evenly the work of the last neighbour list is spread.

    Attributes:
        edges: edges within the cutoff per device.
        imbalance: those of the busiest device over the mean, less one.
        padding: rows of the edges that are padding, as a fraction of all; blocks skip them.
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
    once, and again only if it becomes much denser.

    Attributes:
        potential: what is evaluated.
        devices: where.
        skin: Å by which neighbour lists exceed the cutoff.
        capacities: sizes met so far; each of them was compiled, here or by another object of an
            equal config on the same devices.
        n_builds: neighbour lists built so far.
    """

    def __init__(
        self,
        potential: "Potential",
        devices: Sequence[jax.Device] | None = None,
        skin: float = 0.0,
    ) -> None:
        """Puts the parameters on the devices; nothing is compiled before the first structure.

        Raises:
            ValueError: no devices, the same one twice, a bad skin.
        """
        self.devices = tuple(jax.local_devices() if devices is None else devices)
        if len(set(self.devices)) != len(self.devices) or not self.devices:
            raise ValueError(f"expected one or more different devices; came {list(self.devices)}")
        if not (np.isfinite(skin) and skin >= 0):
            raise ValueError(f"the skin must be a length in Å, zero or more; came {skin}")
        self.potential, self.skin = potential, float(skin)
        self.capacities: set[Sizes] = set()
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
            evaluation.atomic_energies.sum(axis=-1)[..., None],
            evaluation.forces,
            evaluation.atomic_energies,
            evaluation.stress[..., None, :, :],
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
        edges = parts.n_counted
        computed = len(edges) * sizes.evaluated.edges
        imbalance = edges.max() / max(edges.mean(), 1.0) - 1.0 if edges.any() else 0.0
        padding = 1.0 - edges.sum() / computed
        return Balance(edges, float(imbalance), float(padding), parts.halo_fraction)

    def _evaluate(self, structure: Structure) -> Evaluation:
        bound = self._bind(structure)
        evaluation = self._run(bound, structure)
        if evaluation.n_edges > bound.sizes.evaluated.edges:
            sizes = bound.sizes
            evaluated = grown_capacity(
                sizes.evaluated, sizes.evaluated.atoms - 1, int(evaluation.n_edges)
            )
            bound = self._bound = bound._replace(sizes=sizes._replace(evaluated=evaluated))
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
        cut = partition(found.graphs, structure.pbc, len(self.devices), found.inside)
        sizes = self._sizes(len(structure.numbers), cut)
        arrays = part_arrays(cut, sizes.atoms, sizes.listed, jnp.dtype(config.precision.geometry))
        return _Bound(found, cut, jax.device_put(arrays, self._sharding(AXIS)), sizes)

    def _sizes(self, atoms: int, cut: Partition) -> Sizes:
        """Sizes for a partition, not below those before of as large a structure."""
        rows = rounded_capacity(atoms, edges=1).atoms
        listed = evaluated = None
        if self._bound is not None and self._bound.sizes.atoms == rows:
            _, listed, evaluated = self._bound.sizes
        in_part = int(cut.parts.n_atoms.max())
        return Sizes(
            rows,
            grown_capacity(listed, in_part, int(cut.parts.n_edges.max())),
            grown_capacity(evaluated, in_part, int(cut.n_counted.max())),
        )

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
        return (self._params, bound.parts, positions, cell), bound.sizes.evaluated.edges

    def _sharding(self, *axes: str) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec(*axes))


class ShardedCommittee(ShardedPotential):
    """A committee that evaluates one structure in parts, all members at once.

    The attributes are those of `ShardedPotential`; there is one neighbour list for all members.
    """

    def __init__(
        self,
        committee: "Committee",
        devices: Sequence[jax.Device] | None = None,
        skin: float = 0.0,
    ) -> None:
        """Puts the parameters on the devices, see `ShardedPotential`."""
        # A committee has what is used of a potential; its arrays have one axis more.
        super().__init__(committee, devices, skin)  # type: ignore[arg-type]

    def __call__(self, structure: "Structure | ase.Atoms") -> "CommitteeResult":  # type: ignore[override]
        """Evaluates a structure; equal to `Committee.__call__` up to rounding.

        Raises:
            ValueError: see `Potential.__call__`.
        """
        result: Any = super().__call__(structure)
        return result

    @property
    def program(self) -> Any:
        """The jitted function, shared by all committees of equal configs on these devices."""
        return compiled_evaluation(self.potential.config, self._mesh, committee=True)


class _Bound(NamedTuple):
    """A neighbour list, how it is cut, its parts on the devices, and the sizes of these."""

    list: SkinList
    partition: Partition
    parts: Parts
    sizes: Sizes


def _as_structure(item: "Structure | ase.Atoms") -> Structure:
    return item if isinstance(item, Structure) else Structure.from_atoms(item)
