"""A potential as an energy function of jax-md, with jax-md's neighbour lists.

    neighbor_fn, energy_fn = energy(potential, displacement, box, atoms.numbers)
    neighbors = neighbor_fn.allocate(R)
    init_fn, apply_fn = jax_md.simulate.nve(energy_fn, shift, dt)
    state = init_fn(key, R, mass=masses, neighbor=neighbors)
    ...
    state = apply_fn(state, neighbor=neighbors)
    neighbors = neighbors.update(state.position)
    if neighbors.did_buffer_overflow:  # allocate again, and repeat the steps since the last check

jax-md's list by cell lists takes the minimum image of each pair, which is right only where the cell
is at least twice as high as the list reaches in every direction; `allocate` takes it there and the
list with explicit images elsewhere, so small and skewed cells are as right as large ones. Two
things that jax-md leaves to chance are part of the list here. It is built again when the *cell* has
brought pairs closer, not only when atoms have moved within it. And where a list could have missed a
pair, or a shrinking box no longer suits the kind of list, `did_buffer_overflow` says so.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Float, Int

from allegro_jax.graphs.batches import MaxNeighbors
from allegro_jax.graphs.skin import prune
from allegro_jax.interfaces.jax_md_neighbors import (
    Lists,
    NeighborFn,
    Neighbors,
    Space,
    jax_md_module,
    matrix,
)
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import Params, differentiated

if TYPE_CHECKING:
    import ase

    from allegro_jax.committee import Committee
    from allegro_jax.potential import Potential


class System(NamedTuple):
    """What jax-md wants to know of atoms.

    Attributes:
        position: fractional coordinates within the cell; Å for a molecule.
        box: columns are lattice vectors (Å); None for a molecule.
        mass: u. With eV and Å the unit of time is then ASE's, `ase.units.fs` is a femtosecond.
        displacement: from `jax_md.space`.
        shift: likewise.
    """

    position: Float[Array, "atoms 3"]
    box: Float[Array, "3 3"] | None
    mass: Float[Array, "atoms"]
    displacement: Callable[..., Array]
    shift: Callable[..., Array]


def system(atoms: "ase.Atoms", dtype: str = "float32") -> System:
    """Returns positions, box, masses and space of atoms, as jax-md has them.

    The cell is turned into ASE's standard form, whose transpose is the upper triangular box that
    jax-md's cell lists need; of a left-handed cell the third vector is reversed first. Distances
    and angles stay what they are.

    Raises:
        ImportError: jax-md is not installed.
        ValueError: atoms that are periodic in some directions only.
    """
    space = jax_md_module("space")
    mass = jnp.asarray(atoms.get_masses(), dtype)
    if not atoms.pbc.any():
        displacement, shift = space.free()
        return System(jnp.asarray(atoms.positions, dtype), None, mass, displacement, shift)
    if not atoms.pbc.all():
        raise ValueError(
            f"jax-md knows cells that are periodic in all directions or in none; came pbc "
            f"{atoms.pbc.tolist()}. Leave a vacuum wider than the cutoff along the open directions "
            "and set atoms.pbc = True, or use allegro_jax.simulation"
        )
    atoms = atoms.copy()
    if atoms.cell.handedness < 0:  # jax-md divides by a volume of either sign
        atoms.set_cell(np.asarray(atoms.cell) * [[1.0], [1.0], [-1.0]])
    box = jnp.asarray(np.asarray(atoms.cell.standard_form()[0]).T, dtype)
    displacement, shift = space.periodic_general(box, fractional_coordinates=True)
    position = jnp.asarray(atoms.get_scaled_positions(wrap=True), dtype)
    return System(position, box, mass, displacement, shift)


def energy(
    potential: "Potential | Committee",
    displacement: Callable[..., Array],
    box: Any,
    numbers: Int[np.ndarray, "atoms"],
    *,
    skin: float = 0.5,
    fractional_coordinates: bool = True,
    capacity_multiplier: float = 1.25,
) -> tuple[NeighborFn, Callable[..., Array]]:
    """Returns functions for neighbour lists and for the energy, as `jax_md.energy` does.

    `energy_fn(R, neighbor, box=..., perturbation=...)` is the energy in eV without the reference
    energies of the elements, which would cost digits in float32; its derivatives are those that
    jax-md's ensembles take. Second derivatives work backwards, not forwards.

    Args:
        potential: of a committee the mean is taken.
        displacement: of `jax_md.space`.
        box: side, sides, or a matrix whose columns are lattice vectors (Å); None for molecules in
            `space.free()`. A matrix that is not upper triangular costs N² in neighbour searches.
        numbers: atomic numbers.
        skin: Å by which lists exceed the cutoff.
        fractional_coordinates: whether positions are fractional; constant pressure needs it.
        capacity_multiplier: of jax-md's lists.

    Raises:
        ImportError: jax-md is not installed.
        ValueError: an element that the potential does not know, a bad skin, a potential in float64
            while 64-bit types are off, a displacement that does not belong to the box.
    """
    _check(potential, numbers, skin)
    species = _species(potential, numbers)
    periodic = box is not None
    space = Space(displacement, matrix(box) if periodic else None, fractional_coordinates)
    _check_space(space)
    lists = Lists(space, potential.config.cutoff, skin, capacity_multiplier)
    model, committee = build_model(potential.config), hasattr(potential, "members")

    def energy_fn(R: Array, neighbor: Neighbors, **kwargs: Any) -> Array:
        if not isinstance(neighbor, Neighbors):
            raise ValueError(
                "energy_fn needs a list of the neighbor_fn that was made together with it; came "
                f"{type(neighbor).__name__}"
            )
        vectors = space.edge_vectors(R, neighbor, **kwargs)
        graph = _graph(neighbor, species)
        pruned = prune(
            graph, jax.lax.stop_gradient(vectors), model.config.cutoff, neighbor.capacity
        )
        kept = vectors.at[pruned.rows].get(mode="fill", fill_value=0.0)
        dtype = jnp.dtype(model.config.precision.geometry)
        return _energy(model, committee, potential.params, pruned.graph, kept.astype(dtype))

    return NeighborFn(lists.allocate, lists.update), energy_fn


def _graph(neighbors: Neighbors, species: Int[np.ndarray, "atoms"]) -> jraph.GraphsTuple:
    """A padded graph in the layout of `allegro_jax.graphs`, without positions."""
    atoms, listed = len(species), neighbors.idx.shape[1]
    n_edges = jnp.sum(neighbors.idx[1] < atoms, dtype=jnp.int32)
    return jraph.GraphsTuple(
        nodes={"species": jnp.asarray(np.append(species, 0), jnp.int32)},
        edges={},
        senders=neighbors.idx[0],
        receivers=neighbors.idx[1],
        globals={"max_neighbors": MaxNeighbors(neighbors.most_neighbors)},
        n_node=jnp.asarray([atoms, 1], jnp.int32),
        n_edge=jnp.stack([n_edges, listed - n_edges]),
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _energy(
    model: EdgeEnergyModel,
    committee: bool,
    params: Params,
    graph: jraph.GraphsTuple,
    vectors: Float[Array, "edges 3"],
) -> Float[Array, ""]:
    """Energy of a graph by its edge vectors; the derivative comes with it, at no second pass."""
    return _energy_and_gradients(model, committee, params, graph, vectors)[0]


def _energy_and_gradients(
    model: EdgeEnergyModel,
    committee: bool,
    params: Params,
    graph: jraph.GraphsTuple,
    vectors: Float[Array, "edges 3"],
) -> tuple[Array, Array]:
    def of(params: Params) -> tuple[Array, Array]:
        atomic, gradients = differentiated(model, params, graph, vectors)
        return atomic.sum(), gradients

    if not committee:
        return of(params)
    return jax.tree.map(lambda x: x.mean(axis=0), jax.vmap(of)(params))


def _backwards(
    model: EdgeEnergyModel, committee: bool, gradients: Array, cotangent: Array
) -> tuple[None, None, Array]:
    del model, committee
    return None, None, (cotangent * gradients).astype(gradients.dtype)


_energy.defvjp(_energy_and_gradients, _backwards)


def _check_space(space: Space) -> None:
    """Refuses a displacement that takes positions for something else, which no error would tell."""
    step = 0.01 * jnp.eye(3)
    got = jax.vmap(lambda end: space.displacement(end, jnp.zeros(3)))(step)
    scaled = space.fractional and space.box is not None
    expected = step @ space.box.T if scaled else step  # type: ignore[union-attr]
    if not np.allclose(got, expected, rtol=1e-3, atol=1e-6):
        kind = "fractional" if scaled else "real"
        raise ValueError(
            f"with {kind} coordinates and the box {np.asarray(space.box).tolist()} displacements "
            f"of a hundredth along each axis should be {np.asarray(expected).tolist()}; came "
            f"{np.asarray(got).tolist()}. Give `energy` the box and the fractional_coordinates of "
            "jax_md.space, or take `system`"
        )


def _species(potential: Any, numbers: Int[np.ndarray, "atoms"]) -> Int[np.ndarray, "atoms"]:
    order = {number: k for k, number in enumerate(potential.config.atomic_numbers)}
    return np.array([order[number] for number in np.asarray(numbers).tolist()], np.int32)


def _check(potential: Any, numbers: Int[np.ndarray, "atoms"], skin: float) -> None:
    from allegro_jax.datasets.dataset import Structure

    potential.check_no_dispersion("jax-md")
    atoms = len(numbers)
    nowhere = np.zeros((atoms, 3)), np.zeros((3, 3)), np.zeros(3, bool)
    potential.check_elements(Structure(np.asarray(numbers), *nowhere))
    if not (np.isfinite(skin) and skin > 0):
        raise ValueError(f"the skin must be a positive length in Å; came {skin!r}")
    if potential.config.precision.needs_x64 and jnp.result_type(float) != np.float64:
        raise ValueError(
            f"the potential computes in float64 ({potential.config.precision}), which JAX has "
            'switched off; begin with jax.config.update("jax_enable_x64", True)'
        )
