"""HDF5 files with the ragged arrays of a `Dataset`, read frame by frame.

Datasets at the root, in eV and Å, as in the ragged `.npz` layout (`npz_files`)::

    n_atoms    [structures]            numbers  [atoms]
    positions  [atoms, 3]              energy   [structures]
    forces     [atoms, 3]              stress   [structures, 3, 3]
    cell       [structures, 3, 3]      pbc      [structures, 3]
    config_type [structures], strings

`forces`, `stress`, `cell`, `pbc` and `config_type` may be missing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.extras import imported

SUFFIXES = (".h5", ".hdf5")
_REQUIRED = ("n_atoms", "numbers", "positions", "energy")
_OF_STRUCTURES = ("n_atoms", "energy", "stress", "cell", "pbc", "config_type")
_OF_ATOMS = ("numbers", "positions", "forces")
_BLOCK = 1024  # structures that are read, and checked, at a time


class Hdf5File:
    """A file with the arrays above.

    Args:
        path: The file.

    Raises:
        MissingExtraError: `h5py` is not installed.
        ValueError: Not HDF5, truncated, or arrays are missing.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = path.stem, path
        self.identity = {"file": path.name, "bytes": path.stat().st_size}
        with _opened(path) as file:
            if missing := [key for key in _REQUIRED if key not in file]:
                raise ValueError(
                    f"{path} lacks {missing}; expected the arrays {list(_REQUIRED)} at its root "
                    f"(see allegro_jax.datasets.hdf5_files), found {sorted(file)}"
                )
            self._n_atoms = np.asarray(file["n_atoms"][:], np.int64)

    def count(self) -> int:
        """Returns the number of structures."""
        return len(self._n_atoms)

    def frames(self, start: int = 0) -> Iterator[Structure]:
        """Yields the structures from number `start` on."""
        offsets = np.concatenate([[0], np.cumsum(self._n_atoms)])
        with _opened(self._path) as file:
            for first in range(start, self.count(), _BLOCK):
                last = min(first + _BLOCK, self.count())
                atoms = slice(offsets[first], offsets[last])
                arrays = {key: file[key][atoms] for key in _OF_ATOMS if key in file}
                for key in _OF_STRUCTURES:
                    if key in file:
                        arrays[key] = _values(file[key], slice(first, last))
                yield from Dataset(f"{self._path}, from structure {first}", **arrays)


def _values(dataset: Any, rows: slice) -> np.ndarray:
    if dataset.dtype.kind in "OS":  # strings
        return np.asarray(dataset.asstr()[rows], dtype=str)
    return np.asarray(dataset[rows])


def _opened(path: Path) -> Any:
    h5py = imported("h5py", "hdf5", str(path))
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read as HDF5 ({error}); it has {path.stat().st_size} bytes and may "
            "be truncated"
        ) from error
