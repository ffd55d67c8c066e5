"""A calculator that writes down every result, and reads it back when the same course is run again.

Relaxations and molecular dynamics are deterministic. A course that was killed is therefore begun
anew, and what had been calculated is read from the record: the step after the last one is reached
without a calculation, with optimiser and thermostat as they were.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from experiments.json_lines import append_line, whole_lines

PROPERTIES = ("energy", "forces", "stress")


class CalculationError(Exception):
    """A calculation that failed, or whose results are not finite."""


class RecordedCalculator(Calculator):
    """Passes calculations on and keeps their results in a file, one JSON line each.

    Args:
        inner: What calculates.
        path: The record; None keeps nothing.
    """

    implemented_properties = PROPERTIES

    def __init__(self, inner: Calculator, path: Path | None = None) -> None:
        super().__init__()
        self._inner, self._path = inner, path
        self._kept = [] if path is None else whole_lines(path)
        self.calculated = 0
        """Calculations that were not read back."""

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Calculates energy (eV), forces (eV/Å) and, where known, stress (eV/Å³).

        Raises:
            CalculationError: If the calculator fails, or gives what is not finite.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        self.results = self._recalled(self.atoms)
        if not self.results:
            self.results = _results(self._inner, self.atoms)
            self.calculated += 1
            self._write()

    def _recalled(self, atoms: Atoms) -> dict[str, Any]:
        """Returns the next results of the record, nothing where it ends or is of another course."""
        if not self._kept:
            return {}
        line = self._kept.pop(0)
        if line["positions"] != atoms.positions.tolist():
            self._kept = []
            return {}
        return {name: _value(name, line[name]) for name in line["of"]}

    def _write(self) -> None:
        if self._path is None:
            return
        results = {name: np.asarray(value).tolist() for name, value in self.results.items()}
        assert self.atoms is not None
        line = {"positions": self.atoms.positions.tolist(), "of": list(results), **results}
        append_line(self._path, line)


def _value(name: str, kept: Any) -> Any:
    return kept if name == "energy" else np.array(kept)


def _results(calculator: Calculator, atoms: Atoms) -> dict[str, Any]:
    results = {}
    try:
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        bare.calc = calculator
        results["energy"] = float(bare.get_potential_energy())
        results["forces"] = np.array(bare.get_forces())
        with contextlib.suppress(PropertyNotImplementedError):
            results["stress"] = np.array(bare.get_stress())
    except Exception as error:  # of a program that is not ours
        raise CalculationError(f"{type(error).__name__}: {error}") from error
    if not all(np.isfinite(value).all() for value in results.values()):
        raise CalculationError("energy, forces or stress are not finite")
    return results
