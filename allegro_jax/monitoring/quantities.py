"""How errors are shown: names, factors from eV and Å, units."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Quantity:
    """An error as a person reads it.

    Attributes:
        label: What it is called.
        unit: In which unit it is shown.
        factor: From eV and Å to that unit.
    """

    label: str
    unit: str
    factor: float = 1e3

    def text(self, value: float) -> str:
        """Writes a value with three digits and its unit."""
        return f"{self.factor * value:.3g} {self.unit}"


QUANTITIES: Mapping[str, Quantity] = {
    "forces_mae": Quantity("forces", "meV/Å"),
    "energy_mae": Quantity("energy", "meV"),
    "energy_per_atom_mae": Quantity("energy", "meV/atom"),
    "stress_mae": Quantity("stress", "meV/Å³"),
}
"""Mean absolute errors of `allegro_jax.training.metrics`."""


def shown(row: Mapping[str, float]) -> dict[str, Quantity]:
    """Returns the errors of a row that are shown, the most telling first."""
    return {name: quantity for name, quantity in QUANTITIES.items() if name in row}


def text(row: Mapping[str, float]) -> str:
    """Writes the mean absolute errors of a row in one line."""
    errors = shown(row)
    return ", ".join(
        f"{quantity.label} {quantity.text(row[name])}" for name, quantity in errors.items()
    )
