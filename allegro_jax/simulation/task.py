"""What is simulated: atoms and settings, as numbers of a step, and back to atoms."""

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import ase
import jax
import numpy as np
from ase import units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import Stationary, ZeroRotation

from allegro_jax.digests import digest
from allegro_jax.simulation.ensembles import Ensemble, NVTNoseHoover, degrees_of_freedom
from allegro_jax.simulation.limits import Limits, limit_settings
from allegro_jax.simulation.state import State

if TYPE_CHECKING:
    from allegro_jax.committee import Committee
    from allegro_jax.potential import Potential


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A simulation to be done.

    Attributes:
        potential: what gives the forces.
        atoms: at the start, with momenta.
        ensemble: what is held constant.
        timestep_fs: fs.
        seed: of momenta and noise.
        skin: Å by which neighbour lists exceed the cutoff.
        limits: beyond which it is stopped.
    """

    potential: "Potential | Committee"
    atoms: ase.Atoms
    ensemble: Ensemble
    timestep_fs: float
    seed: int
    skin: float
    limits: Limits

    @classmethod
    def of(
        cls,
        potential: "Potential | Committee",
        atoms: ase.Atoms,
        ensemble: Ensemble,
        timestep_fs: float,
        seed: int,
        skin: float,
        limits: Limits,
    ) -> Self:
        """The task for atoms, whose copy gets momenta that suit the ensemble."""
        started = _with_momenta(atoms, ensemble, seed)
        return cls(potential, started, ensemble, timestep_fs, seed, skin, limits)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Numbers of a step in its units."""
        atoms, ensemble = self.atoms, self.ensemble
        return {
            "dt": self.timestep_fs * units.fs,
            "seed": self.seed,
            "masses": atoms.get_masses(),
            "freedom": degrees_of_freedom(ensemble, len(atoms), atoms.pbc),
            **ensemble.settings(),
            **limit_settings(self.limits, np.asarray(atoms.cell), ensemble.changes_cell),
        }

    @cached_property
    def reference(self) -> float:
        """Sum of the reference energies of the atoms, eV."""
        return sum(self.potential.atomic_energies[symbol] for symbol in self.atoms.symbols)

    @property
    def description(self) -> dict[str, Any]:
        """What tells this simulation from another one, as JSON."""
        atoms, potential = self.atoms, self.potential
        start = [atoms.numbers, atoms.pbc, atoms.positions, atoms.get_momenta()]
        return {
            "ensemble": type(self.ensemble).__name__,
            **dataclasses.asdict(self.ensemble),
            "timestep_fs": self.timestep_fs,
            "seed": self.seed,
            "skin": self.skin,
            "formula": atoms.get_chemical_formula(),
            "start": digest([*start, np.asarray(atoms.cell), atoms.get_masses()]),
            "potential": digest(jax.tree.leaves(potential.params), repr(potential.config)),
        }

    @property
    def first_state(self) -> State:
        """The state at the start, without forces."""
        chain = self.ensemble.chain if isinstance(self.ensemble, NVTNoseHoover) else 0
        zero = np.zeros(())
        arrays: dict[str, Any] = {
            "step": np.zeros((), np.int64),
            "positions": self.atoms.positions.copy(),
            "momenta": self.atoms.get_momenta(),
            "cell": np.asarray(self.atoms.cell) * np.any(self.atoms.pbc),
            "forces": np.zeros((len(self.atoms), 3)),
            "energy": zero,
            "virial": np.zeros((3, 3)),
            "received": zero,
            "chain_positions": np.zeros(chain),
            "chain_momenta": np.zeros(chain),
        }
        return State(**arrays)

    def frame(self, state: State) -> ase.Atoms:
        """Atoms as they are in a state, with momenta, energy, forces and stress."""
        atoms, step = self.atoms.copy(), int(state.step)
        atoms.positions[:] = np.asarray(state.positions)
        atoms.set_momenta(np.asarray(state.momenta))
        if self.ensemble.changes_cell:
            atoms.set_cell(np.asarray(state.cell))
        results: dict[str, Any] = {
            "energy": float(state.energy) + self.reference,
            "forces": np.asarray(state.forces),
        }
        if atoms.pbc.any() and atoms.cell.volume > 0.0:
            stress = np.asarray(state.virial) / atoms.cell.volume
            results["stress"] = stress.flat[[0, 4, 8, 5, 2, 1]]  # Voigt's order
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info |= {"step": step, "time_fs": step * self.timestep_fs}
        return atoms


def _with_momenta(atoms: ase.Atoms, ensemble: Ensemble, seed: int) -> ase.Atoms:
    """A copy whose momenta are drawn, if it has none, and conserve what the ensemble conserves."""
    atoms = atoms.copy()
    if not atoms.get_momenta().any() and ensemble.temperature_K is not None:
        widths = np.sqrt(units.kB * ensemble.temperature_K * atoms.get_masses())
        noise = np.random.default_rng(seed).normal(size=(len(atoms), 3))
        atoms.set_momenta(widths[:, None] * noise)
    if ensemble.keeps_momentum and atoms.get_momenta().any():
        Stationary(atoms, preserve_temperature=False)
        if not atoms.pbc.any() and len(atoms) > 2:
            ZeroRotation(atoms, preserve_temperature=False)
    return atoms
