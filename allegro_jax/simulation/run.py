"""`run`: a simulation from atoms to a trajectory."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ase
import jax
import numpy as np
from ase import units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary, ZeroRotation

from allegro_jax.datasets.dataset import Structure
from allegro_jax.digests import digest
from allegro_jax.simulation.engine import Engine, StepError, double_precision
from allegro_jax.simulation.ensembles import Ensemble, NVTNoseHoover, degrees_of_freedom
from allegro_jax.simulation.limits import ADVICE, Limits, UnstableTrajectoryError, limit_settings
from allegro_jax.simulation.records import FORMATS, Record
from allegro_jax.simulation.state import State
from allegro_jax.simulation.trajectory import Cost, Trajectory, quantities
from allegro_jax.training.workdir import claimed

if TYPE_CHECKING:
    from allegro_jax.committee import Committee
    from allegro_jax.potential import Potential

_SECONDS_PER_STATE = 10.0

OnFrame = Callable[[ase.Atoms, dict[str, float]], None]


def run(
    potential: "Potential | Committee",
    atoms: ase.Atoms,
    ensemble: Ensemble,
    *,
    steps: int,
    timestep_fs: float,
    interval: int = 10,
    workdir: str | Path | None = None,
    file_format: Literal["traj", "extxyz"] = "traj",
    seed: int = 0,
    skin: float = 1.0,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    on_frame: OnFrame | None = None,
) -> Trajectory:
    """Simulates atoms and returns the trajectory.

    Atoms without momenta get some at the temperature of the ensemble. At constant energy and with
    Nosé-Hoover thermostats the total momentum, and the angular momentum of a molecule, are removed
    first. Positions are not wrapped into the cell.

    Args:
        potential: of a committee the mean is taken.
        atoms: any cell, also skewed ones and those smaller than the cutoff; not changed.
        ensemble: `NVE`, `NVTLangevin`, `NVTNoseHoover` or `NPT`.
        steps: in all, those of an earlier run in `workdir` included.
        timestep_fs: fs.
        interval: steps between frames.
        workdir: folder for frames, log and state (see `records`); a run that was stopped goes on
            from it, to the same numbers. None keeps the frames in memory.
        file_format: of the frames in `workdir`: "traj" (ASE's own) or "extxyz".
        seed: of momenta and noise.
        skin: Å by which neighbour lists exceed the cutoff.
        limits: beyond which the simulation is stopped.
        on_frame: called with every new frame and its row of the log.

    Raises:
        ValueError: impossible settings, atoms that the potential does not know, constraints, a
            folder of another simulation.
        UnstableTrajectoryError: the trajectory exploded; the frame before is in the trajectory
            file and in the error.

    Example:
        >>> from ase.build import bulk
        >>> from allegro_jax import AllegroConfig, Potential, simulation
        >>> from allegro_jax.potential import initial_params
        >>> config = AllegroConfig(type_names=("Cu",), cutoff=3.0)
        >>> potential = Potential(config, initial_params(config))
        >>> ensemble = simulation.NVTLangevin(temperature_K=300)
        >>> result = simulation.run(potential, bulk("Cu"), ensemble, steps=2, timestep_fs=1.0)
        >>> result.log["step"]
        array([0, 2])
    """
    _check(potential, atoms, ensemble, steps, timestep_fs, interval, file_format, skin)
    folder = None if workdir is None else Path(workdir)
    with claimed(folder), double_precision():
        simulation = _Simulation(potential, atoms, ensemble, timestep_fs, seed, skin, limits)
        record = Record(folder, file_format)
        description = simulation.description | {"interval": interval, "file_format": file_format}
        state = simulation.begun(record, description, on_frame)
        return simulation.finished(record, state, steps, interval, on_frame)


class _Simulation:
    """What belongs to one call of `run`."""

    def __init__(
        self,
        potential: "Potential | Committee",
        atoms: ase.Atoms,
        ensemble: Ensemble,
        timestep_fs: float,
        seed: int,
        skin: float,
        limits: Limits,
    ) -> None:
        self.potential, self.ensemble, self.timestep_fs = potential, ensemble, timestep_fs
        self.limits, self.skin = limits, skin
        self.atoms = _with_momenta(atoms, ensemble, seed)
        self.settings: dict[str, Any] = {
            "dt": timestep_fs * units.fs,
            "seed": seed,
            "masses": self.atoms.get_masses(),
            "freedom": degrees_of_freedom(ensemble, len(atoms), atoms.pbc),
            **ensemble.settings(),
            **limit_settings(limits, np.asarray(atoms.cell), ensemble.changes_cell),
        }
        self.reference = sum(potential.atomic_energies[symbol] for symbol in atoms.symbols)
        self.description = {
            "ensemble": type(ensemble).__name__,
            **dataclasses.asdict(ensemble),
            "timestep_fs": timestep_fs,
            "seed": seed,
            "skin": skin,
            "formula": atoms.get_chemical_formula(),
            "potential": digest(jax.tree.leaves(potential.params), repr(potential.config)),
            "start": digest([atoms.numbers, atoms.pbc, atoms.positions, atoms.get_momenta()]),
        }

    def begun(
        self, record: Record, description: dict[str, Any], on_frame: OnFrame | None
    ) -> State:
        """The state of an earlier run, or the first one, which becomes the first frame."""
        begin = Engine.n_compiled()
        earlier = record.begun(description)
        state, sizes = earlier or (self._first_state(), None)
        self.engine = Engine(
            self.potential,
            self.atoms.numbers,
            self.atoms.pbc,
            self.ensemble,
            self.settings,
            self.skin,
            self.limits,
            sizes,
        )
        self._compiled_before = begin
        if earlier is None:
            try:
                state = self.engine.initialised(state)
            except StepError as error:
                raise self._unstable(error, record) from error
            self._add_frame(record, state, on_frame)
            record.save(state, self.engine.sizes)
        return state

    def finished(
        self,
        record: Record,
        state: State,
        steps: int,
        interval: int,
        on_frame: OnFrame | None,
    ) -> Trajectory:
        """Goes on to the last step."""
        first, clock = int(state.step), time.monotonic()
        saved = clock
        try:
            while (step := int(state.step)) < steps:
                until = min(steps, (step // interval + 1) * interval)
                state = self.engine.advanced(state, until)
                self._add_frame(record, state, on_frame)
                if time.monotonic() - saved > _SECONDS_PER_STATE:
                    record.save(state, self.engine.sizes)
                    saved = time.monotonic()
        except StepError as error:
            raise self._unstable(error, record) from error
        finally:
            record.save(state, self.engine.sizes)
        cost = Cost(
            int(state.step) - first,
            time.monotonic() - clock,
            self.engine.n_builds,
            self.engine.n_reallocations,
            Engine.n_compiled() - self._compiled_before,
        )
        return self._trajectory(record, state, cost)

    def _first_state(self) -> State:
        chain = self.ensemble.chain if isinstance(self.ensemble, NVTNoseHoover) else 0
        cell = np.asarray(self.atoms.cell) * np.any(self.atoms.pbc)
        zeros = np.zeros((len(self.atoms), 3))
        return State(
            step=np.zeros((), np.int64),
            positions=self.atoms.positions.copy(),
            momenta=self.atoms.get_momenta(),
            cell=cell,
            forces=zeros,
            energy=np.zeros(()),
            virial=np.zeros((3, 3)),
            received=np.zeros(()),
            chain_positions=np.zeros(chain),
            chain_momenta=np.zeros(chain),
        )

    def _add_frame(self, record: Record, state: State, on_frame: OnFrame | None) -> None:
        row = quantities(state, self.settings, self.reference, self.timestep_fs)
        frame = self._frame(state)
        record.append(frame, row)
        if on_frame is not None:
            on_frame(frame, row)

    def _frame(self, state: State) -> ase.Atoms:
        """Atoms as they are in a state, with energy, forces and stress."""
        frame = self.atoms.copy()
        frame.positions[:] = np.asarray(state.positions)
        frame.set_momenta(np.asarray(state.momenta))
        results = {"energy": float(state.energy) + self.reference}
        results["forces"] = np.asarray(state.forces)
        if self.ensemble.changes_cell:
            frame.set_cell(np.asarray(state.cell))
        if frame.pbc.any() and frame.cell.volume > 0.0:
            stress = np.asarray(state.virial) / frame.cell.volume
            results["stress"] = stress.flat[[0, 4, 8, 5, 2, 1]]
        frame.calc = SinglePointCalculator(frame, **results)
        step = int(state.step)
        frame.info |= {"step": step, "time_fs": step * self.timestep_fs}
        return frame

    def _unstable(self, error: StepError, record: Record) -> UnstableTrajectoryError:
        """Keeps the last good frame, and says where it is."""
        frame, step = self._frame(error.state), int(error.state.step)
        row = quantities(error.state, self.settings, self.reference, self.timestep_fs)
        if not record.rows or record.rows[-1]["step"] != step:
            record.append(frame, row)
        place = f"the last frame of {record.path}" if record.path else "the `atoms` of this error"
        return UnstableTrajectoryError(
            f"the simulation was stopped after step {step} ({step * self.timestep_fs:g} fs, "
            f"{row['temperature_K']:.0f} K): {error.reason}. The frame before is {place}. {ADVICE}",
            frame,
            step,
        )

    def _trajectory(self, record: Record, state: State, cost: Cost) -> Trajectory:
        log = {name: np.array([row[name] for row in record.rows]) for name in record.rows[0]}
        frames = tuple(record.frames)
        return Trajectory(self._frame(state), log, self.timestep_fs, cost, record.path, frames)


def _with_momenta(atoms: ase.Atoms, ensemble: Ensemble, seed: int) -> ase.Atoms:
    """A copy whose momenta are drawn, if it has none, and conserve what the ensemble conserves."""
    atoms = atoms.copy()
    atoms.calc = None
    if not atoms.get_momenta().any() and ensemble.temperature_K is not None:
        rng = np.random.default_rng(seed)
        MaxwellBoltzmannDistribution(atoms, temperature_K=ensemble.temperature_K, rng=rng)
    if ensemble.keeps_momentum and atoms.get_momenta().any():
        Stationary(atoms, preserve_temperature=False)
        if not atoms.pbc.any() and len(atoms) > 2:
            ZeroRotation(atoms, preserve_temperature=False)
    return atoms


def _check(
    potential: "Potential | Committee",
    atoms: ase.Atoms,
    ensemble: Ensemble,
    steps: int,
    timestep_fs: float,
    interval: int,
    file_format: str,
    skin: float,
) -> None:
    potential.check_elements(Structure.from_atoms(atoms))
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"expected an NVE, NVTLangevin, NVTNoseHoover or NPT; came {ensemble!r}")
    if steps < 0 or interval < 1:
        raise ValueError(f"steps must be 0 or more, interval 1 or more; came {steps}, {interval}")
    for name, value in (("timestep_fs", timestep_fs), ("skin", skin)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number; came {value!r}")
    if file_format not in FORMATS:
        raise ValueError(f"file_format must be one of {FORMATS}; came {file_format!r}")
    if atoms.constraints:
        raise ValueError(
            f"the atoms have constraints ({atoms.constraints}), which simulations here do not know; "
            "remove them, or use ASE's dynamics with `potential.calculator()`"
        )
    if ensemble.changes_cell and not (atoms.pbc.all() and atoms.cell.volume > 0):
        raise ValueError(
            "constant pressure needs three periodic directions and a cell; came pbc "
            f"{atoms.pbc.tolist()} and a volume of {atoms.cell.volume:g} Å³"
        )
