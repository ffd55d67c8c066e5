"""Vectors made by the authors' code of the 2023 paper (allegro p1 on nequip 0.5.5, float64)."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from allegro_jax.convert import load_nequip2023_npz
from allegro_jax.potential import Potential

FOLDER = Path(__file__).parent / "allegro2023"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))
TYPES = ("H", "C", "O")


def relative_deviation(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("name", NAMES)
def test_models_of_the_2023_paper_are_reproduced_to_1e_10(name):
    config, params = load_nequip2023_npz(FOLDER / f"{name}.npz", TYPES)
    with np.load(FOLDER / f"{name}.npz") as vector:
        arrays = {key: vector[key] for key in vector.files if not key.startswith("sd/")}
    symbols = [TYPES[index] for index in arrays["in/types"]]
    cell = arrays["in/cell"].reshape(3, 3) if "in/cell" in arrays else None
    result = Potential(config, params)(
        Atoms(symbols, arrays["in/pos"], cell=cell, pbc=cell is not None)
    )
    assert relative_deviation(result.energy, arrays["out/energy"]) < 1e-10
    assert relative_deviation(result.atomic_energies, arrays["out/atomic_energy"][:, 0]) < 1e-10
    assert relative_deviation(result.forces, arrays["out/forces"]) < 1e-10
    if "out/stress" in arrays:
        assert relative_deviation(result.stress, arrays["out/stress"].reshape(3, 3)) < 1e-10


def test_the_vectors_the_project_promises_are_all_here():
    assert {"original_l1_2", "original_l2_2_noparity"} <= set(NAMES)
