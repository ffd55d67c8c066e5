"""Many steps in one call of the device.

Steps go on until a number of steps is reached or one cannot be accepted: because a pair may have
come within the cutoff that is not in the neighbour list, because more edges are within the cutoff
than there is room for, or because the trajectory explodes. Such a step is dropped whole, so that
what is returned is always a state that was computed with complete neighbours.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from allegro_jax.graphs import prune
from allegro_jax.graphs.skin import unlisted_margin
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.energy import Params, edge_vectors, predict
from allegro_jax.simulation.integrators import Numbers, Step
from allegro_jax.simulation.limits import FINE, judge
from allegro_jax.simulation.state import Evaluation, State, volume


class Listed(NamedTuple):
    """A neighbour list on the device.

    Attributes:
        graph: all pairs within cutoff and skin, padded; its positions and cell are placeholders.
        positions: where atoms were when it was built, Å.
        cell: likewise.
    """

    graph: jraph.GraphsTuple
    positions: Float[Array, "atoms 3"]
    cell: Float[Array, "3 3"]


class Progress(NamedTuple):
    """Where a call of the device ended.

    Attributes:
        state: the last accepted one.
        verdict: on the step after it, see `limits`; `FINE` if all steps were done.
        n_edges: edges within the cutoff in the last evaluation, accepted or not.
    """

    state: State
    verdict: Int[Array, ""]
    n_edges: Int[Array, ""]


@functools.partial(jax.jit, static_argnames=("model", "step", "skin", "capacity", "committee"))
def advance(
    params: Params,
    listed: Listed,
    state: State,
    settings: Numbers,
    until: Array,
    *,
    model: EdgeEnergyModel,
    step: Step,
    skin: float,
    capacity: int,
    committee: bool,
) -> Progress:
    """Takes steps until `until` of them are done in all, or one is not accepted.

    Args:
        params: of the model; with members as first axis for a committee, whose mean is taken.
        listed: neighbour list that holds at the state.
        state: with forces that belong to it.
        settings: numbers of a step and the limits.
        until: steps.
        model: the architecture.
        step: of the ensemble.
        skin: Å by which the list exceeds the cutoff.
        capacity: edges that the model sees.
        committee: whether `params` are those of a committee.
    """
    evaluate = functools.partial(evaluation, model, skin, capacity, committee, params, listed)

    def goes_on(progress: Progress) -> Array:
        return (progress.state.step < until) & (progress.verdict == FINE)

    def body(progress: Progress) -> Progress:
        new, found = step(progress.state, evaluate, settings)
        verdict = judge(new, found, capacity, settings)
        accepted = jax.tree.map(
            lambda after, before: jnp.where(verdict == FINE, after, before), new, progress.state
        )
        return Progress(accepted, verdict, found.n_edges.astype(jnp.int32))

    return jax.lax.while_loop(goes_on, body, Progress(state, jnp.int32(FINE), jnp.int32(0)))


def evaluation(
    model: EdgeEnergyModel,
    skin: float,
    capacity: int,
    committee: bool,
    params: Params,
    listed: Listed,
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "3 3"],
) -> Evaluation:
    """Energy, forces and virial by the edges of a list that are within the cutoff."""
    precision, cutoff = model.config.precision, model.config.cutoff
    graph = _placed(listed.graph, positions, cell)
    vectors = edge_vectors(graph, jnp.dtype(precision.geometry))
    pruned = prune(graph, vectors, cutoff, capacity)

    def one(params: Params) -> tuple[Array, Array, Array]:
        found = predict(model, params, pruned.graph)
        # Sums in float64, as the state has them.
        energy = jnp.sum(found.atomic_energies.astype(positions.dtype))
        forces = found.forces[: len(positions)].astype(positions.dtype)
        return energy, forces, found.stress[0].astype(positions.dtype) * volume(cell)

    if committee:
        energy, forces, virial = jax.tree.map(lambda x: x.mean(axis=0), jax.vmap(one)(params))
    else:
        energy, forces, virial = one(params)
    stretch = _stretch(listed.cell, cell)
    moved = positions - stretch * listed.positions
    margin = unlisted_margin(moved, stretch, cutoff + skin, cutoff)
    return Evaluation(energy, forces, virial, pruned.n_edges, pruned.shortest, margin)


def _placed(graph: jraph.GraphsTuple, positions: Array, cell: Array) -> jraph.GraphsTuple:
    """The graph with these positions, centred: small numbers lose less in float32."""
    rows = graph.nodes["species"].shape[0]
    centred = positions - jnp.mean(positions, axis=0, keepdims=True)
    padded = jnp.zeros((rows, 3), positions.dtype).at[: len(positions)].set(centred)
    cells = jnp.stack([cell, jnp.zeros_like(cell)])
    return graph._replace(
        nodes={**graph.nodes, "positions": padded}, globals={**graph.globals, "cell": cells}
    )


def _stretch(before: Float[Array, "3 3"], after: Float[Array, "3 3"]) -> Array:
    """Factor between two cells of one shape; 1 for molecules."""
    size = jnp.sum(before * before)
    return jnp.where(size > 0.0, jnp.sqrt(jnp.sum(after * after) / jnp.where(size > 0, size, 1)), 1)
