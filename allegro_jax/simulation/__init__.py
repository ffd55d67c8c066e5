"""Molecular dynamics on the device, in a loop short enough to read.

An ensemble is a frozen dataclass (`ensembles`), a step of it a pure function of a `State`
(`integrators`, `nose_hoover`, `barostat`). `advance` runs such steps on the device until a frame is
due or the neighbour list no longer holds, and `Engine` searches neighbours on the host in between.
`run` is what users call; `records` is what a run leaves in its folder.
"""

from allegro_jax.simulation.ensembles import NPT, NVE, NVTLangevin, NVTNoseHoover
from allegro_jax.simulation.limits import Limits, UnstableTrajectoryError
from allegro_jax.simulation.run import run
from allegro_jax.simulation.trajectory import Trajectory

__all__ = [
    "NPT",
    "NVE",
    "Limits",
    "NVTLangevin",
    "NVTNoseHoover",
    "Trajectory",
    "UnstableTrajectoryError",
    "run",
]
