"""Energies, forces and stresses of a padded batch from one gradient of an Allegro model.

Everything here is pure and can be jitted with the model as a static argument; models with equal
configs are equal, so they share what is compiled.
"""

import contextlib
import functools
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float

from allegro_jax.configs import ModelConfig, Precision
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.blocks import Centred, evaluate_blocks, plan_blocks
from allegro_jax.models.build import build_model
from allegro_jax.models.readouts import prepared_variables

Params = dict[str, Any]

FEW_GRAPHS = 8
"""Up to so many graphs, sums over their edges are cheaper as a matrix product."""


class Predictions(NamedTuple):
    """What a model says about a batch; zero on padding.

    Attributes:
        energy: per graph (eV), without reference energies.
        forces: per atom (eV/Å).
        atomic_energies: per atom (eV), without reference energies.
        stress: per graph (eV/Å³), symmetric, positive under tension as in ASE; zeros where the
            cell has no volume.
    """

    energy: Float[Array, "graphs"]
    forces: Float[Array, "atoms 3"]
    atomic_energies: Float[Array, "atoms"]
    stress: Float[Array, "graphs 3 3"]


def precision_scope(precision: Precision) -> contextlib.AbstractContextManager[Any]:
    """Allows float64 inside a `with` block if `precision` asks for it, and only there."""
    if not precision.needs_x64:
        return contextlib.nullcontext()
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64(True)  # jax < 0.8


def initial_params(config: ModelConfig, seed: int = 0) -> Params:
    """Draws the initial parameters of a model: a nested dictionary of arrays.

    Args:
        config: architecture.
        seed: same seed, same parameters.
    """
    model = build_model(config)

    def init(key: Array) -> Params:
        one_edge = jnp.zeros((1, 3)), jnp.zeros(1, int), jnp.zeros(1, int), jnp.zeros(1, int)
        return model.init(key, *one_edge)["params"]

    with precision_scope(config.precision):
        key = jax.random.key(seed)
        once = jax.default_backend() == "cpu" and not isinstance(key, jax.core.Tracer)
        # The compiler's optimisations cost seconds on a CPU, and a program that runs once has none
        # to give back.
        options = {"xla_backend_optimization_level": 0} if once else None
        return jax.jit(init, compiler_options=options)(key)


@functools.lru_cache
def parameter_shapes(config: ModelConfig) -> Params:
    """Shapes and types of the parameters of a model, in their nested dictionary."""
    with precision_scope(config.precision):
        return jax.eval_shape(lambda: initial_params(config))


def rounded(config: ModelConfig, params: Params) -> Params:
    """Parameters in the types of the config, where a bfloat16 one asks for rounding.

    Training keeps such parameters in float32, for bfloat16 cannot hold the small changes that
    steps and averages make (Micikevicius et al., ICLR 2018), and rounds them wherever a model is
    evaluated; gradients pass as through the identity.
    """
    if not config.precision.needs_master:
        return params
    return jax.tree.map(lambda leaf, to: leaf.astype(to.dtype), params, parameter_shapes(config))


def master_params(params: Params) -> Params:
    """Parameters in types that training can change by little: bfloat16 becomes float32."""

    def widened(leaf: Array) -> Array:
        return leaf.astype(jnp.float32) if leaf.dtype == jnp.bfloat16 else leaf

    return jax.tree.map(widened, params)


def graph_index(graph: jraph.GraphsTuple, num_atoms: int) -> Array:
    """The graph that each atom belongs to."""
    graphs = jnp.arange(graph.n_node.shape[0])
    return jnp.repeat(graphs, graph.n_node, total_repeat_length=num_atoms)


