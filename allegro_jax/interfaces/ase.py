"""Calculator for the Atomic Simulation Environment (ASE)."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from jaxtyping import Array

from allegro_jax.configs import AllegroConfig
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, SkinList, batch, grown_capacity, prune
from allegro_jax.graphs.neighbors import COINCIDENT
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import Params, Predictions, edge_vectors, precision_scope, predict

if TYPE_CHECKING:
    import ase

    from allegro_jax.potential import Potential


class AllegroCalculator(Calculator):
    """Energies, forces and stresses of a potential for `ase.Atoms`; see `Potential.calculator`.

    A step in which no atom has moved far sends positions and cell to the device and runs one
    compiled function; neighbours are searched again when `SkinList.covers` says so. Array sizes
    are rounded up and, while the number of atoms stays, never shrink, so that a simulation
    compiles once, and again only if it becomes much denser.

    Attributes:
        potential: what is evaluated.
        skin: Å by which neighbour lists exceed the cutoff.
        capacities: padded sizes met so far, as pairs of listed and evaluated; each of them was
            compiled, here or by another calculator of an equal config.
        n_builds: neighbour lists built so far.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012  # as ASE names them

    def __init__(self, potential: "Potential", skin: float = 1.0) -> None:
        """Prepares a calculator; nothing is compiled before the first structure.

        Raises:
            ValueError: a skin that is negative or not finite.
        """
        super().__init__()
        if not (math.isfinite(skin) and skin >= 0):
            raise ValueError(f"the skin must be a length in Å, zero or more; came {skin}")
        self.potential, self.skin = potential, float(skin)
        self.capacities: set[tuple[Capacity, Capacity]] = set()
        self.n_builds = 0
        self._bound: _Bound | None = None

    def calculate(
        self,
        atoms: "ase.Atoms | None" = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Computes everything at once; called by ASE.

        Raises:
            ValueError: see `Potential.__call__`.
        """
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise ValueError("a calculator needs atoms; none came")
        structure = Structure.from_atoms(self.atoms)
        with precision_scope(self.potential.config.precision):
            predictions = self._predict(structure)
        (result,) = self.potential.results([structure], predictions)
        self.results = {
            "energy": result.energy,
            "free_energy": result.energy,
            "energies": result.atomic_energies,
            "forces": result.forces,
        }
        if result.stress is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(result.stress)

    def _predict(self, structure: Structure) -> Predictions:
        bound = self._bound
        if bound is None or not bound.list.covers(structure):
            bound = self._bound = self._search(structure)
        predictions, n_edges, shortest = self._run(bound, structure)
        if n_edges > bound.evaluated.edges:
            evaluated = grown_capacity(bound.evaluated, len(structure.numbers), n_edges)
            bound = self._bound = bound._replace(evaluated=evaluated)
            predictions, n_edges, shortest = self._run(bound, structure)
        if shortest < COINCIDENT:
            raise ValueError(
                f"two atoms are {shortest:.1e} Å apart; atoms must be at least {COINCIDENT} Å "
                "apart: remove the duplicate, or shorten the time step"
            )
        return predictions

    def _search(self, structure: Structure) -> "_Bound":
        """Builds a neighbour list and sends it to the device."""
        config = self.potential.config
        self.potential.check_elements(structure)
        found = SkinList.build(structure, config.cutoff, self.skin, config.atomic_numbers)
        self.n_builds += 1
        sizes = (None, None) if self._bound is None else (self._bound.listed, self._bound.evaluated)
        atoms, n_listed = len(structure.numbers), int(found.graphs.n_edges[0])
        listed = grown_capacity(sizes[0], atoms, n_listed)
        evaluated = grown_capacity(sizes[1], atoms, found.n_inside)
        graph = batch(found.graphs, [0], listed, jnp.dtype(config.precision.geometry))
        return _Bound(found, jax.device_put(graph), listed, evaluated)

    def _run(self, bound: "_Bound", structure: Structure) -> tuple[Predictions, int, float]:
        """One call of the compiled function."""
        self.capacities.add((bound.listed, bound.evaluated))
        config, atoms = self.potential.config, len(structure.numbers)
        positions = np.zeros((bound.listed.atoms, 3), jnp.dtype(config.precision.geometry))
        # Small numbers lose less in float32 when a simulation has drifted far from the origin.
        positions[:atoms] = structure.positions - structure.positions.mean(axis=0)
        cell = np.zeros((2, 3, 3), positions.dtype)
        cell[0] = structure.cell * np.any(structure.pbc)
        step = compiled_step(config)
        outcome = step(
            self.potential.params, bound.graph, positions, cell, capacity=bound.evaluated.edges
        )
        predictions, n_edges, shortest = jax.device_get(outcome)
        return predictions, int(n_edges), float(shortest)


class _Bound(NamedTuple):
    """A neighbour list, where it lies on the device, and the sizes it is padded to."""

    list: SkinList
    graph: jraph.GraphsTuple
    listed: Capacity
    evaluated: Capacity


@functools.lru_cache
def compiled_step(config: AllegroConfig) -> Callable[..., tuple[Predictions, Array, Array]]:
    """The compiled function of a step, one for all calculators of equal configs."""
    model = build_model(config)

    @functools.partial(jax.jit, static_argnames="capacity")
    def step(
        params: Params, graph: jraph.GraphsTuple, positions: Array, cell: Array, *, capacity: int
    ) -> tuple[Predictions, Array, Array]:
        nodes: dict[str, Any] = {**graph.nodes, "positions": positions}
        graph = graph._replace(nodes=nodes, globals={**graph.globals, "cell": cell})
        vectors = edge_vectors(graph, positions.dtype)
        pruned = prune(graph, vectors, config.cutoff, capacity)
        return predict(model, params, pruned.graph), pruned.n_edges, pruned.shortest

    return step
