"""Any file that ASE reads (extxyz, POSCAR, OUTCAR, traj, ...) as a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

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
from allegro_jax.datasets.dataset import Dataset

if TYPE_CHECKING:
    import ase


def read_ase(
    path: Path, name: str, energy_key: str | None = None, forces_key: str | None = None
) -> Dataset:
    """Reads every frame of a file; energies in eV, forces in eV/Å, stress in eV/Å³.

    Each label is looked for under its key in `atoms.info` (or `atoms.arrays` for forces), then in
    the results of the calculator that ASE attaches; without a key given, `REF_energy`, `energy`
    and `dft_energy` are tried in this order (likewise for forces and stress). The first key that
    some frame has is used for all. Where a frame lacks a label, or it is NaN, the label is NaN, and
    training leaves it out; `Dataset.labelled` counts what is there.

    Args:
        path: the file.
        name: for the data set.
        energy_key: where the energy is.
        forces_key: where the forces are.

    Raises:
        ValueError: ASE cannot read the file, it holds no frames, no frame has an energy, a frame
            has no label at all, or one under another key than the frames before, or labels have
            the wrong shape.
    """
    return dataset_of_atoms(_frames(path), name, energy_key, forces_key, path)


def dataset_of_atoms(
    frames: list["ase.Atoms"],
    name: str,
    energy_key: str | None = None,
    forces_key: str | None = None,
    path: Path | None = None,
) -> Dataset:
    """Takes labelled frames as a data set; see `read_ase`.

    Args:
        frames: with labels in `info`, `arrays` or a calculator, at least one.
        name: for the data set.
        energy_key: where the energy is.
        forces_key: where the forces are.
        path: what errors call the frames; None for `name`.

    Raises:
        ValueError: as `read_ase`.
    """
    path = path or Path(name)
    if not frames or any(len(atoms) == 0 for atoms in frames):
        raise ValueError(f"{path} holds {len(frames)} frames; expected frames with atoms in them")
    energy = _collect(frames, candidates(energy_key, ENERGY_KEYS), path, "energy")
    forces = _collect(frames, candidates(forces_key, FORCES_KEYS), path, "forces")
    stress = _collect(frames, STRESS_KEYS, path, "stress")
    if energy is None:
        raise ValueError(
            f"{path}: no frame has an energy under {candidates(energy_key, ENERGY_KEYS)}; the "
            f"first frame has {available(frames[0])}: give energy_key"
        )
    if forces is None and forces_key is not None:
        raise ValueError(
            f"{path}: no frame has forces under {forces_key!r}; the first frame has "
            f"{available(frames[0])}"
        )
    n_atoms = [len(atoms) for atoms in frames]
    places = [f"frame {k} of {path}" for k in range(len(frames))]
    kinds = [atoms.info.get("config_type") for atoms in frames]
    return Dataset(
        name=name,
        numbers=np.concatenate([atoms.numbers for atoms in frames]),
        positions=np.concatenate([atoms.positions for atoms in frames]),
        n_atoms=np.array(n_atoms),
        energy=np.array([as_energy(*pair) for pair in zip(energy, places, strict=True)], float),
        forces=None if forces is None else _forces(forces, n_atoms, places),
        stress=None if stress is None else _stress(stress, places),
        cell=np.stack([np.asarray(atoms.cell) for atoms in frames]),
        pbc=np.stack([atoms.pbc for atoms in frames]),
        config_type=None if None in kinds else np.array(kinds, dtype=str),
    )


def _frames(path: Path) -> list["ase.Atoms"]:
    import ase.io

    if not path.is_file():
        raise FileNotFoundError(f"no data file {path}")
    try:
        return list(ase.io.iread(path, index=":"))
    # The readers of ASE fail with whatever their parsers meet: IndexError, KeyError, XYZError...
    except Exception as error:
        raise ValueError(
            f"ASE cannot read {path} ({type(error).__name__}: {error}); the file may be truncated "
            "or its name may not tell its format (extended XYZ: .extxyz or .xyz)"
        ) from error


def _collect(
    frames: list["ase.Atoms"], keys: tuple[str, ...], path: Path, what: str
) -> list[Any] | None:
    """Returns one value per frame under the first key in use, None where a frame has none.

    None when no key is in use.
    """
    for place, key in enumerate(keys):
        values = [label(atoms, key) for atoms in frames]
        if all(value is None for value in values):
            continue
        for k, atoms in enumerate(frames):
            others = [] if values[k] is not None else keys[place + 1 :]
            if found := [other for other in others if label(atoms, other) is not None]:
                raise ValueError(
                    f"{path}: frame {k} has no {what} under {key!r}, as others have, but one under "
                    f"{found[0]!r}; {_one_key(what)}"
                )
        return values
    return None


def _one_key(what: str) -> str:
    if what == "stress":
        return "store all of them under one key"
    return f"say which with {what}_key, or store all of them under one key"


def _forces(
    values: list[Any], n_atoms: list[int], places: list[str]
) -> Float[np.ndarray, "atoms 3"]:
    """Forces of all frames; NaN where a frame has none."""
    items = zip(values, n_atoms, places, strict=True)
    found = [(as_forces(value, n, place), n) for value, n, place in items]
    return np.concatenate([np.full((n, 3), np.nan) if v is None else v for v, n in found])


def _stress(values: list[Any], places: list[str]) -> Float[np.ndarray, "structures 3 3"]:
    """Stresses of all frames; NaN where a frame has none."""
    found = [as_stress(value, place) for value, place in zip(values, places, strict=True)]
    return np.stack([np.full((3, 3), np.nan) if value is None else value for value in found])
