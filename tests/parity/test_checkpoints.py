"""A model that nequip-train trained (float32, Cu and Au, averaged weights), without torch."""

import sys

import ase.io
import numpy as np
import pytest

import allegro_jax as aj
from allegro_jax.convert import load_nequip
from allegro_jax.convert.torch_files import TorchArchive
from experiments.convert import convert
from experiments.parity import FOLDER

CHECKPOINT = FOLDER / "real_best.ckpt"
PACKAGE = FOLDER / "real_package.nequip.zip"  # by nequip-package, without its Python sources


@pytest.fixture(scope="module")
def expected():
    with np.load(FOLDER / "real_expected.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def structure(expected):
    """The structure of the expected results, among those of the data file."""
    structures = ase.io.read(FOLDER / "real_data.xyz", ":")
    return next(atoms for atoms in structures if np.allclose(atoms.positions, expected["pos"]))


def assert_as_expected(result, expected):
    assert abs(result.energy - expected["energy"].item()) < 1e-5
    np.testing.assert_allclose(result.forces, expected["forces"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(result.stress, expected["stress"][0], atol=1e-5, rtol=0)
    atomic = expected["atomic_energy"][:, 0]
    np.testing.assert_allclose(result.atomic_energies, atomic, atol=1e-5, rtol=0)


@pytest.mark.parametrize("path", [CHECKPOINT, PACKAGE], ids=["checkpoint", "package"])
def test_an_imported_model_gives_the_numbers_of_nequips_own_tools(path, structure, expected):
    assert_as_expected(aj.Potential.from_nequip(path)(structure), expected)


def test_the_command_converts_there_and_back(tmp_path, structure, expected):
    convert(CHECKPOINT, tmp_path / "out")
    assert_as_expected(aj.Potential.load(tmp_path / "out")(structure), expected)
    convert(tmp_path / "out", tmp_path / "home.npz")
    assert_as_expected(aj.Potential.from_nequip(tmp_path / "home.npz")(structure), expected)


def test_import_needs_neither_torch_nor_nequip(monkeypatch):
    for name in ("torch", "nequip", "allegro", "e3nn", "lightning"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it would raise
    for path in (CHECKPOINT, PACKAGE):
        assert aj.Potential.from_nequip(path).config.type_names == ("Cu", "Au")


def changed_checkpoint(monkeypatch, change):
    """Lets the reader see the checkpoint after `change` of its content."""
    original = TorchArchive.unpickle

    def unpickle(archive, entry):
        content = original(archive, entry)
        change(content)
        return content

    monkeypatch.setattr(TorchArchive, "unpickle", unpickle)


def test_averaged_weights_are_preferred_to_the_raw_ones(monkeypatch):
    averaged = load_nequip(CHECKPOINT)[1]["readout"]["mlp"]["weight_0"]

    def forget_averages(content):
        state = content["state_dict"]
        for key in [key for key in state if key.startswith("ema.")]:
            del state[key]

    with TorchArchive(CHECKPOINT) as archive:
        state = archive.unpickle("data.pkl")["state_dict"]
        key = "model.sole_model.model.func.edge_readout.mlp_module.mlp.0.weight"
        raw = archive.array(state[key])
        averages = [archive.array(state[f"ema.ema_weight_{k}"]) for k in range(15)]
    assert any(np.array_equal(averaged, average) for average in averages)
    changed_checkpoint(monkeypatch, forget_averages)
    np.testing.assert_array_equal(load_nequip(CHECKPOINT)[1]["readout"]["mlp"]["weight_0"], raw)
    assert not np.array_equal(averaged, raw)


def without_flag(content):
    content["state_dict"]["ema._extra_state"]["is_holding_ema_weights"] = False


def without_one_average(content):
    del content["state_dict"]["ema.ema_weight_14"]


def with_schedule_free_optimiser(content):
    content["schedulefree_optimizer_state_dict"] = {}


def with_two_models(content):
    state = content["state_dict"]
    state["model.second.model._empty"] = next(iter(state.values()))


def set_model(**changes):
    return lambda content: content["hyper_parameters"]["model"].update(changes)


def wrap_model(modifier):
    def change(content):
        inner = content["hyper_parameters"]["model"]
        settings = {"_target_": "nequip.model.modify", "model": inner, "modifiers": [modifier]}
        content["hyper_parameters"]["model"] = settings

    return change


REFUSED = [
    (without_flag, "averages"),
    (without_one_average, "averaged weights do not match"),
    (with_schedule_free_optimiser, "schedule-free"),
    (with_two_models, "second"),
    (set_model(_target_="nequip.model.NequIPGNNModel"), "NequIPGNNModel"),
    (set_model(_target_="nequip.model.ModelFromPackage"), "ModelFromPackage"),
    (set_model(latent_resnet=True), "latent_resnet"),
    (set_model(allegro_mlp_nonlinearity="tanh"), "tanh"),
    (set_model(type_names=["Cu", "wall"]), "wall"),
    (set_model(avg_num_neighbors=None), "avg_num_neighbors"),
    (set_model(radial_chemical_embed={"_target_": "mine.Embed"}), r"mine\.Embed"),
    (set_model(pair_potential={"_target_": "nequip.nn.pair_potential.LennardJones"}), "Lennard"),
    (set_model(pair_potential={"_target_": "nequip.nn.ZBL", "units": "real"}), "metal"),
    (set_model(num_layers="two"), "num_layers"),
    (set_model(type_names=None), "cannot be imported"),
    (wrap_model({"modifier": "enable_Charges"}), "enable_Charges"),
]


@pytest.mark.parametrize(("change", "named"), REFUSED)
def test_what_cannot_be_imported_is_named(monkeypatch, change, named):
    changed_checkpoint(monkeypatch, change)
    with pytest.raises(ValueError, match=named):
        load_nequip(CHECKPOINT)


def test_modifiers_that_leave_the_energy_alone_are_accepted(monkeypatch):
    config, _ = load_nequip(CHECKPOINT)
    changed_checkpoint(monkeypatch, wrap_model({"modifier": "enable_CuEquivarianceContracter"}))
    assert load_nequip(CHECKPOINT)[0] == config
