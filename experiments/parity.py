"""How far this library is from the authors' PyTorch code, vector by vector.

python -m experiments.parity

Prints the worst deviation of energies, atomic energies, forces and stresses, relative to the
largest number of each kind. The vectors, made by `tests/parity/make_vectors.py`, hold the weights
of a model, structures, and what nequip-allegro says about them.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import app, flags

if TYPE_CHECKING:
    from allegro_jax.potential import Potential

FOLDER = Path(__file__).parent.parent / "tests" / "parity"
_FOLDER = flags.DEFINE_string("folder", str(FOLDER), "Folder of the vectors.")
_CHECKPOINTS = {"real_best.ckpt": "real_expected.npz"}


class Deviations(NamedTuple):
    """Worst relative deviations; `stress` is None without a periodic cell."""

    energy: float
    atomic_energies: float
    forces: float
    stress: float | None


def parity_table(folder: str | Path = FOLDER) -> Iterator[tuple[str, Deviations]]:
    """Evaluates all vectors and checkpoints of a folder, in order.

    Raises:
        ValueError: The folder holds no vectors, or one that cannot be read.
    """
    folder = Path(folder)
    answers = set(_CHECKPOINTS.values())
    vectors = [path for path in sorted(folder.glob("*.npz")) if path.name not in answers]
    if not vectors:
        raise ValueError(f"there are no vectors (*.npz) in {folder}")
    from allegro_jax.potential import Potential  # `--help` answers at once

    for path in vectors:
        yield path.stem, deviations(Potential.from_nequip(path), path)
    for path in sorted((folder / "allegro2023").glob("*.npz")):
        yield path.stem, deviations(_model_of_2023(path), path)
    for model, expected in _CHECKPOINTS.items():
        if (folder / model).is_file():
            yield model, deviations(Potential.from_nequip(folder / model), folder / expected)


def deviations(potential: Potential, expected: Path) -> Deviations:
    """Compares a potential with what PyTorch said about some structures.

    Args:
        potential: What is compared.
        expected: Vector with structures and results; neighbours come from our own lists.
    """
    with np.load(expected) as file:
        vector = {key.removeprefix("in/").removeprefix("out/"): file[key] for key in file.files}
    results = potential(_structures(vector, potential.config.type_names))
    ours = {
        "energy": np.array([[result.energy] for result in results]),
        "atomic_energy": np.concatenate([result.atomic_energies for result in results])[:, None],
        "forces": np.concatenate([result.forces for result in results]),
    }
    if "stress" in vector:
        ours["stress"] = np.stack([_array(result.stress) for result in results])
    found = [_relative(ours[key], vector[key]) for key in ours]
    return Deviations(*found, *[None] * (4 - len(found)))


def _model_of_2023(path: Path) -> Potential:
    """A vector of the architecture of 2023, whose files do not name the types, in float64."""
    from allegro_jax.configs import Precision
    from allegro_jax.convert import load_nequip2023_npz
    from allegro_jax.potential import Potential

    config, params = load_nequip2023_npz(path, ("H", "C", "O"))
    double = Precision("float64", "float64", "float64")
    return Potential(dataclasses.replace(config, precision=double), params)


def _structures(vector: dict[str, np.ndarray], type_names: tuple[str, ...]) -> list:
    """The structures of a vector, one or a batch."""
    from ase import Atoms

    sizes = vector.get("num_atoms", np.array([len(vector["pos"])]))
    cells = vector.get("cell", [None] * len(sizes))
    periodic = vector.get("pbc", ["cell" in vector] * len(sizes))
    symbols = np.array(type_names)[vector["types"]]
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return [
        Atoms(list(symbols[part]), vector["pos"][part], cell=cell, pbc=pbc)
        for part, cell, pbc in zip(parts, cells, periodic, strict=True)
    ]


def _array(stress: np.ndarray | None) -> np.ndarray:
    return np.full((3, 3), np.nan) if stress is None else stress


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main(_: list[str]) -> None:
    """Prints the table."""
    print(f"{'vector':26}" + "".join(f"{name:>17}" for name in Deviations._fields))
    try:
        for name, row in parity_table(_FOLDER.value):
            cells = ("-" if value is None else f"{value:.1e}" for value in row)
            print(f"{name:26}" + "".join(f"{cell:>17}" for cell in cells), flush=True)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
