"""The program of a potential for any number of atoms and edges and for several platforms.

The numbers of atoms and edges are symbols of `jax.export`; a call with arrays of other lengths
compiles for these and needs neither the model nor the code that made it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array, Float, Int

from allegro_jax.configs import ModelConfig
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import parameter_shapes, precision_scope, rounded
from allegro_jax.models.storage import flatten, unflatten

PLATFORMS = ("cpu", "cuda", "tpu")
"""What a program is made for unless told otherwise."""

KNOWN_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

ARGUMENTS = ("params", "positions", "species", "n_own", "centres", "neighbors", "offsets")
RESULTS = ("atomic_energies", "forces", "strain_gradient", "edge_gradients")

_SHAPE_CHECKS = "shape_assertion"
"""Custom call that JAX removes when it knows the sizes; any other would need code of the host."""


class Program(NamedTuple):
    """A program for numbers of atoms in a range.

    Attributes:
        exported: what `jax.export` made.
        fewest_atoms: rows that its arrays of atoms have at least.
        most_atoms: rows that they have at most; None for no limit.
    """

    exported: export.Exported
    fewest_atoms: int
    most_atoms: int | None


def evaluate(
    model: EdgeEnergyModel,
    params: dict[str, Array],
    positions: Float[Array, "atoms 3"],
    species: Int[Array, "atoms"],
    n_own: Int[Array, ""],
    centres: Int[Array, "edges"],
    neighbors: Int[Array, "edges"],
    offsets: Float[Array, "edges 3"],
) -> tuple[
    Float[Array, "atoms"], Float[Array, "atoms 3"], Float[Array, "3 3"], Float[Array, "edges 3"]
]:
    """Energies and their derivatives by one gradient with respect to the edge vectors.

    r_ij = r_j - r_i + offset_ij; an edge with r_ij = 0 is padding. Rows of atoms from `n_own` on
    are ghosts or padding, whose energies are not counted.

    Args:
        model: the architecture.
        params: its parameters by their paths, as "layer/weight".
        positions: Å.
        species: index of the type of every atom.
        n_own: atoms whose energies are counted; they come first.
        centres: i of every edge, ascending.
        neighbors: j of every edge.
        offsets: Å; lattice vectors between the two atoms in a periodic structure.

    Returns:
        Atomic energies (eV) without reference energies, forces (eV/Å), ∂E/∂strain (eV,
        symmetric; over the volume it is the stress), and ∂E/∂r_ij of every edge (eV/Å).
    """
    variables = {"params": rounded(model.config, unflatten(params))}
    vectors = positions[neighbors] - positions[centres] + offsets
    num_atoms = species.shape[0]
    own = jnp.arange(num_atoms, dtype=jnp.int32) < n_own

    def total(vectors: Array) -> tuple[Array, Array]:
        energies = model.apply(variables, vectors, species, species[neighbors], centres)
        energies = jnp.where(own, jnp.asarray(energies), 0)
        return energies.sum(), energies

    gradients, energies = jax.grad(total, has_aux=True)(vectors)
    pull = jax.ops.segment_sum(gradients, centres, num_atoms, indices_are_sorted=True)
    forces = pull - jax.ops.segment_sum(gradients, neighbors, num_atoms)
    strain = jnp.matmul(vectors.T, gradients, precision=jax.lax.Precision.HIGHEST)
    return energies, forces, 0.5 * (strain + strain.T), gradients


def export_programs(config: ModelConfig, platforms: Sequence[str] = PLATFORMS) -> list[Program]:
    """Exports two programs: for few atoms, whose sums are matrix products, and for many.

    Args:
        config: architecture.
        platforms: of "cpu", "cuda", "rocm" and "tpu".

    Raises:
        ValueError: an unknown platform, none, or a model that calls the host.
    """
    check_platforms(platforms)
    few = config.num_tensor_features  # see `Centers.build`
    ranges = [(2, few), (few + 1, None)] if few >= 2 else [(2, None)]
    with precision_scope(config.precision), _without_places():
        return [_exported(config, tuple(platforms), *bounds) for bounds in ranges]


def check_platforms(platforms: Sequence[str]) -> None:
    """Raises a ValueError for what is no sequence of known platforms."""
    unknown = [name for name in platforms if name not in KNOWN_PLATFORMS]
    if isinstance(platforms, str) or unknown or not platforms:
        raise ValueError(
            f"platforms must be one or more of {', '.join(KNOWN_PLATFORMS)}; got {platforms!r}"
        )


@contextlib.contextmanager
def _without_places() -> Iterator[None]:
    """Programs carry the source line of every operation; leaves folders and callers out of it.

    Files then tell nothing of the machine, and equal potentials give equal files.
    """
    options = {
        "jax_hlo_source_file_canonicalization_regex": ".*/",
        "jax_include_full_tracebacks_in_locations": False,
    }
    before = {name: getattr(jax.config, name) for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def _exported(
    config: ModelConfig, platforms: tuple[str, ...], fewest: int, most: int | None
) -> Program:
    model = build_model(config)

    def function(*arguments: Any) -> tuple[Array, ...]:
        return evaluate(model, *arguments)

    program = export.export(jax.jit(function), platforms=platforms)(
        *_argument_shapes(config, fewest, most)
    )
    _check_without_host(program)
    return Program(program, fewest, most)


def _argument_shapes(config: ModelConfig, fewest: int, most: int | None) -> tuple[Any, ...]:
    limits = [f"atoms >= {fewest}", "edges >= 1"]
    if most is not None:
        limits.append(f"atoms <= {most}")
    atoms, edges = export.symbolic_shape("atoms, edges", constraints=limits)
    geometry = jnp.dtype(config.precision.geometry)

    def shape(dtype: Any, *sizes: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, dtype)

    def stored(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        # npz files know no bfloat16; `rounded` brings it back.
        return shape(jnp.float32, *leaf.shape) if leaf.dtype == jnp.bfloat16 else leaf

    return (
        {name: stored(leaf) for name, leaf in flatten(parameter_shapes(config)).items()},
        shape(geometry, atoms, 3),
        shape(jnp.int32, atoms),
        shape(jnp.int32),
        shape(jnp.int32, edges),
        shape(jnp.int32, edges),
        shape(geometry, edges, 3),
    )


def _check_without_host(program: export.Exported) -> None:
    """JAX refuses callbacks itself; other effects would tie the file to this process as well."""
    text = program.mlir_module()
    calls = {part.split("(", 1)[0] for part in text.split("stablehlo.custom_call @")[1:]}
    foreign = calls - {_SHAPE_CHECKS}
    if foreign or program.ordered_effects or program.unordered_effects:
        raise ValueError(
            f"the model calls {', '.join(sorted(foreign)) or 'the host'}, which a file cannot "
            "carry; for quantum readouts choose simulator='auto'"
        )
