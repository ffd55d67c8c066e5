"""Search spaces hold what the paper found best, and trials become configs of the library."""

import pytest

from allegro_jax.configs import (
    Allegro2023Config,
    FrozenQDIReadout,
    LinearControl,
    MLPReadout,
    QDIReadout,
    StackedMLPReadout,
)
from allegro_jax.datasets import load
from experiments import models, spaces
from experiments.configs import demo, search

PAPER = {
    "allegro": {"cutoff": 12.0, "envelope_exponent": 5.0, "batch_size": 1, "num_layers": 3},
    "allegro-mlp": {"mlp_features": 16, "mlp_width_1": 1024, "mlp_width_2": 4},
    "allegro-qdi": {"qdi_depth": 4, "qdi_encodings": 1, "qdi_final_width": 128},
}


@pytest.mark.parametrize("variant", spaces.EXTRA)
def test_six_hyperparameters_and_three_more_for_each_variant(variant: str) -> None:
    space = spaces.search_space(variant, spaces.ranges("rmd17-aspirin"))
    assert len(space) == (6 if variant == "allegro" else 9)


@pytest.mark.parametrize("variant", spaces.VARIANTS)
def test_the_best_values_of_the_paper_lie_inside(variant: str) -> None:
    space = spaces.search_space(variant, spaces.ranges("rmd17-aspirin"))
    for name, value in {**PAPER["allegro"], **PAPER[variant]}.items():
        assert space[name].low <= value <= space[name].high


@pytest.mark.parametrize("settings", [demo.get_config(), search.get_config("culi")])
def test_the_default_trial_lies_inside_every_space(settings) -> None:
    for variant in spaces.VARIANTS:
        space = spaces.search_space(variant, settings.ranges)
        trial = spaces.default_trial(variant, settings.ranges)
        assert set(trial) == set(space)
        assert all(space[name].low <= trial[name] <= space[name].high for name in space)


def test_unknown_variants_and_empty_ranges_are_named() -> None:
    with pytest.raises(ValueError, match="allegro-xyz"):
        spaces.search_space("allegro-xyz", spaces.RANGES)
    with pytest.raises(ValueError, match="cutoff"):
        spaces.search_space("allegro", {**spaces.RANGES, "cutoff": (5.0, 4.0)})


def test_a_trial_becomes_the_readout_of_its_variant() -> None:
    params = {**spaces.DEFAULTS, "edge_mlp_width": 8, "qdi_encodings": 2, "mlp_features": 5}
    assert models.readout("allegro", params, 4) == MLPReadout(hidden=(8,))
    stacked = StackedMLPReadout(hidden=(8,), features=5, final_hidden=(32, 32))
    assert models.readout("allegro-mlp", params, 4) == stacked
    qdi = models.readout("allegro-qdi", params, 4)
    assert qdi == QDIReadout(hidden=(8,), features=8, n_qubits=4, depth=1, final_width=16)


def test_a_control_is_made_from_the_qdi_readout_of_the_same_trial() -> None:
    params = {**spaces.DEFAULTS, "edge_mlp_width": 8, "qdi_encodings": 2, "qdi_final_width": 5}
    qdi = models.readout("allegro-qdi", params, 2)
    frozen, linear = (models.readout(f"control-{kind}", params, 2) for kind in ("frozen", "linear"))
    assert frozen == FrozenQDIReadout.of(qdi)
    assert linear == LinearControl(hidden=(8,), features=4, outputs=2, final_width=5)
    assert set(models.CONTROLS) == set(spaces.CONTROLS)
    kinds = {type(models.readout(name, params, 2)) for name in spaces.CONTROLS}
    assert len(kinds) == len(spaces.CONTROLS)


def test_model_and_training_take_every_searched_value() -> None:
    config = demo.get_config()
    params = {**spaces.DEFAULTS, "cutoff": 4.25, "envelope_exponent": 7.5, "num_layers": 2}
    train_set = load("rmd17-benzene").select(range(5))
    model = models.model_config("allegro", params, config.model, train_set)
    assert (model.cutoff, model.polynomial_cutoff_p, model.num_layers) == (4.25, 7.5, 2)
    training = models.training_config({**params, "learning_rate": 1e-3}, config.training, seed=3)
    assert (training.batch_size, training.learning_rate, training.seed) == (5, 1e-3, 3)


def test_the_architecture_of_2023_is_chosen_by_the_config() -> None:
    settings = search.get_config("rmd17-aspirin").model
    settings.update({"architecture": "2023", "mlp_depth": 2, "mlp_width": 48})
    train_set = load("rmd17-aspirin").select(range(5))
    model = models.model_config("allegro-qdi", spaces.DEFAULTS, settings, train_set)
    assert isinstance(model, Allegro2023Config)
    assert model.two_body_widths == model.latent_widths == (48, 48, 64)
    assert isinstance(model.readout, QDIReadout)
    assert model.avg_num_neighbors > 1
    settings.architecture = "2021"
    with pytest.raises(ValueError, match="architecture must be one of"):
        models.model_config("allegro", spaces.DEFAULTS, settings, train_set)
