"""The 130,831 molecules of QM9 from the PyPI package `qm9pack`, converted once and kept."""

import csv
import importlib.util
import os
from pathlib import Path

import numpy as np

from allegro_jax import units
from allegro_jax.extras import MissingExtraError

_PARTS = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
_MOLECULES = 130_831
_FILE = "qm9_full.npz"


def full_qm9_file(folder: Path | None) -> Path:
    """Returns the npz file with all of QM9, made from `qm9pack` on the first call.

    Args:
        folder: where to look for it and keep it. When None, or read-only and without it, the
            user's cache folder (`$XDG_CACHE_HOME/allegro_jax` or `~/.cache/allegro_jax`).

    Raises:
        MissingExtraError: `qm9pack` is not installed and no converted file exists.
        ValueError: the files of `qm9pack` are not what they were in version 1.0.3.
    """
    if folder is not None and (folder / _FILE).is_file():
        return folder / _FILE
    if folder is None or not os.access(folder, os.W_OK):
        folder = _cache_folder()
    file = folder / _FILE
    if not file.is_file():
        arrays = read_csv_files([_csv_folder() / part for part in _PARTS])
        if len(arrays["n_atoms"]) != _MOLECULES:
            raise ValueError(
                f"qm9pack holds {len(arrays['n_atoms'])} molecules; expected {_MOLECULES} as in "
                "version 1.0.3: reinstall it with pip install 'qm9pack==1.0.3'"
            )
        _write(file, arrays)
    return file


def read_csv_files(files: list[Path]) -> dict[str, np.ndarray]:
    """Reads the CSV files of `qm9pack` row by row into the QM9 arrays of `npz_files`.

    `qm9pack` itself is not imported: it needs pandas and the `pkg_resources` that setuptools no
    longer has.
    """
    numbers: list[int] = []
    positions: list[np.ndarray] = []
    n_atoms: list[int] = []
    index: list[int] = []
    u0: list[float] = []
    zpve: list[float] = []
    for file in files:
        with file.open(newline="") as stream:
            for row in csv.DictReader(stream):
                try:
                    atoms = _atomic_numbers(row["Elements"])
                    xyz = _coordinates(row["XYZ_Ang"], len(atoms))
                    labels = float(row["InternalEnergy_0K_au"]), float(row["ZPVE_au"])
                    identity = int(row["Index"])
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(
                        f"{file}: row {len(n_atoms)} is not as in qm9pack 1.0.3 "
                        f"({type(error).__name__}: {error}); reinstall qm9pack"
                    ) from error
                numbers.extend(atoms)
                positions.append(xyz)
                n_atoms.append(len(atoms))
                u0.append(labels[0])
                zpve.append(labels[1])
                index.append(identity)
    return {
        "numbers": np.array(numbers, np.uint8),
        "positions": np.concatenate(positions),
        "n_atoms": np.array(n_atoms, np.int32),
        "U0_eV": np.array(u0) * units.HARTREE,
        "zpve_eV": np.array(zpve) * units.HARTREE,
        "index": np.array(index, np.int32),
    }


_NUMBER_OF = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def _atomic_numbers(text: str) -> list[int]:
    """`['C','H',...]` to atomic numbers."""
    return [_NUMBER_OF[symbol.strip(" '")] for symbol in text.strip("[]").split(",")]


def _coordinates(text: str, atoms: int) -> np.ndarray:
    """`[[x,y,z],...]` to an array; some numbers end in a bare point, which JSON refuses."""
    values = text.replace("[", "").replace("]", "").split(",")
    return np.array([float(value) for value in values]).reshape(atoms, 3)


def _csv_folder() -> Path:
    found = importlib.util.find_spec("qm9pack")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "all of QM9 comes from the package qm9pack, which is not installed: "
            "pip install 'allegro-jax[qm9]' (104 MB); load('qm9') without full=True gives the "
            "5,000 molecules shipped here"
        )
    return Path(found.origin).parent / "data"


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "allegro_jax"


def _write(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes under another name first, so that an interrupted run leaves no half file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.stem}.{os.getpid()}.npz")
    np.savez(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(file)
