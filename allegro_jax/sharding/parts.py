"""What a device does with its parts of a structure; see `allegro_jax.sharding.spatial`."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int

from allegro_jax.configs import ModelConfig
from allegro_jax.graphs import Capacity, batch, prune
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import Params, edge_vectors, predict
from allegro_jax.sharding.partition import Partition

AXIS = "parts"
_CHUNK_BYTES = {"cpu": 6e6}
"""Features of a chunk on each platform: what the second-level cache of a core about holds."""
_OTHER_CHUNK_BYTES = 4e9
"""On accelerators a chunk must keep all cores busy and fit the memory."""
_COPIES = 11
"""Bytes of temporaries over those of one tensor feature, as compilers report them."""


class Parts(NamedTuple):
    """Parts of a structure as arrays with the parts as first axis, equally many per device.

    Attributes:
        graph: a padded graph per part; its positions and cells are placeholders.
        rows: the row of each local atom in the arrays of the whole; the last for padding.
        n_own: own atoms of each part, which come first.
    """

    graph: jraph.GraphsTuple
    rows: Int[Array | np.ndarray, "parts atoms"]
    n_own: Int[Array | np.ndarray, "parts"]


class Evaluation(NamedTuple):
    """What the devices return, or one part adds to it.

    Attributes:
        forces: eV/Å; the last rows are padding.
        atomic_energies: eV, without reference energies.
        stress: eV/Å³.
        n_edges: most edges within the cutoff in a part; beyond the capacity the rest is wrong.
        shortest: length of the shortest edge (Å), infinite without edges.
    """

    forces: Float[Array, "atoms 3"]
    atomic_energies: Float[Array, "atoms"]
    stress: Float[Array, "3 3"]
    n_edges: Int[Array, ""]
    shortest: Float[Array, ""]


def chunk_edges(config: ModelConfig, platform: str) -> int:
    """Edges of a chunk that suit a platform.

    Args:
        config: its tensor features decide.
        platform: "cpu", "gpu" or "tpu".
    """
    itemsize = jnp.dtype(config.precision.network).itemsize
    feature = (config.l_max + 1) ** 2 * config.num_tensor_features * itemsize
    return max(32, int(_CHUNK_BYTES.get(platform, _OTHER_CHUNK_BYTES) / (_COPIES * feature)))


def part_arrays(
    cut: Partition, devices: int, slots: int, atoms: int, capacity: Capacity, dtype: jnp.dtype
) -> Parts:
    """The parts as padded numpy arrays.

    Args:
        cut: from `partition`.
        devices: how many share the parts.
        slots: room for so many parts per device; the last ones may stay empty.
        atoms: rows of the arrays of the whole structure.
        capacity: what every part is padded to.
        dtype: of shifts.
    """
    parts = range(len(cut.n_own))
    graphs = [batch(cut.parts, [part], capacity, dtype) for part in parts]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *graphs)
    rows = np.full((len(parts), capacity.atoms), atoms - 1, np.int32)
    for part, first in enumerate(cut.parts.atom_offsets[:-1]):
        atoms = cut.parts.n_atoms[part]
        rows[part, :atoms] = cut.rows[first : first + atoms]
    filled = Parts(stacked, rows, cut.n_own.astype(np.int32))
    return jax.tree.map(lambda array: _with_slots(array, devices, slots), filled)


def _with_slots(array: np.ndarray, devices: int, slots: int) -> np.ndarray:
    """Parts, device by device, followed by empty ones up to `slots` per device."""
    spread = array.reshape(devices, -1, *array.shape[1:])
    padded = np.zeros((devices, slots, *array.shape[1:]), array.dtype)
    padded[:, : spread.shape[1]] = spread
    return padded.reshape(-1, *array.shape[1:])


@functools.lru_cache
def compiled_evaluation(config: ModelConfig, mesh: Mesh) -> Callable[..., Evaluation]:
    """The compiled function of a step, one for all potentials of equal configs on a mesh."""
    model = build_model(config)

    @functools.partial(jax.jit, static_argnames="capacity")
    def step(
        params: Params, parts: Parts, count: Array, positions: Array, cell: Array, *, capacity: int
    ) -> Evaluation:
        whole = PartitionSpec()
        local = jax.shard_map(
            functools.partial(evaluate_parts, model, capacity),
            mesh=mesh,
            in_specs=(whole, PartitionSpec(AXIS), whole, whole, whole),
            out_specs=whole,
            # The zeros that a sum begins with would have to be marked, differently by version.
            check_vma=False,
        )
        return local(params, parts, count, positions, cell)

    return step


def evaluate_parts(
    model: EdgeEnergyModel,
    capacity: int,
    params: Params,
    parts: Parts,
    count: Int[Array, ""],
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "2 3 3"],
) -> Evaluation:
    """Evaluates the parts of one device in turn and adds those of the others.

    Args:
        model: the architecture.
        capacity: edges that the model sees of a part.
        params: its parameters.
        parts: those of this device.
        count: how many of them are not empty.
        positions: of the whole structure (Å).
        cell: Å, of the structure and of the padding.
    """

    def evaluate(part: Parts) -> Evaluation:
        return evaluate_part(model, capacity, params, part, positions, cell)

    def add(index: int | Array, total: Evaluation) -> Evaluation:
        part = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, index, keepdims=False), parts)
        return _added(total, part, evaluate(part))

    shapes = jax.eval_shape(evaluate, jax.tree.map(lambda leaf: leaf[0], parts))
    nothing = _nothing(shapes, positions.shape[0])
    # A count that is an argument keeps the number of parts out of what is compiled.
    one_slot = parts.rows.shape[0] == 1
    total = add(0, nothing) if one_slot else jax.lax.fori_loop(0, count, add, nothing)
    forces, energies, stress = jax.lax.psum(
        (total.forces, total.atomic_energies, total.stress), AXIS
    )
    n_edges, shortest = jax.lax.pmax(total.n_edges, AXIS), jax.lax.pmin(total.shortest, AXIS)
    return Evaluation(forces, energies, stress, n_edges, shortest)


def evaluate_part(
    model: EdgeEnergyModel,
    capacity: int,
    params: Params,
    part: Parts,
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "2 3 3"],
) -> Evaluation:
    """Evaluates one part; forces and energies in the order of its local atoms.

    Forces are those of the own edges on own atoms and halo; energies of the halo are zero.
    """
    nodes = {**part.graph.nodes, "positions": positions[part.rows]}
    graph = part.graph._replace(nodes=nodes, globals={"cell": cell})
    pruned = prune(graph, edge_vectors(graph, positions.dtype), model.config.cutoff, capacity)
    local = predict(model, params, pruned.graph)
    is_own = jnp.arange(part.rows.shape[0]) < part.n_own
    return Evaluation(
        forces=local.forces,
        atomic_energies=jnp.where(is_own, local.atomic_energies, 0.0),
        stress=local.stress[0],
        n_edges=pruned.n_edges,
        shortest=pruned.shortest,
    )


def _nothing(shapes: Evaluation, atoms: int) -> Evaluation:
    """What a sum over parts begins with."""
    return Evaluation(
        forces=jnp.zeros((atoms, 3), shapes.forces.dtype),
        atomic_energies=jnp.zeros(atoms, shapes.atomic_energies.dtype),
        stress=jnp.zeros((3, 3), shapes.stress.dtype),
        n_edges=jnp.zeros((), shapes.n_edges.dtype),
        shortest=jnp.full((), jnp.inf, shapes.shortest.dtype),
    )


def _added(total: Evaluation, part: Parts, local: Evaluation) -> Evaluation:
    """The sum with one more part in it."""
    return Evaluation(
        forces=total.forces.at[part.rows].add(local.forces),
        atomic_energies=total.atomic_energies.at[part.rows].add(local.atomic_energies),
        stress=total.stress + local.stress,
        n_edges=jnp.maximum(total.n_edges, local.n_edges),
        shortest=jnp.minimum(total.shortest, local.shortest),
    )