def edge_vectors(graph: jraph.GraphsTuple, dtype: jnp.dtype) -> Float[Array, "edges 3"]:
    """r_ij = r_j - r_i + shift @ cell (Å), i the receiver and j the sender."""
    positions = graph.nodes["positions"].astype(dtype)
    shifts = graph.edges["shifts"].astype(dtype)
    cells = graph.globals["cell"].astype(dtype)
    owner = graph_index(graph, positions.shape[0])[graph.receivers]
    offsets = jnp.einsum("es,esc->ec", shifts, cells[owner])
    return positions[graph.senders] - positions[graph.receivers] + offsets


def energies(
    model: EdgeEnergyModel, params: Params, graph: jraph.GraphsTuple
) -> Float[Array, "graphs"]:
    """Energies of a padded batch (eV) without any derivative; see `predict`."""
    graph = jax.tree.map(jnp.asarray, graph)  # numpy batches may be constants of a trace
    params = rounded(model.config, params)
    vectors = edge_vectors(graph, jnp.dtype(model.config.precision.geometry))
    return _sum_over_graphs(_atomic_energies(model, {"params": params}, graph, vectors), graph)


def recorded(
    model: EdgeEnergyModel, variables: Mapping[str, Any], graph: jraph.GraphsTuple, collection: str
) -> dict[str, Any]:
    """What the modules of a model leave in a collection when it evaluates a padded batch.

    Args:
        model: the architecture; static under jit.
        variables: its parameters, and other collections.
        graph: batch in the layout of `allegro_jax.graphs`.
        collection: name of the collection.
    """
    graph = jax.tree.map(jnp.asarray, graph)
    vectors = edge_vectors(graph, jnp.dtype(model.config.precision.geometry))
    _, left = model.apply(variables, *_inputs(graph, vectors), mutable=[collection])
    return dict(left[collection])


def predict(
    model: EdgeEnergyModel,
    params: Params,
    graph: jraph.GraphsTuple,
    *,
    in_blocks: bool = True,
    of_edges: Mapping[str, Any] | None = None,
) -> Predictions:
    """Evaluates a model and its derivatives on a padded batch.

    The energy is differentiated once, with respect to the edge vectors, g_ij = ∂E/∂r_ij. Then
    F_i = Σ_j g_ij - Σ_j g_ji, and the strain derivative of a graph is the symmetrised sum of
    r_ij ⊗ g_ij over its edges.

    Args:
        model: the architecture; static under jit.
        params: its parameters.
        graph: batch in the layout of `allegro_jax.graphs`.
        in_blocks: let a large batch be evaluated block by block (see `plan_blocks`). The
            numbers are the same up to rounding, but only False can be differentiated forwards,
            or backwards more than once.
        of_edges: collections of variables that hold something for every edge of this batch, which
            is then evaluated in one piece.
    """
    graph = jax.tree.map(jnp.asarray, graph)  # numpy batches may be constants of a trace
    vectors = edge_vectors(graph, jnp.dtype(model.config.precision.geometry))
    atomic, gradients = differentiated(
        model, params, graph, vectors, in_blocks=in_blocks, of_edges=of_edges
    )
    return Predictions(
        energy=_sum_over_graphs(atomic, graph),
        forces=_forces(gradients, graph, atomic.shape[0]),
        atomic_energies=atomic,
        stress=_stress(vectors, gradients, graph),
    )


def differentiated(
    model: EdgeEnergyModel,
    params: Params,
    graph: jraph.GraphsTuple,
    vectors: Float[Array, "edges 3"],
    *,
    in_blocks: bool = True,
    of_edges: Mapping[str, Any] | None = None,
) -> tuple[Float[Array, "atoms"], Float[Array, "edges 3"]]:
    """Energies of the atoms (eV), and the derivative g_ij = ∂E/∂r_ij of their sum (eV/Å).

    For engines that have edge vectors of their own making; the arguments are those of `predict`.

    Args:
        model: the architecture; static under jit.
        params: its parameters.
        graph: batch in the layout of `allegro_jax.graphs`, of whose arrays positions, shifts and
            cells are not used.
        vectors: r_ij of its edges (Å), zero on padding.
        in_blocks: see `predict`.
        of_edges: see `predict`.
    """
    params = rounded(model.config, params)

    def total_energy(vectors: Array) -> tuple[Array, Array]:
        atomic = _atomic_energies(model, {"params": params, **(of_edges or {})}, graph, vectors)
        return atomic.sum(), atomic

    plan = plan_blocks(model.config, graph) if in_blocks and not of_edges else None
    if plan is None:
        gradients, atomic = jax.grad(total_energy, has_aux=True)(vectors)
        return atomic, gradients
    variables = {"params": params, **prepared_variables(model.config, params)}
    return evaluate_blocks(model, plan, variables, vectors, _centred(graph))


