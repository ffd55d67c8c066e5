"""A large batch in blocks of whole centres, one after another: they fit caches, and memory.

The energy of an atom depends on the edges of which it is the centre, and on no others. A block
of a few hundred edges that holds some centres completely can therefore be evaluated, and
differentiated, on its own. On CPU that is faster than one operation after another over all edges,
because the features of a block stay in the cache (docs/performance.md); memory is that of one
block, and padding is not computed at all. On accelerators, which want much work at a time, blocks
are for what would not fit into memory in one piece.

The number of blocks is found at run time, so a capacity compiles once, however it is filled.
"""

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float, Int

from allegro_jax.configs import ModelConfig
from allegro_jax.graphs.batches import max_neighbors
from allegro_jax.models.base import EdgeEnergyModel

Variables = dict[str, Any]
_Carry = TypeVar("_Carry")

_FEATURE_SIZE = 2**16  # numbers in a tensor feature of a block, per thread
_MIN_EDGES, _MAX_EDGES = 128, 1024  # per thread
_ACCELERATOR_BYTES = 4e9
_FEATURES_ALIVE = 11  # temporaries over the size of one tensor feature, as XLA plans them on CPU


class Plan(NamedTuple):
    """Array sizes of a block.

    Attributes:
        edges: at least the edges of any one centre.
        atoms: centres that a block holds at most.
    """

    edges: int
    atoms: int


class Centred(NamedTuple):
    """Atoms and the edges of which they are the centres, in one order.

    Attributes:
        species: of every atom.
        receivers: centre of every edge, ascending.
        neighbor_species: species of the neighbour of every edge.
        n_atoms: atoms that are no padding; they come first.
    """

    species: Int[Array, "atoms"]
    receivers: Int[Array, "edges"]
    neighbor_species: Int[Array, "edges"]
    n_atoms: Int[Array, ""]


def plan_blocks(config: ModelConfig, graph: jraph.GraphsTuple) -> Plan | None:
    """Sizes of the blocks for a batch on this machine, or None to evaluate it in one piece.

    On CPU a tensor feature of a block takes a quarter of a megabyte per thread, which lets the
    dozen of them that are alive at a time share a cache of a few megabytes. Elsewhere a block is
    as large as 4 GB of features allow, and whatever needs less is evaluated in one piece; that
    number is an estimate from programs for CPUs, not measured on a GPU, and training needs about
    three times as much. Only batches that know the largest number of neighbours of an atom (those
    of `allegro_jax.graphs.batch` do) can be taken apart.
    """
    bound = max_neighbors(graph)
    if bound is None:
        return None
    n_edges, n_atoms = graph.senders.shape[0], graph.nodes["species"].shape[0]
    on_cpu = jax.default_backend() == "cpu"
    edges = max(_round_up(_cached_edges(config) if on_cpu else _fitting_edges(config), 32), bound)
    if n_edges <= (2.5 if on_cpu else 1.0) * edges:
        return None
    atoms = _round_up(int(1.1 * edges * n_atoms / n_edges) + 1, 4)
    return Plan(edges, min(atoms, n_atoms))


class EdgesPerBlock(NamedTuple):
    """What to evaluate at a time where the machine is not known yet; see `plan_blocks`.

    Attributes:
        cpu_thread: edges per thread of a CPU.
        accelerator: edges on a GPU or TPU.
    """

    cpu_thread: int
    accelerator: int


