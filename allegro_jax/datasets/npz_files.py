"""Readers of `.npz` files; which layout a file has is told from its keys.

=================  ==============================================================================
layout             keys
=================  ==============================================================================
ragged             `n_atoms numbers positions energy`, optionally `forces stress cell pbc
                   config_type split split_random`; eV and Å
QM9                `n_atoms numbers positions U0_eV zpve_eV`
fixed size         `numbers (n,) positions (S, n, 3) energy forces`, optionally `train_01 test_01
                   ...`; eV and Å
rMD17 as released  `nuclear_charges coords energies forces`; kcal/mol and Å, converted here
                   (figshare 12672038; split files `index_train_01.csv` are used where found)
=================  ==============================================================================
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from allegro_jax import units
from allegro_jax.datasets.dataset import Dataset

QM9_TARGETS = ("U0-ZPVE", "U0")

Arrays = dict[str, np.ndarray]


def read_npz(path: Path, name: str, target: str = "U0-ZPVE") -> Dataset:
    """Reads an `.npz` file of any layout above.

    Args:
        path: the file.
        name: for the data set.
        target: which energy a QM9 file gives, see `qm9_energy`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, not an npz, an unknown layout, or contents that `Dataset` refuses.
    """
    arrays = _open(path)
    keys = set(arrays)
    if {"nuclear_charges", "coords", "energies", "forces"} <= keys:
        return _released_rmd17(arrays, path, name)
    if {"n_atoms", "numbers", "positions", "U0_eV", "zpve_eV"} <= keys:
        return qm9_dataset(arrays, name, target)
    if {"n_atoms", "numbers", "positions", "energy"} <= keys:
        return _ragged(arrays, name)
    if {"numbers", "positions", "energy", "forces"} <= keys:
        return _fixed_size(arrays, name)
    raise ValueError(
        f"{path} has the keys {sorted(keys)}; expected one of (n_atoms, numbers, positions, "
        "energy), (numbers, positions, energy, forces), the QM9 keys (n_atoms, numbers, "
        "positions, U0_eV, zpve_eV) or those of the released rMD17 (nuclear_charges, coords, "
        "energies, forces)"
    )


def qm9_energy(u0: np.ndarray, zpve: np.ndarray, target: str) -> np.ndarray:
    """Returns the QM9 energy asked for, eV.

    Args:
        u0: internal energy at 0 K; it includes the zero-point vibrational energy.
        zpve: zero-point vibrational energy.
        target: `U0-ZPVE`, the electronic energy of the geometry, which is what an interatomic
            potential models; or `U0` as tabulated.
    """
    if target not in QM9_TARGETS:
        raise ValueError(f"the QM9 targets are {QM9_TARGETS}; came {target!r}")
    return u0 - zpve if target == "U0-ZPVE" else u0


def qm9_dataset(arrays: Arrays, name: str, target: str) -> Dataset:
    """Makes a data set from QM9 arrays; there are no forces (all geometries are minima)."""
    return Dataset(
        name=name,
        numbers=arrays["numbers"],
        positions=arrays["positions"],
        n_atoms=arrays["n_atoms"],
        energy=qm9_energy(arrays["U0_eV"], arrays["zpve_eV"], target),
    )


def _open(path: Path) -> Arrays:
    if not path.is_file():
        raise FileNotFoundError(f"no data file {path}")
    try:
        # Pickled objects inside could run code, so they are refused.
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} cannot be read as .npz ({type(error).__name__}: {error}); it has "
            f"{path.stat().st_size} bytes and may be truncated: fetch it again"
        ) from error


def _ragged(arrays: Arrays, name: str) -> Dataset:
    optional = ("forces", "stress", "cell", "pbc", "config_type")
    return Dataset(
        name=name,
        numbers=arrays["numbers"],
        positions=arrays["positions"],
        n_atoms=arrays["n_atoms"],
        energy=arrays["energy"],
        splits=_labelled_splits(arrays),
        **{key: arrays[key] for key in optional if key in arrays},
    )


def _labelled_splits(arrays: Arrays) -> Arrays:
    """Turns per-structure labels into indices: `split` to train, `split_random` to train_random."""
    splits = {}
    for key in ("split", "split_random"):
        for label in np.unique(arrays[key]).tolist() if key in arrays else ():
            splits[key.replace("split", label)] = np.flatnonzero(arrays[key] == label)
    return splits


def _fixed_size(arrays: Arrays, name: str) -> Dataset:
    return _one_molecule(
        name,
        arrays["numbers"],
        positions=arrays["positions"],
        energy=arrays["energy"],
        forces=arrays["forces"],
        splits={key: arrays[key] for key in arrays if key.startswith(("train_", "test_"))},
    )


def _released_rmd17(arrays: Arrays, path: Path, name: str) -> Dataset:
    return _one_molecule(
        name,
        arrays["nuclear_charges"],
        positions=arrays["coords"],
        energy=arrays["energies"] * units.KCAL_PER_MOL,
        forces=arrays["forces"] * units.KCAL_PER_MOL,
        splits=_released_splits(path),
    )


def _released_splits(path: Path) -> Arrays:
    """Reads `splits/index_train_01.csv` ..., beside the file or beside its folder."""
    splits: Arrays = {}
    for folder in (path.parent / "splits", path.parent.parent / "splits"):
        for file in sorted(folder.glob("index_t*_0[1-5].csv")):
            rows = np.loadtxt(file, dtype=np.int64, ndmin=1)
            splits.setdefault(file.stem.removeprefix("index_"), rows)
    return splits


def _one_molecule(
    name: str,
    numbers: np.ndarray,
    positions: np.ndarray,
    energy: np.ndarray,
    forces: np.ndarray,
    splits: Arrays,
) -> Dataset:
    """Makes a data set of many frames of one molecule; its first split is the official one."""
    for field, array in (("positions", positions), ("forces", forces)):
        flat = numbers.ndim == energy.ndim == 1
        if not flat or array.shape != (*energy.shape, *numbers.shape, 3):
            raise ValueError(
                f"{name}: frames of one molecule need numbers (atoms,), energy (frames,) and "
                f"{field} (frames, atoms, 3); came {numbers.shape}, {energy.shape}, {array.shape}"
            )
    first = {kind: splits[f"{kind}_01"] for kind in ("train", "test") if f"{kind}_01" in splits}
    return Dataset(
        name=name,
        numbers=np.tile(numbers, len(energy)),
        positions=positions.reshape(-1, 3),
        n_atoms=np.full(len(energy), len(numbers)),
        energy=energy,
        forces=forces.reshape(-1, 3),
        splits={**splits, **first},
    )
