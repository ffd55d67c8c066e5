"""What a user calls data, as a data set: a name, a file, a store, ASE's atoms."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allegro_jax.datasets import Dataset, load
from allegro_jax.datasets.ase_files import dataset_of_atoms
from allegro_jax.datasets.checks import warn_about
from allegro_jax.graphs import GraphStore, open_store
from allegro_jax.graphs.store_header import is_store

if TYPE_CHECKING:
    import ase


def as_dataset(
    data: Dataset | GraphStore | str | os.PathLike[str] | Sequence[ase.Atoms], **options: Any
) -> Dataset | GraphStore:
    """Returns data of any kind as a data set; energies in eV, forces in eV/Å, stress in eV/Å³.

    Args:
        data: A registered name, a file (extxyz, ASE database, npz, ...), the folder of a store,
            labelled `ase.Atoms`, or a data set or opened store, which are returned as they are.
        **options: Of `load`, such as `energy_key`.

    Raises:
        ValueError: If the file cannot be read, or labels are missing.
        FileNotFoundError: If there is no such file.
        TypeError: If `data` is none of these.
    """
    if isinstance(data, Dataset | GraphStore):
        return data
    if isinstance(data, str | os.PathLike):
        return open_store(Path(data)) if is_store(data) else load(data, **options)
    keys = {name: options[name] for name in ("energy_key", "forces_key") if name in options}
    frames: list[Any] | None = list(data) if isinstance(data, Sequence) else None
    if frames is None or not all(hasattr(frame, "get_positions") for frame in frames):
        raise TypeError(
            "data must be a registered name, the path of a file or a store, a list of ase.Atoms, a "
            "Dataset or a GraphStore; "
            f"got {type(data).__name__}"
        )
    dataset = dataset_of_atoms(frames, "atoms", **keys)
    warn_about(dataset, "the frames")
    return dataset
