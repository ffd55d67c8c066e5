"""When a trajectory has exploded, and what is said then."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from ase import units
from jaxtyping import Array, Int

from allegro_jax.simulation.state import Evaluation, State, kinetic_energy, volume

if TYPE_CHECKING:
    import ase

FINE, STALE, OVERFLOW, NOT_FINITE, CLOSE, HOT, VOLUME = range(7)
"""Verdicts on a step: accepted; neighbours to be searched again; arrays too small; ended."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Beyond these a simulation is stopped, for what follows would be no physics.

    Attributes:
        temperature_K: largest temperature of all atoms together.
        distance: smallest distance of two atoms, Å.
        volume_factor: at constant pressure, largest factor by which the volume may grow or shrink.
    """

    temperature_K: float = 20_000.0  # noqa: N815
    distance: float = 0.4
    volume_factor: float = 4.0

    def __post_init__(self) -> None:
        for name, least in (("temperature_K", 0.0), ("distance", 0.0), ("volume_factor", 1.0)):
            value = getattr(self, name)
            if not value > least:  # infinity means no limit
                raise ValueError(f"Limits.{name} must be above {least:g}; came {value!r}")


class UnstableTrajectoryError(RuntimeError):
    """A simulation was stopped because it left the range of physics.

    Attributes:
        atoms: the last frame before, with momenta.
        step: steps done by then.
    """

    def __init__(self, message: str, atoms: "ase.Atoms", step: int) -> None:
        super().__init__(message)
        self.atoms, self.step = atoms, step


def judge(
    state: State, evaluation: Evaluation, capacity: int, settings: Mapping[str, Any]
) -> Int[Array, ""]:
    """The verdict on a step, the most basic trouble first.

    Args:
        state: after the step.
        evaluation: made in it.
        capacity: edges that the evaluation had room for.
        settings: numbers of the step, with the limits.
    """
    kinetic = kinetic_energy(state.momenta, settings["masses"])
    now = volume(state.cell)
    troubles = [
        (~(jnp.isfinite(state.positions).all() & jnp.isfinite(state.cell).all()), NOT_FINITE),
        (evaluation.margin < 0.0, STALE),
        (evaluation.n_edges > capacity, OVERFLOW),
        (~(jnp.isfinite(state.momenta).all() & jnp.isfinite(state.energy)), NOT_FINITE),
        (evaluation.shortest < settings["min_distance"], CLOSE),
        (2.0 * kinetic > settings["freedom"] * settings["max_kT"], HOT),
        ((now < settings["min_volume"]) | (now > settings["max_volume"]), VOLUME),
    ]
    conditions, verdicts = zip(*troubles, strict=True)
    return jnp.select(conditions, [jnp.int32(verdict) for verdict in verdicts], jnp.int32(FINE))


def limit_settings(limits: Limits, cell: np.ndarray, changes_cell: bool) -> dict[str, float]:
    """The limits in the units of a step."""
    start = abs(float(np.linalg.det(cell)))
    factor = limits.volume_factor if changes_cell else np.inf
    return {
        "min_distance": limits.distance,
        "max_kT": units.kB * limits.temperature_K,
        "min_volume": start / factor,
        "max_volume": start * factor if start else np.inf,
    }


def describe(verdict: int, limits: Limits) -> str:
    """What went wrong in a step, in words."""
    return {
        STALE: "an atom would have moved further in one step than neighbour lists foresee",
        NOT_FINITE: "energies, forces or positions became infinite or NaN",
        CLOSE: f"two atoms came closer than {limits.distance:g} Å",
        HOT: f"the temperature rose above {limits.temperature_K:g} K",
        VOLUME: f"the volume changed by more than a factor of {limits.volume_factor:g}",
    }[verdict]


ADVICE = (
    "Look at the last frames. Usual causes: a start with atoms too close (relax it first), a time "
    "step that is too long (0.5 fs with hydrogen, 2 fs for metals), structures unlike the training "
    "data of the potential. `Limits` has the thresholds"
)
