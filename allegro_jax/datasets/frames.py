"""Single frames read by ASE, and the labels on them."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allegro_jax.datasets.ase_labels import (
    ENERGY_KEYS,
    FORCES_KEYS,
    STRESS_KEYS,
    as_energy,
    as_forces,
    as_stress,
    available,
    candidates,
    label,
)
from allegro_jax.datasets.dataset import Structure

if TYPE_CHECKING:
    import ase


@dataclasses.dataclass(frozen=True)
class LabelKeys:
    """Where frames have their labels: in `info`, `arrays` or the calculator of `ase.Atoms`.

    Attributes:
        energy: Key of the energy (eV); None takes the first of the usual ones that is there.
        forces: Key of the forces (eV/Å), likewise.
        stress: Key of the stress (eV/Å³), likewise.
        group: Key in `info` of what groups frames, for instance into trajectories.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    group: str = "config_type"


class FrameReader:
    """Makes structures of frames; every label has the same key in all of them, of all files.

    Args:
        labels: Where the labels are.
    """

    def __init__(self, labels: LabelKeys) -> None:
        self._group, self._count = labels.group, 0
        self._given = {key for key in (labels.energy, labels.forces, labels.stress) if key}
        self._keys = {
            "energy": candidates(labels.energy, ENERGY_KEYS),
            "forces": candidates(labels.forces, FORCES_KEYS),
            "stress": candidates(labels.stress, STRESS_KEYS),
        }
        self._found: dict[str, str] = {}

    def read(self, atoms: "ase.Atoms", source: object, name: str) -> Structure:
        """Takes geometry and labels of a frame; a label that it lacks is None.

        Args:
            atoms: The frame.
            source: What an error calls its file.
            name: What an error calls the frame.

        Raises:
            ValueError: No label at all, none in the first frame under a key that was given, one
                under another key than before, or one of the wrong shape.
        """
        place, frame = f"{source}: {name}", f"{name} of {source}"
        self._count += 1
        values = {kind: self._value(atoms, kind, place) for kind in self._keys}
        if all(value is None for value in values.values()):
            raise ValueError(
                f"{place} has no label; looked for an energy under {self._keys['energy']}, it has "
                f"{available(atoms)}: give energy_key, or leave the frame out"
            )
        group = atoms.info.get(self._group)
        return Structure(
            numbers=np.asarray(atoms.numbers),
            positions=np.asarray(atoms.positions),
            cell=np.asarray(atoms.cell),
            pbc=np.asarray(atoms.pbc),
            energy=as_energy(values["energy"], frame),
            forces=as_forces(values["forces"], len(atoms), frame),
            stress=as_stress(values["stress"], frame),
            config_type=None if group is None else str(group),
        )

    def _value(self, atoms: "ase.Atoms", kind: str, place: str) -> Any:
        present = [key for key in self._keys[kind] if label(atoms, key) is not None]
        if self._count == 1 and not present and self._given & set(self._keys[kind]):
            raise ValueError(
                f"{place}: no {kind} under {self._keys[kind][0]!r}, the key given; it has "
                f"{available(atoms)}"
            )
        if not present:
            return None
        key = self._found.setdefault(kind, present[0])
        if key != present[0]:  # also where both are there: frames before would have the other
            raise ValueError(
                f"{place} has the {kind} under {present[0]!r}, the frames before under {key!r}; "
                "store all of them under one key, or say which"
            )
        return label(atoms, key)


class AseFile:
    """A file that ASE reads frame by frame."""

    def __init__(self, path: Path, reader: FrameReader) -> None:
        self.name, self._path, self._reader = path.stem, path, reader
        self.identity = {"file": path.name, "bytes": path.stat().st_size}

    def count(self) -> None:
        """Only reading tells."""

    def frames(self) -> Iterator[Structure]:
        """Yields every frame."""
        import ase.io

        frames, k = ase.io.iread(self._path, index=":"), 0
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
            yield self._reader.read(atoms, self._path, f"frame {k}")
            k += 1
