"""Vectors made by the authors' PyTorch code (nequip 0.19.1, nequip-allegro 0.8.3)."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from allegro_jax.convert import load_nequip_npz
from allegro_jax.potential import Potential
from experiments.parity import FOLDER, deviations, parity_table

EXPECTED = FOLDER / "real_expected.npz"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz") if path != EXPECTED)
SLOW = {"lmax3_3layers_parity", "lmax4_parity", "layers4_parity"}
DOUBLE = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in NAMES
    if "float32" not in name
]
PROMISED = {
    *("mol_l1", "mol_l2_parity", "crystal_l2_stress", "zbl_edge_cutoffs", "layers4_parity"),
    *("layers4_noparity_gelu", "lmax3_parity", "lmax3_3layers_parity", "lmax4_parity"),
    *("slab_mixed_pbc", "wire_one_pbc_zbl", "triclinic_trainable"),
    *("batch_crystals_spline", "batch_molecules_depth0"),
}


def reproduce(name: str):
    path = FOLDER / f"{name}.npz"
    return deviations(Potential.from_nequip(path), path)


@pytest.mark.parametrize("name", DOUBLE)
def test_float64_models_of_nequip_are_reproduced_to_1e_10(name):
    found = reproduce(name)
    with np.load(FOLDER / f"{name}.npz") as vector:
        assert (found.stress is not None) == ("out/stress" in vector.files)
    assert max(value for value in found if value is not None) < 1e-10


def test_the_float32_model_of_nequip_is_reproduced_to_1e_5():
    assert max(reproduce("mol_l2_float32")[:3]) < 1e-5


def test_the_vectors_the_project_promises_are_all_here():
    assert set(NAMES) >= PROMISED


def test_the_table_has_a_row_for_every_vector_of_a_folder(tmp_path):
    with pytest.raises(ValueError, match="no vectors"):
        list(parity_table(tmp_path))
    shutil.copy(FOLDER / "opt_l0.npz", tmp_path)
    ((name, row),) = parity_table(tmp_path)
    assert name == "opt_l0"
    assert max(row[:3]) < 1e-10


def changed_vector(folder: Path, change) -> Path:
    """A copy of a vector after `change` of its arrays."""
    with np.load(FOLDER / "mol_l1.npz") as vector:
        arrays = dict(vector)
    change(arrays)
    np.savez(folder / "changed.npz", **arrays)
    return folder / "changed.npz"


def test_a_state_dict_with_an_unknown_array_is_refused(tmp_path):
    path = changed_vector(
        tmp_path, lambda arrays: arrays.update({"sd/model.func.allegro.linears.0.w": np.ones(3)})
    )
    with pytest.raises(ValueError, match=r"allegro\.linears\.0\.w"):
        load_nequip_npz(path)


def test_a_state_dict_without_one_of_its_arrays_is_refused(tmp_path):
    path = changed_vector(
        tmp_path, lambda arrays: arrays.pop("sd/model.func.allegro.tps.1.weights")
    )
    with pytest.raises(ValueError, match=r"allegro\.tps\.1\.weights"):
        load_nequip_npz(path)
