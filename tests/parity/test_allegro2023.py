"""Vectors made by the authors' code of the 2023 paper (allegro p1 on nequip 0.5.5, float64)."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from allegro_jax.configs import Precision
from allegro_jax.convert import load_nequip2023_npz
from allegro_jax.potential import Potential

FOLDER = Path(__file__).parent / "allegro2023"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))
TYPES = ("H", "C", "O")


def relative_deviation(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def evaluate(name, precision):
    config, params = load_nequip2023_npz(FOLDER / f"{name}.npz", TYPES)
    with np.load(FOLDER / f"{name}.npz") as vector:
        arrays = {key: vector[key] for key in vector.files if not key.startswith("sd/")}
    atoms = Atoms([TYPES[index] for index in arrays["in/types"]], arrays["in/pos"])
    return Potential(dataclasses.replace(config, precision=precision), params)(atoms), arrays


def assert_reproduced(result, arrays, tolerance):
    assert relative_deviation(result.energy, arrays["out/energy"]) < tolerance
    theirs = arrays["out/atomic_energy"][:, 0]
    assert relative_deviation(result.atomic_energies, theirs) < tolerance
    assert relative_deviation(result.forces, arrays["out/forces"]) < tolerance


@pytest.mark.parametrize("name", NAMES)
def test_models_of_the_2023_paper_are_reproduced_to_1e_10(name):
    assert_reproduced(*evaluate(name, Precision("float64", "float64", "float64")), 1e-10)


def test_float32_reproduces_them_to_1e_5():
    assert_reproduced(*evaluate("original_l1_2", Precision()), 1e-5)


def test_the_vectors_the_project_promises_are_all_here():
    assert {"original_l1_2", "original_l2_2_noparity"} <= set(NAMES)


def edited(tmp_path, remove=(), **changes):
    """A copy of a vector without some arrays and with others changed."""
    with np.load(FOLDER / "original_l1_2.npz") as vector:
        arrays = {key: vector[key] for key in vector.files if key not in remove}
    np.savez(tmp_path / "edited.npz", **(arrays | changes))
    return tmp_path / "edited.npz"


def test_trained_frequencies_and_residual_weights_become_parameters(tmp_path):
    frequencies = np.pi * np.arange(1.0, 9.0) + 0.1
    path = edited(
        tmp_path,
        **{
            "sd/radial_basis.basis.basis.bessel_weights": frequencies,
            "sd/allegro._latent_resent_update_params": np.array([0.5, -0.5]),
            "sd/edge_eng_sum.per_edge_scales": np.full((3, 3), 1.5),
        },
    )
    config, params = load_nequip2023_npz(path, TYPES)
    assert config.bessel_trainable
    assert config.trainable_residual
    assert config.trainable_edge_scales
    np.testing.assert_allclose(params["two_body"]["frequencies"] * np.pi, frequencies)
    np.testing.assert_array_equal(params["residual"], [0.5, -0.5])
    Potential(config, params)  # names and shapes fit


@pytest.mark.parametrize(
    "key", ["allegro.linears.0.w", "radial_basis.basis._mean", "allegro.final_latent._forward"]
)
def test_a_state_dict_without_one_of_its_arrays_is_refused(key, tmp_path):
    with np.load(FOLDER / "original_l1_2.npz") as vector:
        keys = [name for name in vector.files if name.startswith(f"sd/{key}")]
    with pytest.raises(ValueError, match=key.replace(".", r"\.")):
        load_nequip2023_npz(edited(tmp_path, remove=keys), TYPES)


def test_what_is_another_model_is_named(tmp_path):
    odd = edited(tmp_path, **{"sd/allegro.env_linears.0.w": np.ones(3)})
    with pytest.raises(ValueError, match=r"allegro\.env_linears\.0\.w"):
        load_nequip2023_npz(odd, TYPES)
    unshifted = edited(tmp_path, **{"sd/radial_basis.basis._mean": np.zeros(8)})
    with pytest.raises(ValueError, match="normalised Bessel basis"):
        load_nequip2023_npz(unshifted, TYPES)
    with pytest.raises(ValueError, match="3 types of the model; got \\('H',\\)"):
        load_nequip2023_npz(FOLDER / "original_l1_2.npz", ("H",))
    with pytest.raises(ValueError, match="no entry 'config_json'"):
        load_nequip2023_npz(edited(tmp_path, remove=["config_json"]), TYPES)
    short = edited(tmp_path, config_json=np.array('{"r_max": 4.0}'))
    with pytest.raises(ValueError, match=r"lack .*'l_max'"):
        load_nequip2023_npz(short, TYPES)
