"""`run`: a simulation from atoms to a trajectory."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import ase
import numpy as np

from allegro_jax.datasets.dataset import Structure
from allegro_jax.simulation.engine import Engine, StepError, double_precision
from allegro_jax.simulation.ensembles import Ensemble
from allegro_jax.simulation.limits import ADVICE, Limits, UnstableTrajectoryError
from allegro_jax.simulation.records import FORMATS, Record
from allegro_jax.simulation.state import State
from allegro_jax.simulation.task import Task
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
    potential.check_no_dispersion("allegro_jax.simulation")
    _check(potential, atoms, ensemble, steps, timestep_fs, interval, file_format, skin)
    folder = None if workdir is None else Path(workdir)
    with claimed(folder), double_precision():
        task = Task.of(potential, atoms, ensemble, timestep_fs, seed, skin, limits)
        record = Record(folder, file_format)
        run = _Run(task, Engine(task), record, on_frame)
        return run(steps, interval)


@dataclasses.dataclass
class _Run:
    """What belongs to one call of `run`."""

    task: Task
    engine: Engine
    record: Record
    on_frame: OnFrame | None

    def __call__(self, steps: int, interval: int) -> Trajectory:
        """The loop: to the next frame on the device, frame, state."""
        state = self._begun(interval)
        first, begin = int(state.step), time.monotonic()
        saved = begin
        try:
            while (step := int(state.step)) < steps:
                state = self.engine.advanced(state, min(steps, (step // interval + 1) * interval))
                self._add_frame(state)
                if time.monotonic() - saved > _SECONDS_PER_STATE:
                    self.record.save(state, self.engine.sizes)
                    saved = time.monotonic()
        except StepError as error:
            raise self._unstable(error) from error
        finally:
            self.record.save(state, self.engine.sizes)
        return self._trajectory(state, int(state.step) - first, time.monotonic() - begin)

    def _begun(self, interval: int) -> State:
        """Where an earlier run ended, or the first frame."""
        others = {"interval": interval, "file_format": self.record.file_format}
        earlier = self.record.begun(self.task.description | others)
        if earlier is not None:
            state, self.engine.sizes = earlier
            return state
        try:
            state = self.engine.initialised(self.task.first_state)
        except StepError as error:
            raise self._unstable(error) from error
        self._add_frame(state)
        self.record.save(state, self.engine.sizes)
        return state

    def _add_frame(self, state: State) -> None:
        frame, row = self.task.frame(state), quantities(self.task, state)
        self.record.append(frame, row)
        if self.on_frame is not None:
            self.on_frame(frame, row)

    def _unstable(self, error: StepError) -> UnstableTrajectoryError:
        """Keeps the last good frame, and says where it is."""
        state, step = error.state, int(error.state.step)
        frame, row = self.task.frame(state), quantities(self.task, state)
        if not self.record.rows:
            frame.calc = None  # forces were not to be had
        if not self.record.rows or self.record.rows[-1]["step"] != step:
            self.record.append(frame, row)
        path = self.record.path
        place = "the `atoms` of this error" if path is None else f"the last one of {path}"
        return UnstableTrajectoryError(
            f"the simulation was stopped after step {step} ({row['time_fs']:g} fs, "
            f"{row['temperature_K']:.0f} K): {error.reason}. The frame before is {place}. {ADVICE}",
            frame,
            step,
        )

    def _trajectory(self, state: State, steps: int, seconds: float) -> Trajectory:
        rows = self.record.rows
        return Trajectory(
            atoms=self.task.frame(state),
            log={name: np.array([row[name] for row in rows]) for name in rows[0]},
            timestep_fs=self.task.timestep_fs,
            cost=Cost(steps, seconds, *self.engine.counts),
            path=self.record.path,
            kept=tuple(self.record.frames),
        )


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
            f"the atoms have constraints ({atoms.constraints}), which are not known here; remove "
            "them, or use ASE's dynamics with `potential.calculator()`"
        )
    if ensemble.changes_cell and not (atoms.pbc.all() and atoms.cell.volume > 0):
        raise ValueError(
            "constant pressure needs three periodic directions and a cell; came pbc "
            f"{atoms.pbc.tolist()} and a volume of {atoms.cell.volume:g} Å³"
        )
