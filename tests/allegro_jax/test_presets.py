"""Presets are whole settings, fit every kind of data, and hold what was published."""

import jax
import jax.numpy as jnp
import pytest

from allegro_jax.configs import AllegroConfig, ModelConfig
from allegro_jax.datasets import Dataset, load
from allegro_jax.fitting import default_splits
from allegro_jax.fitting.settings import batch_size, configs, stress_weight
from allegro_jax.potential import initial_params
from allegro_jax.presets import PRESETS, preset
from allegro_jax.training.config import Loss
from allegro_jax.training.loss import Penalty

DATA = ("rmd17-aspirin", "qm9", "culi", "cu")


@pytest.fixture(scope="module")
def few() -> dict[str, Dataset]:
    """A few training structures of sets of every kind."""
    return {name: default_splits(load(name)).train.select(range(30)) for name in DATA}


def n_parameters(model: ModelConfig) -> int:
    shapes = jax.eval_shape(lambda: initial_params(model))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("data", DATA)
def test_every_preset_fits_every_kind_of_data(name: str, data: str, few) -> None:
    overrides = {"cutoff": 5.0} if name == "paper" and data in ("cu", "culi") else {}  # 12 Å: slow
    model, training = configs(preset(name), few[data], None, overrides)
    assert set(model.atomic_numbers) == set(few[data].elements)
    assert training.batch_size >= 1
    assert (training.stress_weight > 0) == (few[data].stress is not None)


def test_an_unknown_preset_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="'smal'; did you mean 'small'"):
        preset("smal")


def test_presets_grow_in_the_order_of_their_names(few) -> None:
    sizes = []
    for name in ("tiny", "small", "medium"):
        model, _ = configs(preset(name), few["rmd17-aspirin"], None, {})
        assert isinstance(model, AllegroConfig)
        sizes.append(n_parameters(model))
    assert sizes == sorted(sizes)
    limits = [preset(name).training.time_limit_s for name in ("tiny", "small", "medium", "large")]
    assert limits == sorted(limits)


def test_batches_hold_about_as_many_atoms_whatever_the_structures(few) -> None:
    sizes = {name: configs(preset("tiny"), few[name], None, {})[1].batch_size for name in DATA}
    assert sizes == {"rmd17-aspirin": 2, "qm9": 3, "culi": 1, "cu": 1}  # 30 structures: 3 at most
    whole = default_splits(load("rmd17-aspirin")).train
    assert batch_size(whole, 100) == 5
    assert batch_size(default_splits(load("qm9")).train, 300) == 17


@pytest.mark.parametrize(("loss", "factor"), [("mse", 1.0), ("mae", 2.0), ("l2", 2.0)])
def test_stress_begins_as_a_tenth_of_the_forces_in_the_loss(few, loss: Loss, factor: float) -> None:
    data = few["culi"]
    cost = Penalty(loss)
    forces, stress = cost(jnp.asarray(data.forces)), cost(jnp.asarray(data.stress.reshape(-1, 9)))
    share = float(stress_weight(data, loss) * stress.mean() / forces.mean())
    # Root mean squares stand for means of sizes.
    assert 0.999 * 0.1 / factor < share < 1.001 * 0.1 * factor
    assert stress_weight(few["cu"], loss) == 0.0


def test_the_weight_of_stresses_is_that_of_the_loss(few) -> None:
    lengths = configs(preset("tiny"), few["culi"], None, {})[1]
    squares = configs(preset("tiny"), few["culi"], None, {"loss": "mse"})[1]
    assert lengths.stress_weight == stress_weight(few["culi"], "l2")
    assert squares.stress_weight == stress_weight(few["culi"], "mse")


@pytest.mark.parametrize(
    ("data", "cutoff", "rate", "batch", "p", "layers", "width"),
    [
        ("rmd17-aspirin", 7.3, 5.36e-3, 3, 6.9, 4, 32),
        ("rmd17-benzene", 12.0, 1e-3, 1, 5.0, 3, 128),
        ("qm9", 12.0, 1e-3, 5, 10.0, 3, 32),
    ],
)
def test_paper_is_table_1_of_laskaris_et_al(
    data: str, cutoff: float, rate: float, batch: int, p: float, layers: int, width: int
) -> None:
    model, training = configs(preset("paper"), load(data).select(range(20)), None, {})
    assert (model.cutoff, model.polynomial_cutoff_p, model.num_layers) == (cutoff, p, layers)
    assert (training.learning_rate, training.batch_size) == (rate, batch)
    assert model.readout.hidden == (width,)
    assert training.time_limit_s is None


def test_large_is_the_model_of_musaelian_et_al(few) -> None:
    forces, _ = configs(preset("large"), few["rmd17-aspirin"], None, {})
    assert (forces.num_layers, forces.l_max, forces.num_tensor_features) == (3, 3, 128)
    energies, training = configs(preset("large"), few["qm9"], None, {})
    assert n_parameters(energies) == pytest.approx(17_926_533, rel=0.02)
    assert (energies.cutoff, training.learning_rate, training.ema_decay) == (10.0, 1e-3, 0.999)


def test_what_the_user_says_wins(few) -> None:
    overrides = {"num_layers": 3, "cutoff": 4.0, "batch_size": 2, "stress_weight": 0.0, "seed": 7}
    model, training = configs(preset("small"), few["culi"], 90.0, overrides)
    assert (model.num_layers, model.cutoff) == (3, 4.0)
    assert (training.batch_size, training.stress_weight, training.seed) == (2, 0.0, 7)
    assert training.time_limit_s == 5400.0


@pytest.mark.parametrize(
    ("data", "overrides", "message"),
    [
        ("culi", {"num_layer": 3}, "'num_layer'; did you mean 'num_layers'"),
        ("culi", {"learning_rate": "fast"}, "wrong type.*'fast'"),
        ("culi", {"num_layers": 0}, "num_layers must be an integer >= 1"),
        ("culi", {"type_names": ("Cu",)}, "unknown setting 'type_names'"),
        ("qm9", {"forces_weight": 3.0}, "qm9 has no forces"),
        ("qm9", {"metric": "forces_mae"}, "qm9 has no forces"),
        ("cu", {"stress_weight": 1.0}, "cu has no stress"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(data: str, overrides, message: str, few) -> None:
    with pytest.raises(ValueError, match=message):
        configs(preset("tiny"), few[data], None, overrides)
