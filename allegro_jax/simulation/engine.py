"""Between the calls of the device: neighbour searches, array sizes, what ends a run."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from allegro_jax.configs import Precision
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, SkinList, batch, grown_capacity
from allegro_jax.graphs.batches import MaxNeighbors, neighbor_bound
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import precision_scope
from allegro_jax.simulation import limits
from allegro_jax.simulation.advance import Listed, Progress, advance
from allegro_jax.simulation.barostat import stochastic_cell_rescaling
from allegro_jax.simulation.ensembles import NPT, NVE, NVTLangevin, NVTNoseHoover
from allegro_jax.simulation.integrators import Step, langevin, velocity_verlet
from allegro_jax.simulation.nose_hoover import nose_hoover
from allegro_jax.simulation.state import State
from allegro_jax.simulation.task import Task

STEPS: dict[type, Step] = {
    NVE: velocity_verlet,
    NVTLangevin: langevin,
    NVTNoseHoover: nose_hoover,
    NPT: stochastic_cell_rescaling,
}

HEADROOM = 1.05
"""Arrays are at first larger by this than what they hold, for numbers of edges fluctuate."""

double_precision = functools.partial(precision_scope, Precision("float64", "float64", "float64"))
"""Where a `with` block needs the float64 of states."""


class StepError(Exception):
    """A step cannot be taken.

    Attributes:
        state: the last one before.
        reason: in words.
    """

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Array sizes, which grow and never shrink; each combination is compiled once.

    Attributes:
        listed: edges of the neighbour list.
        evaluated: edges that the model sees.
        neighbors: bound on the neighbours of an atom in the list.
    """

    listed: int = 0
    evaluated: int = 0
    neighbors: int = 0


class Engine:
    """Takes a simulation from step to step; the state itself is what callers hold.

    Attributes:
        sizes: of the arrays; to be set to those of an earlier run that goes on.
        n_builds: neighbour lists built.
        n_reallocations: times that arrays had to grow, after the first.
    """

    def __init__(self, task: Task) -> None:
        """Compiles nothing."""
        self._task, self._step = task, STEPS[type(task.ensemble)]
        self._committee = hasattr(task.potential, "members")
        self._listed: Listed | None = None
        self._compiled_before = _n_compiled()
        self.sizes = Sizes()
        self.n_builds = self.n_reallocations = 0

    @property
    def counts(self) -> tuple[int, int, int]:
        """Neighbour lists built, reallocations, programs compiled."""
        compiled = _n_compiled() - self._compiled_before
        return self.n_builds, self.n_reallocations, compiled

    def initialised(self, state: State) -> State:
        """The state with forces, energy and virial: a step of no length, which does not count."""
        done = self._advanced(state, 1, {**self._task.settings, "dt": 0.0})
        return done._replace(step=state.step)

    def advanced(self, state: State, until: int) -> State:
        """Goes on until `until` steps are done.

        Raises:
            StepError: the trajectory explodes.
        """
        return self._advanced(state, until, self._task.settings)

    def _advanced(self, state: State, until: int, settings: dict[str, Any]) -> State:
        fresh = False
        while True:
            if self._listed is None:
                self._listed, fresh = self._search(state), True
            progress = self._call(state, until, settings)
            moved = int(progress.state.step) > int(state.step)
            state, verdict = progress.state, int(progress.verdict)
            if verdict == limits.FINE:
                return state
            if verdict == limits.OVERFLOW:
                self._grow(evaluated=int(progress.n_edges))
            elif verdict == limits.STALE and (moved or not fresh):
                self._listed = None
            else:
                raise StepError(state, limits.describe(verdict, self._task.limits))
            fresh = False if moved else fresh

    def _call(self, state: State, until: int, settings: dict[str, Any]) -> Progress:
        config = self._task.potential.config
        progress = advance(
            self._task.potential.params,
            self._listed,
            jax.device_put(state),
            settings,
            until,
            model=build_model(config),
            step=self._step,
            skin=self._task.skin,
            capacity=self.sizes.evaluated,
            committee=self._committee,
        )
        return jax.block_until_ready(progress)

    def _search(self, state: State) -> Listed:
        """Builds a neighbour list on the host and sends it to the device."""
        config = self._task.potential.config
        positions, cell = np.asarray(state.positions), np.asarray(state.cell)
        structure = Structure(self._task.atoms.numbers, positions, cell, self._task.atoms.pbc)
        try:
            found = SkinList.build(structure, config.cutoff, self._task.skin, config.atomic_numbers)
        except ValueError as error:  # atoms in one place, or too many edges
            raise StepError(state, str(error)) from error
        self.n_builds += 1
        bound = neighbor_bound(found.graphs).number
        self._grow(len(found.inside), int(found.inside.sum()), bound)
        capacity = Capacity(len(positions) + 1, self.sizes.listed, 2)
        graph = batch(found.graphs, [0], capacity, jnp.dtype(config.precision.geometry))
        graph.globals["max_neighbors"] = MaxNeighbors(self.sizes.neighbors)
        return Listed(*jax.device_put((graph, positions, cell)))

    def _grow(self, listed: int = 0, evaluated: int = 0, neighbors: int = 0) -> None:
        """Makes room; arrays that are large enough stay as they are."""
        old = self.sizes
        if old.listed >= listed and old.evaluated >= evaluated and old.neighbors >= neighbors:
            return
        self.n_reallocations += old != Sizes()
        self.sizes = Sizes(
            _roomy(old.listed, listed),
            _roomy(old.evaluated, evaluated),
            max(old.neighbors, neighbors),
        )


def _n_compiled() -> int:
    return advance._cache_size()  # type: ignore[attr-defined]


def _roomy(size: int, needed: int) -> int:
    """The size if it is enough, or a coarsely rounded larger one."""
    if size >= needed and size:
        return size
    return grown_capacity(None, 1, round(HEADROOM * needed)).edges
