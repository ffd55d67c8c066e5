"""Potentials for derivatives: whatever they were trained in, evaluated in float64."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from allegro_jax.committee import Committee, load_potential
from allegro_jax.configs import Precision
from allegro_jax.potential import Potential

if TYPE_CHECKING:
    from allegro_jax.interfaces.ase import AllegroCalculator


def in_double(potential: Potential | Committee) -> Potential | Committee:
    """Returns the same potential or committee, evaluated in float64."""
    if isinstance(potential, Committee):
        members = [in_double(member) for member in potential.members]
        return Committee.of(members)  # type: ignore[arg-type]  # members are potentials
    double = Precision("float64", "float64", "float64")
    config = dataclasses.replace(potential.config, precision=double)
    return Potential(config, potential.params, potential.atomic_energies, potential.dispersion)


def double_calculator(folder: str | Path) -> AllegroCalculator:
    """Returns the calculator of a saved potential or committee in float64, dispersion included.

    Raises:
        ValueError: If the folder holds neither.
    """
    return in_double(load_potential(folder)).calculator()
