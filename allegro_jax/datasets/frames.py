"""Single frames read by ASE, and the labels on them."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from allegro_jax.datasets.ase_files import (
    ENERGY_KEYS,
    FORCES_KEYS,
    STRESS_KEYS,
    _available,
    _keys,
    _label,
    _stress,
)
from allegro_jax.datasets.dataset import Structure

if TYPE_CHECKING:
    import ase


@dataclasses.dataclass(frozen=True)
class Labels:
    """Where a frame has its labels: in `info`, `arrays` or the calculator of `ase.Atoms`.

    Attributes:
        energy: Key of the energy (eV); None takes the first of the usual ones that is there.
        forces: Key of the forces (eV/Å), likewise.
        stress: Key of the stress (eV/Å³), likewise.
        group: Key in `info` of what groups frames, for instance into trajectories.
        found: Whether the usual keys have been looked for.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    group: str = "config_type"
    found: bool = False

    def found_in(self, atoms: "ase.Atoms", name: str) -> Self:
        """Fixes the keys by the first frame, so that all frames are read alike.

        Raises:
            ValueError: The frame has no energy, or no forces under the key given.
        """
        if self.found:
            return self
        energy = _first(atoms, self.energy, ENERGY_KEYS)
        if energy is None:
            raise ValueError(
                f"{name}: the first frame has no energy under {_keys(self.energy, ENERGY_KEYS)}; "
                f"it has {_available(atoms)}: give energy_key"
            )
        forces = _first(atoms, self.forces, FORCES_KEYS)
        if forces is None and self.forces is not None:
            raise ValueError(
                f"{name}: the first frame has no forces under {self.forces!r}; it has "
                f"{_available(atoms)}"
            )
        stress = _first(atoms, self.stress, STRESS_KEYS)
        return dataclasses.replace(self, energy=energy, forces=forces, stress=stress, found=True)


def structure_of(atoms: "ase.Atoms", labels: Labels, place: str) -> Structure:
    """Takes geometry and labels of a frame.

    Args:
        atoms: The frame.
        labels: After `found_in`.
        place: What an error calls the frame.

    Raises:
        ValueError: A label is missing or has the wrong shape.
    """
    group = atoms.info.get(labels.group)
    return Structure(
        numbers=np.asarray(atoms.numbers),
        positions=np.asarray(atoms.positions),
        cell=np.asarray(atoms.cell),
        pbc=np.asarray(atoms.pbc),
        energy=_energy(atoms, labels.energy, place),
        forces=_forces(atoms, labels.forces, place),
        stress=_stress_of(atoms, labels.stress),
        config_type=None if group is None else str(group),
    )


class AseFile:
    """A file that ASE reads frame by frame."""

    def __init__(self, path: Path, labels: Labels) -> None:
        self.name, self._path, self._labels = path.stem, path, labels
        self.identity = {"file": path.name, "bytes": path.stat().st_size}

    def count(self) -> None:
        """Only reading tells."""

    def frames(self) -> Iterator[Structure]:
        """Yields every frame."""
        import ase.io

        frames, labels, k = ase.io.iread(self._path, index=":"), self._labels, 0
        while True:
            try:
                atoms = next(frames, None)
            # The readers of ASE fail with whatever their parsers meet.
            except Exception as error:
                raise ValueError(
                    f"ASE cannot read frame {k} of {self._path} ({type(error).__name__}: {error}); "
                    "the file may be truncated or its name may not tell its format (extended XYZ: "
                    ".extxyz or .xyz)"
                ) from error
            if atoms is None:
                return
            labels = labels.found_in(atoms, str(self._path))
            yield structure_of(atoms, labels, f"{self._path}: frame {k}")
            k += 1


def _first(atoms: "ase.Atoms", given: str | None, usual: tuple[str, ...]) -> str | None:
    present = (key for key in _keys(given, usual) if _label(atoms, key) is not None)
    return next(present, None)


def _energy(atoms: "ase.Atoms", key: str | None, place: str) -> float:
    value: Any = None if key is None else _label(atoms, key)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{place}: the energy under {key!r} is {value!r}, not a number; label the frame or "
            "leave it out"
        ) from error


def _forces(atoms: "ase.Atoms", key: str | None, place: str) -> np.ndarray | None:
    if key is None:
        return None
    value = _label(atoms, key)
    if np.shape(value) != (len(atoms), 3):
        raise ValueError(
            f"{place}: the forces under {key!r} must have shape {(len(atoms), 3)}; they have "
            f"{np.shape(value)}: label the frame or leave it out"
        )
    return np.asarray(value, np.float64)


def _stress_of(atoms: "ase.Atoms", key: str | None) -> np.ndarray | None:
    value = None if key is None else _label(atoms, key)
    return None if value is None else _stress(value)