compiled_predict = jax.jit(predict, static_argnums=0)


def _inputs(
    graph: jraph.GraphsTuple, vectors: Float[Array, "edges 3"]
) -> tuple[Array, Array, Array, Array]:
    """Arguments of a model."""
    species = graph.nodes["species"]
    return vectors, species, species[graph.senders], graph.receivers


def _atomic_energies(
    model: EdgeEnergyModel,
    variables: Mapping[str, Any],
    graph: jraph.GraphsTuple,
    vectors: Float[Array, "edges 3"],
) -> Float[Array, "atoms"]:
    atomic = model.apply(variables, *_inputs(graph, vectors))
    return jnp.where(jraph.get_node_padding_mask(graph), jnp.asarray(atomic), 0.0)


def _centred(graph: jraph.GraphsTuple) -> Centred:
    species = graph.nodes["species"]
    n_atoms = jraph.get_node_padding_mask(graph).sum(dtype=jnp.int32)
    return Centred(species, graph.receivers, species[graph.senders], n_atoms)


def _sum_over_graphs(
    values: Float[Array, "atoms"], graph: jraph.GraphsTuple
) -> Float[Array, "graphs"]:
    owner = graph_index(graph, values.shape[0])
    return jax.ops.segment_sum(values, owner, graph.n_node.shape[0], indices_are_sorted=True)


def _forces(
    gradients: Float[Array, "edges 3"], graph: jraph.GraphsTuple, num_atoms: int
) -> Float[Array, "atoms 3"]:
    pull = jax.ops.segment_sum(gradients, graph.receivers, num_atoms, indices_are_sorted=True)
    return pull - jax.ops.segment_sum(gradients, graph.senders, num_atoms)


def _stress(
    vectors: Float[Array, "edges 3"],
    gradients: Float[Array, "edges 3"],
    graph: jraph.GraphsTuple,
) -> Float[Array, "graphs 3 3"]:
    """1/|det cell| ∂E/∂ε, symmetrised; zero where the cell has no volume."""
    num_graphs = graph.n_node.shape[0]
    owner = graph_index(graph, graph.nodes["species"].shape[0])[graph.receivers]
    if num_graphs <= FEW_GRAPHS:
        owns = (jnp.arange(num_graphs)[:, None] == owner[None, :]).astype(vectors.dtype)
        rows = (owns[:, None, :] * vectors.T[None, :, :]).reshape(3 * num_graphs, -1)
        precise = jax.lax.Precision.HIGHEST  # matrix units must not round float32 vectors
        strain = jnp.matmul(rows, gradients, precision=precise).reshape(num_graphs, 3, 3)
    else:
        products = vectors[:, :, None] * gradients[:, None, :]
        strain = jax.ops.segment_sum(products, owner, num_graphs, indices_are_sorted=True)
    strain = 0.5 * (strain + jnp.swapaxes(strain, 1, 2))
    volume = jnp.abs(jnp.linalg.det(graph.globals["cell"].astype(strain.dtype)))
    has_volume = (volume > 0.0)[:, None, None]
    return jnp.where(has_volume, strain / jnp.where(has_volume, volume[:, None, None], 1.0), 0.0)
