"""Vectors made by the authors' PyTorch code (nequip 0.19.1, nequip-allegro 0.8.3)."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from allegro_jax.convert import load_nequip_npz
from allegro_jax.potential import Potential

FOLDER = Path(__file__).parent
DOUBLE = sorted(path.stem for path in FOLDER.glob("*.npz") if "float32" not in path.stem)


def relative_deviation(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def evaluate(name):
    """Evaluates the model and the structure of a vector; neighbours come from our own lists."""
    config, params = load_nequip_npz(FOLDER / f"{name}.npz")
    with np.load(FOLDER / f"{name}.npz") as vector:
        arrays = {key: vector[key] for key in vector.files if not key.startswith("sd/")}
    symbols = [config.type_names[index] for index in arrays["in/types"]]
    cell = arrays["in/cell"][0] if "in/cell" in arrays else None
    atoms = Atoms(symbols, arrays["in/pos"], cell=cell, pbc=cell is not None)
    return Potential(config, params)(atoms), arrays


def assert_reproduced(result, arrays, tolerance):
    assert relative_deviation(result.energy, arrays["out/energy"]) < tolerance
    theirs = arrays["out/atomic_energy"][:, 0]
    assert relative_deviation(result.atomic_energies, theirs) < tolerance
    assert relative_deviation(result.forces, arrays["out/forces"]) < tolerance
    if "out/stress" in arrays:
        assert relative_deviation(result.stress, arrays["out/stress"][0]) < tolerance


@pytest.mark.parametrize("name", DOUBLE)
def test_float64_models_of_nequip_are_reproduced_to_1e_10(name):
    assert_reproduced(*evaluate(name), 1e-10)


def test_the_float32_model_of_nequip_is_reproduced_to_1e_5():
    assert_reproduced(*evaluate("mol_l2_float32"), 1e-5)


def test_the_vectors_the_project_promises_are_all_here():
    assert {"mol_l1", "mol_l2_parity", "crystal_l2_stress"} <= set(DOUBLE)


def test_a_state_dict_with_an_unknown_array_is_refused(tmp_path):
    with np.load(FOLDER / "mol_l1.npz") as vector:
        arrays = dict(vector)
    arrays["sd/model.func.allegro.linears.0.w"] = np.ones(3)
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(ValueError, match=r"allegro\.linears\.0\.w"):
        load_nequip_npz(tmp_path / "odd.npz")


def test_a_state_dict_without_one_of_its_arrays_is_refused(tmp_path):
    with np.load(FOLDER / "mol_l1.npz") as vector:
        arrays = {key: vector[key] for key in vector.files if "tps.1.weights" not in key}
    np.savez(tmp_path / "short.npz", **arrays)
    with pytest.raises(ValueError, match=r"allegro\.tps\.1\.weights"):
        load_nequip_npz(tmp_path / "short.npz")
