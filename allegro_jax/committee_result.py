"""What a committee says about a structure: means over its members, and their spread."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from allegro_jax.potential import Result


@dataclasses.dataclass(frozen=True, eq=False)
class CommitteeResult:
    """What a committee says about one structure: means over members, and spreads.

    A spread is a standard deviation over members, with n - 1 in the denominator; that of a vector
    or tensor is the root of the sum of the variances of its components, which no rotation changes.

    Attributes:
        energy: total energy (eV), reference energies included.
        forces: eV/Å.
        atomic_energies: eV, reference energies included.
        stress: eV/Å³; None without a periodic cell.
        energy_spread: of the total energy (eV).
        forces_spread: of the force on every atom (eV/Å).
        stress_spread: of the stress (eV/Å³); None without a periodic cell.
        members: what every member says.
    """

    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    atomic_energies: Float[np.ndarray, "atoms"]
    stress: Float[np.ndarray, "3 3"] | None
    energy_spread: float
    forces_spread: Float[np.ndarray, "atoms"]
    stress_spread: float | None
    members: tuple[Result, ...]

    @classmethod
    def of(cls, members: Sequence[Result]) -> Self:
        """Puts together what two or more members say about one structure."""
        energy, energy_spread = mean_and_spread([result.energy for result in members])
        forces, forces_spread = mean_and_spread([result.forces for result in members], axes=1)
        atomic, _ = mean_and_spread([result.atomic_energies for result in members])
        stress = stress_spread = None
        if members[0].stress is not None:
            stresses = [result.stress for result in members]
            stress, spread = mean_and_spread(stresses, axes=2)
            stress_spread = float(spread)
        return cls(
            float(energy),
            forces,
            atomic,
            stress,
            float(energy_spread),
            forces_spread,
            stress_spread,
            tuple(members),
        )


def mean_and_spread(values: Sequence[Any], axes: int = 0) -> tuple[Any, Any]:
    """Returns mean and standard deviation over values, squares summed over the last `axes` axes.

    From the differences to the first value, so that equal ones have a spread of exactly zero and
    total energies, which are large, lose no digits.
    """
    stacked = np.asarray(values, np.float64)
    difference = stacked - stacked[0]
    mean = difference.mean(axis=0)
    squares = ((difference - mean) ** 2).sum(axis=0) / (len(stacked) - 1)
    return stacked[0] + mean, np.sqrt(squares.sum(axis=tuple(range(-axes, 0))))
