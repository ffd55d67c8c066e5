"""Any file that ASE reads (extxyz, POSCAR, OUTCAR, traj, ...) as a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allegro_jax.datasets.dataset import Dataset

if TYPE_CHECKING:
    import ase

# A REF_ label is always meant as the target; a calculator's result may be a model's.
ENERGY_KEYS = ("REF_energy", "energy", "dft_energy")
FORCES_KEYS = ("REF_forces", "forces", "dft_forces")
STRESS_KEYS = ("REF_stress", "stress", "dft_stress")


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
    frames = _frames(path)
    energy = _collect(frames, _keys(energy_key, ENERGY_KEYS), path, "energy")
    forces = _collect(frames, _keys(forces_key, FORCES_KEYS), path, "forces")
    stress = _collect(frames, STRESS_KEYS, path, "stress")
    if energy is None:
        raise ValueError(
            f"{path}: no frame has an energy under {_keys(energy_key, ENERGY_KEYS)}; the first "
            f"frame has {_available(frames[0])}: give energy_key"
        )
    if forces is None and forces_key is not None:
        raise ValueError(
            f"{path}: no frame has forces under {forces_key!r}; the first frame has "
            f"{_available(frames[0])}"
        )
    kinds = [atoms.info.get("config_type") for atoms in frames]
    return Dataset(
        name=name,
        numbers=np.concatenate([atoms.numbers for atoms in frames]),
        positions=np.concatenate([atoms.positions for atoms in frames]),
        n_atoms=np.array([len(atoms) for atoms in frames]),
        energy=np.array([_energy(value, k, path) for k, value in enumerate(energy)]),
        forces=None if forces is None else _forces(forces, frames, path),
        stress=None if stress is None else np.stack([_stress(value) for value in stress]),
        cell=np.stack([np.asarray(atoms.cell) for atoms in frames]),
        pbc=np.stack([atoms.pbc for atoms in frames]),
        config_type=None if None in kinds else np.array(kinds, dtype=str),
    )


def _frames(path: Path) -> list["ase.Atoms"]:
    import ase.io

    if not path.is_file():
        raise FileNotFoundError(f"no data file {path}")
    try:
        frames = list(ase.io.iread(path, index=":"))
    # The readers of ASE fail with whatever their parsers meet: IndexError, KeyError, XYZError...
    except Exception as error:
        raise ValueError(
            f"ASE cannot read {path} ({type(error).__name__}: {error}); the file may be truncated "
            "or its name may not tell its format (extended XYZ: .extxyz or .xyz)"
        ) from error
    if not frames or any(len(atoms) == 0 for atoms in frames):
        raise ValueError(f"{path} holds {len(frames)} frames; expected frames with atoms in them")
    return frames


def _keys(given: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else (given,)


def _label(atoms: "ase.Atoms", key: str) -> Any:
    results = {} if atoms.calc is None else atoms.calc.results
    return atoms.info.get(key, atoms.arrays.get(key, results.get(key)))


def _available(atoms: "ase.Atoms") -> list[str]:
    results = {} if atoms.calc is None else atoms.calc.results
    return sorted({*atoms.info, *atoms.arrays, *results} - {"numbers", "positions"})


def _collect(
    frames: list["ase.Atoms"], keys: tuple[str, ...], path: Path, what: str
) -> list[Any] | None:
    """Returns one value per frame under the first key in use, None where a frame has none.

    None when no key is in use.
    """
    for place, key in enumerate(keys):
        values = [_label(atoms, key) for atoms in frames]
        if all(value is None for value in values):
            continue
        for k, atoms in enumerate(frames):
            others = [] if values[k] is not None else keys[place + 1 :]
            if found := [other for other in others if _label(atoms, other) is not None]:
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


def _energy(value: Any, k: int, path: Path) -> float:
    try:
        return np.nan if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: the energy of frame {k} is not a number: {value!r}") from error


def _forces(values: list[Any], frames: list["ase.Atoms"], path: Path) -> np.ndarray:
    sizes = [(len(atoms), 3) for atoms in frames]
    for k, (value, size) in enumerate(zip(values, sizes, strict=True)):
        if value is not None and np.shape(value) != size:
            raise ValueError(
                f"{path}: the forces of frame {k} must have shape {size}; they have "
                f"{np.shape(value)}"
            )
    pairs = zip(values, sizes, strict=True)
    return np.concatenate(
        [np.full(size, np.nan) if value is None else np.asarray(value) for value, size in pairs]
    )


def _stress(value: Any) -> np.ndarray:
    """A 3x3 stress from 3x3, 9 numbers, or the 6 of Voigt in the order of ASE; NaN from None."""
    if value is None:
        return np.full((3, 3), np.nan)
    value = np.asarray(value, np.float64).ravel()
    if value.size == 6:
        xx, yy, zz, yz, xz, xy = value
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if value.size == 9:
        return value.reshape(3, 3)
    raise ValueError(f"a stress has 6 or 9 components; came {value.size}")