def edges_per_block(config: ModelConfig) -> EdgesPerBlock:
    """Edges whose features fit into the caches of a CPU thread, and into an accelerator."""
    cached = min(max(_FEATURE_SIZE // _feature_size(config), _MIN_EDGES), _MAX_EDGES)
    return EdgesPerBlock(cached, _fitting_edges(config))


def _cached_edges(config: ModelConfig) -> int:
    """Edges whose features fit into the caches of a CPU device."""
    # Devices forced upon one CPU share its threads.
    return edges_per_block(config).cpu_thread * max(1, _threads() // jax.local_device_count())


def _fitting_edges(config: ModelConfig) -> int:
    """Edges whose features fit into the memory of an accelerator."""
    itemsize = jnp.dtype(config.precision.network).itemsize
    numbers = max(_feature_size(config), _amplitudes(config))
    return int(_ACCELERATOR_BYTES / (_FEATURES_ALIVE * itemsize * numbers))


def _feature_size(config: ModelConfig) -> int:
    """Numbers in a tensor feature of an edge."""
    return config.num_tensor_features * (config.l_max + 1) ** 2


def _amplitudes(config: ModelConfig) -> int:
    """Numbers in the state of the widest QDI circuit on an edge."""
    circuits = (config.readout, config.latent_circuit)
    return 2 ** (1 + max(getattr(circuit, "n_qubits", 0) for circuit in circuits))


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _round_up(size: int, step: int) -> int:
    return -(-size // step) * step


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def evaluate_blocks(
    model: EdgeEnergyModel,
    plan: Plan,
    variables: Variables,
    vectors: Float[Array, "edges 3"],
    centred: Centred,
) -> tuple[Float[Array, "atoms"], Float[Array, "edges 3"]]:
    """Atomic energies E_i (eV) and the gradients ∂E_i/∂r_ij of the edges (eV/Å).

    Can be differentiated backwards in `variables` and `vectors`, by blocks again; not forwards.

    Args:
        model: the architecture.
        plan: sizes of the blocks.
        variables: parameters of the model, and what `prepared_variables` makes of them.
        vectors: r_ij (Å).
        centred: what belongs to the edges.
    """
    rows = _Rows(plan, len(centred.species), len(vectors))
    padded = rows.pad_edges(vectors)

    def evaluate(block: _Block, results: tuple[Array, Array]) -> tuple[Array, Array]:
        energies, gradients = _evaluate_block(model, variables, block.edges_of(padded), block)
        return block.put_atoms(results[0], energies), block.put_edges(results[1], gradients)

    energies = jnp.zeros(len(centred.species), model.config.precision.energy)
    start = rows.pad_atoms(energies), jnp.zeros_like(padded)
    energies, gradients = _for_each_block(rows, centred, evaluate, start)
    return energies[: rows.n_atoms], gradients[: rows.n_edges]


def _evaluate_forwards(
    model: EdgeEnergyModel, plan: Plan, variables: Variables, vectors: Array, centred: Centred
) -> tuple[tuple[Array, Array], tuple[Variables, Array, Centred]]:
    return evaluate_blocks(model, plan, variables, vectors, centred), (variables, vectors, centred)


def _evaluate_backwards(
    model: EdgeEnergyModel,
    plan: Plan,
    inputs: tuple[Variables, Array, Centred],
    cotangents: tuple[Array, Array],
) -> tuple[Variables, Array, None]:
    """One vector-Jacobian product per block; the blocks add up in the variables."""
    variables, vectors, centred = inputs
    rows = _Rows(plan, len(centred.species), len(vectors))
    padded = rows.pad_edges(vectors)
    of_energies, of_gradients = rows.pad_atoms(cotangents[0]), rows.pad_edges(cotangents[1])

    def pull_back(block: _Block, sums: tuple[Variables, Array]) -> tuple[Variables, Array]:
        weights, direction = block.atoms_of(of_energies), block.edges_of(of_gradients)

        def function(variables: Variables, vectors: Array) -> Array:
            def energies(vectors: Array) -> Array:
                return _block_energies(model, variables, vectors, block)

            values, changes = jax.jvp(energies, (vectors,), (direction,))
            return jnp.sum(weights * values + changes)

        of_variables, of_vectors = jax.grad(function, (0, 1))(variables, block.edges_of(padded))
        return jax.tree.map(jnp.add, sums[0], of_variables), block.put_edges(sums[1], of_vectors)

    start = jax.tree.map(jnp.zeros_like, variables), jnp.zeros_like(padded)
    of_variables, of_vectors = _for_each_block(rows, centred, pull_back, start)
    return of_variables, of_vectors[: rows.n_edges], None


evaluate_blocks.defvjp(_evaluate_forwards, _evaluate_backwards)


class _Rows(NamedTuple):
    """How long the arrays are; padded, a block may begin at any of their rows."""

    plan: Plan
    n_atoms: int
    n_edges: int

    def pad_atoms(self, values: Array) -> Array:
        return _pad(values, self.plan.atoms)

    def pad_edges(self, values: Array) -> Array:
        return _pad(values, self.plan.edges)


class _Block(NamedTuple):
    """Some centres and all their edges.

    Attributes:
        first_atom: row of the first centre.
        first_edge: row of its first edge.
        atom_mask: False on rows that are not of the block.
        edge_mask: False on rows that are not of the block.
        species: of the centres.
        receivers: centre of every edge, counted from `first_atom`.
        neighbor_species: of every edge.
    """

    first_atom: Int[Array, ""]
    first_edge: Int[Array, ""]
    atom_mask: Bool[Array, "atoms"]
    edge_mask: Bool[Array, "edges"]
    species: Int[Array, "atoms"]
    receivers: Int[Array, "edges"]
    neighbor_species: Int[Array, "edges"]

    def edges_of(self, values: Array) -> Array:
        """Rows of the block, zero where they are not of it."""
        return _take(values, self.first_edge, self.edge_mask)

    def atoms_of(self, values: Array) -> Array:
        """Rows of the block, zero where they are not of it."""
        return _take(values, self.first_atom, self.atom_mask)

    def put_edges(self, into: Array, values: Array) -> Array:
        """Writes the rows; zeros behind the block are overwritten by the next one."""
        return jax.lax.dynamic_update_slice_in_dim(into, values, self.first_edge, 0)

    def put_atoms(self, into: Array, values: Array) -> Array:
        """Writes the rows; zeros behind the block are overwritten by the next one."""
        return jax.lax.dynamic_update_slice_in_dim(into, values, self.first_atom, 0)


def _for_each_block(
    rows: _Rows, centred: Centred, function: Callable[[_Block, _Carry], _Carry], start: _Carry
) -> _Carry:
    """Calls `function` for one block after another and passes its result on."""
    atoms = jnp.arange(rows.n_atoms + 1, dtype=jnp.int32)
    offsets = jnp.searchsorted(centred.receivers, atoms).astype(jnp.int32)
    # The first atom that does not fit into a block that begins at atom a.
    full = jnp.searchsorted(offsets, offsets[:-1] + rows.plan.edges, side="right") - 1
    full = jnp.minimum(full, atoms[:-1] + rows.plan.atoms)
    stops = jnp.minimum(full, centred.n_atoms).astype(jnp.int32)
    species = rows.pad_atoms(centred.species)
    receivers = rows.pad_edges(centred.receivers)
    neighbor_species = rows.pad_edges(centred.neighbor_species)

    def step(carry: tuple[Array, _Carry]) -> tuple[Array, _Carry]:
        first, values = carry
        stop, first_edge = stops[first], offsets[first]
        atom_mask = jnp.arange(rows.plan.atoms) < stop - first
        edge_mask = jnp.arange(rows.plan.edges) < offsets[stop] - first_edge
        owner = _take(receivers, first_edge, edge_mask)
        block = _Block(
            first,
            first_edge,
            atom_mask,
            edge_mask,
            species=_take(species, first, atom_mask),
            # Edges that are not of the block are given to the last row, so that receivers ascend.
            receivers=jnp.where(edge_mask, owner - first, rows.plan.atoms - 1),
            neighbor_species=_take(neighbor_species, first_edge, edge_mask),
        )
        return stop, function(block, values)

    begin = jnp.zeros((), jnp.int32), start
    _, values = jax.lax.while_loop(lambda carry: carry[0] < centred.n_atoms, step, begin)
    return values


def _evaluate_block(
    model: EdgeEnergyModel, variables: Variables, vectors: Array, block: _Block
) -> tuple[Float[Array, "atoms"], Float[Array, "edges 3"]]:
    def total(vectors: Array) -> tuple[Array, Array]:
        energies = _block_energies(model, variables, vectors, block)
        return energies.sum(), energies

    gradients, energies = jax.grad(total, has_aux=True)(vectors)
    return energies, gradients


def _block_energies(
    model: EdgeEnergyModel, variables: Variables, vectors: Array, block: _Block
) -> Float[Array, "atoms"]:
    energies = model.apply(
        variables,
        vectors,
        block.species,
        block.neighbor_species,
        block.receivers,
        block.edge_mask,
    )
    return jnp.where(block.atom_mask, jnp.asarray(energies), 0)


def _take(values: Array, start: Array, mask: Array) -> Array:
    rows = jax.lax.dynamic_slice_in_dim(values, start, len(mask))
    return jnp.where(mask.reshape(-1, *(1,) * (rows.ndim - 1)), rows, 0)


def _pad(values: Array, number: int) -> Array:
    return jnp.pad(values, [(0, number)] + [(0, 0)] * (values.ndim - 1))
