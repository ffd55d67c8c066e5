"""What a device does with its part of a structure; see `allegro_jax.sharding.spatial`."""

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


class Parts(NamedTuple):
    """Parts of a structure as arrays with the parts as first axis, one per device.

    Attributes:
        graph: a padded graph per part; its positions and cells are placeholders. The halo counts
            as padding, so the model computes none of its atoms.
        rows: the row of each local atom in the arrays of the whole; the last for padding.
    """

    graph: jraph.GraphsTuple
    rows: Int[Array | np.ndarray, "parts atoms"]


class Evaluation(NamedTuple):
    """What the devices return together.

    Attributes:
        forces: eV/Å; the last rows are padding. Of a committee, this and the next two have the
            members as first axis.
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


def part_arrays(cut: Partition, atoms: int, capacity: Capacity, dtype: jnp.dtype) -> Parts:
    """The parts as padded numpy arrays.

    Args:
        cut: from `partition`.
        atoms: rows of the arrays of the whole structure.
        capacity: what every part is padded to.
        dtype: of shifts.
    """
    graphs, rows = [], np.full((len(cut.n_own), capacity.atoms), atoms - 1, np.int32)
    for part, own in enumerate(cut.n_own):
        first, stop = cut.parts.atom_offsets[part : part + 2]
        n_node = np.array([own, capacity.atoms - own], np.int32)
        graphs.append(batch(cut.parts, [part], capacity, dtype)._replace(n_node=n_node))
        rows[part, : stop - first] = cut.rows[first:stop]
    return Parts(jax.tree.map(lambda *leaves: np.stack(leaves), *graphs), rows)


@functools.lru_cache
def compiled_evaluation(
    config: ModelConfig, mesh: Mesh, *, committee: bool = False
) -> Callable[..., Evaluation]:
    """The compiled function of a step, one for all potentials of equal configs on a mesh.

    Args:
        config: architecture.
        mesh: the devices, along `AXIS`.
        committee: whether parameters have the members of a committee as first axis.
    """
    model = build_model(config)

    @functools.partial(jax.jit, static_argnames="capacity")
    def step(
        params: Params, parts: Parts, positions: Array, cell: Array, *, capacity: int
    ) -> Evaluation:
        whole = PartitionSpec()
        on_every_device = jax.shard_map(
            functools.partial(evaluate_part, model, capacity, committee),
            mesh=mesh,
            in_specs=(whole, PartitionSpec(AXIS), whole, whole),
            out_specs=whole,
            # The zeros that loops begin with would have to be marked, differently by version.
            check_vma=False,
        )
        return on_every_device(params, parts, positions, cell)

    return step


def evaluate_part(
    model: EdgeEnergyModel,
    capacity: int,
    committee: bool,
    params: Params,
    parts: Parts,
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "2 3 3"],
) -> Evaluation:
    """Evaluates the part of one device and adds those of the others.

    Forces are those of the own edges on own atoms and halo.

    Args:
        model: the architecture.
        capacity: edges that the model sees of a part.
        committee: whether `params` have members as first axis, all of which see the same edges.
        params: its parameters.
        parts: the one of this device.
        positions: of the whole structure (Å).
        cell: Å, of the structure and of the padding.
    """
    part = jax.tree.map(lambda leaf: leaf[0], parts)
    graph = part.graph._replace(
        nodes={**part.graph.nodes, "positions": positions[part.rows]},
        globals={**part.graph.globals, "cell": cell},
    )
    pruned = prune(graph, edge_vectors(graph, positions.dtype), model.config.cutoff, capacity)

    def of_all_parts(params: Params) -> tuple[Array, Array, Array]:
        local = predict(model, params, pruned.graph)
        forces = jnp.zeros((len(positions), 3), local.forces.dtype).at[part.rows].add(local.forces)
        energies = jnp.zeros(len(positions), local.atomic_energies.dtype)
        energies = energies.at[part.rows].add(local.atomic_energies)
        return jax.lax.psum((forces, energies, local.stress[0]), AXIS)

    forces, energies, stress = (jax.vmap(of_all_parts) if committee else of_all_parts)(params)
    n_edges, shortest = jax.lax.pmax(pruned.n_edges, AXIS), jax.lax.pmin(pruned.shortest, AXIS)
    return Evaluation(forces, energies, stress, n_edges, shortest)
