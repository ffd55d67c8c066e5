"""What a simulation gives: quantities of its frames, the frames, what it cost."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import units

from allegro_jax.simulation.barostat import pressure
from allegro_jax.simulation.nose_hoover import chain_energy
from allegro_jax.simulation.state import State, kinetic_energy, volume
from allegro_jax.simulation.task import Task

if TYPE_CHECKING:
    import ase

COLUMNS = (
    "step",
    "time_fs",
    "temperature_K",
    "potential_eV",
    "kinetic_eV",
    "conserved_eV",
    "pressure_bar",
    "volume_A3",
)
"""Of the log. The conserved energy is that of the atoms, less what noise, friction and barostat
gave them, and with that of Nosé-Hoover thermostats: it would be constant in steps of no length."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the steps of one call of `run` took.

    Attributes:
        steps: done in this call.
        seconds: of wall clock, without the first frame of a simulation, which compiles.
        neighbor_lists: built.
        reallocations: times that arrays had to grow, each of which compiles.
        compilations: programs compiled, the first one included.
    """

    steps: int
    seconds: float
    neighbor_lists: int
    reallocations: int
    compilations: int


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """A finished simulation.

    Attributes:
        atoms: the last frame, with momenta and results: another run can start from it.
        log: arrays by the names of `COLUMNS`, one number for each frame.
        timestep_fs: fs.
        cost: of the last call.
        path: file with the frames, or None.
    """

    atoms: "ase.Atoms"
    log: Mapping[str, np.ndarray]
    timestep_fs: float
    cost: Cost
    path: Path | None = None
    kept: tuple["ase.Atoms", ...] = ()

    @property
    def frames(self) -> "list[ase.Atoms]":
        """All frames; read anew from the file if there is one."""
        if self.path is None:
            return list(self.kept)
        import ase.io

        return list(ase.io.iread(self.path, index=":"))

    @property
    def drift(self) -> float:
        """Slope of a line through the conserved energy, meV per atom and ps; NaN of one frame."""
        times = self.log["time_fs"] / 1000.0
        if len(times) < 2:
            return float("nan")
        energies = 1000.0 * self.log["conserved_eV"] / len(self.atoms)
        return float(np.polyfit(times, energies - energies[0], 1)[0])

    @property
    def ns_per_day(self) -> float:
        """Simulated nanoseconds per day of the steps of the last call; NaN if there were none."""
        if not self.cost.seconds:
            return float("nan")
        return 86400.0 * self.cost.steps * self.timestep_fs * 1e-6 / self.cost.seconds


def quantities(task: Task, state: State) -> dict[str, float]:
    """The row of the log of a state that has forces."""
    settings, step = task.settings, int(state.step)
    kinetic = float(kinetic_energy(state.momenta, settings["masses"]))
    potential = float(state.energy) + task.reference
    conserved = kinetic + potential - float(state.received)
    if len(state.chain_momenta):
        conserved += float(chain_energy(state, settings))
    space = float(volume(state.cell))
    bar = float(pressure(state, settings["masses"])) / units.bar if space else float("nan")
    kelvin = 2.0 * kinetic / (settings["freedom"] * units.kB)
    time_fs = step * task.timestep_fs
    values = (step, time_fs, kelvin, potential, kinetic, conserved, bar, space)
    return dict(zip(COLUMNS, values, strict=True))
