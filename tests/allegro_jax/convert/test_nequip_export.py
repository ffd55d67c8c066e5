"""Weights and settings under nequip's names: what PyTorch gave us, it gets back."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from allegro_jax.configs import AllegroConfig, MLPReadout, Precision, QDIReadout, StackedMLPReadout
from allegro_jax.convert import (
    config_from_nequip,
    load_nequip_npz,
    nequip_arguments,
    nequip_state_dict,
    save_nequip_npz,
)
from allegro_jax.potential import Potential, initial_params
from experiments.parity import FOLDER

NAMES = sorted(path.stem for path in FOLDER.glob("*.npz") if path.stem != "real_expected")
CONFIG = AllegroConfig(type_names=("H", "O"), cutoff=4.0, num_tensor_features=4)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_dict_comes_back_as_torch_wrote_it(name):
    config, params = load_nequip_npz(FOLDER / f"{name}.npz")
    ours = nequip_state_dict(config, params)
    with np.load(FOLDER / f"{name}.npz") as vector:
        theirs = {key[3:]: vector[key] for key in vector.files if key.startswith("sd/")}
    assert list(ours) == list(theirs)
    for key, array in theirs.items():
        assert (ours[key].shape, ours[key].dtype) == (array.shape, array.dtype), key
        tolerance = 4 * np.finfo(array.dtype).eps  # their coupling coefficients are as inexact
        np.testing.assert_allclose(ours[key], array, rtol=0, atol=tolerance, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_come_back_as_the_same_config(name):
    config, params = load_nequip_npz(FOLDER / f"{name}.npz")
    state = nequip_state_dict(config, params)
    arguments = json.loads(json.dumps(nequip_arguments(config, state)))
    assert config_from_nequip(arguments, state) == config


def test_reference_energies_become_shifts(tmp_path):
    params = initial_params(CONFIG)
    save_nequip_npz(tmp_path / "home.npz", CONFIG, params, {"H": -13.6, "O": -2041.3})
    home, _ = load_nequip_npz(tmp_path / "home.npz")
    assert home.per_type_energy_shifts == (-13.6, -2041.3)
    with np.load(tmp_path / "home.npz") as file:
        arguments = json.loads(str(file["config_json"]))
    assert arguments["per_type_energy_shifts"] == {"H": -13.6, "O": -2041.3}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"readout": QDIReadout()}, "QDIReadout"),
        ({"readout": StackedMLPReadout()}, "StackedMLPReadout"),
        ({"readout": MLPReadout(hidden=(8, 16))}, r"\(8, 16\)"),
        ({"precision": Precision(network="bfloat16")}, "bfloat16"),
        ({"pair_potential": "zbl-covalent"}, "ZBL ends at the cutoff.*'covalent'"),
    ],
)
def test_what_nequip_does_not_have_is_named(tmp_path, changes, named):
    config = dataclasses.replace(CONFIG, **changes)
    shapes = jax.eval_shape(lambda: initial_params(config))
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), shapes)
    with pytest.raises(ValueError, match=named):
        Potential(config, params).save_nequip(tmp_path / "home.npz")
    assert not (tmp_path / "home.npz").exists()
