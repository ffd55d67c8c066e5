"""A fit of seconds: few frames of benzene and the smallest of models, the same in all tests.

Tests that share it share its compiled programs.
"""

from pathlib import Path
from typing import Any

import ase.io

from allegro_jax.datasets import Dataset, load

SETTINGS: dict[str, Any] = {
    "l_max": 0,
    "num_layers": 1,
    "num_scalar_features": 4,
    "num_tensor_features": 1,
    "cutoff": 3.0,
    "batch_size": 5,
    "max_epochs": 3,
}
SIZES = {"train": 39, "valid": 9, "test": 12}
"""Structures of the parts into which the frames are split."""


def frames() -> Dataset:
    return load("rmd17-benzene").select(range(sum(SIZES.values())))


def write_extxyz(path: Path) -> Path:
    data = frames()
    ase.io.write(path, [data.to_atoms(k) for k in range(len(data))])
    return path
