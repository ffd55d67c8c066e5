"""From the hyperparameters of a trial to the configs of the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from allegro_jax.configs import (
    MLPConfig,
    MLPReadout,
    ModelConfig,
    QDIReadout,
    Readout,
    StackedMLPReadout,
)
from allegro_jax.datasets import Dataset
from allegro_jax.training import TrainingConfig, config_from_data
from experiments.readouts import choices
from experiments.spaces import EXTRA

CONTROLS = {
    "control-mlp": "mlp_equal",
    "control-trigonometric": "trigonometric",
    "control-frozen": "qdi_frozen",
    "control-linear": "linear",
}
"""Which readout of `experiments.readouts.choices` each control is."""


def readout(variant: str, params: Mapping[str, Any], n_qubits: int) -> Readout:
    """Returns the readout of a variant (Laskaris et al. 2026, section 3.4), or of a control.

    Raises:
        ValueError: If there is no such variant.
    """
    hidden = (params["edge_mlp_width"],)
    if variant == "allegro":
        return MLPReadout(hidden=hidden)
    if variant == "allegro-mlp":
        final = (params["mlp_width_1"], params["mlp_width_2"])
        return StackedMLPReadout(hidden=hidden, features=params["mlp_features"], final_hidden=final)
    if variant == "allegro-qdi" or variant in CONTROLS:
        qdi = QDIReadout(
            hidden=hidden,
            features=params["qdi_encodings"] * n_qubits,
            n_qubits=n_qubits,
            depth=params["qdi_depth"],
            final_width=params["qdi_final_width"],
        )
        return choices.readout(CONTROLS.get(variant, "qdi"), qdi)
    raise ValueError(f"unknown variant {variant!r}; known: {', '.join(EXTRA)}")


def model_config(
    variant: str, params: Mapping[str, Any], model: ConfigDict, train_set: Dataset
) -> ModelConfig:
    """Returns the model of a trial with the statistics of the training set filled in.

    Args:
        variant: "allegro", "allegro-mlp", "allegro-qdi" or one of `spaces.CONTROLS`.
        params: Searched hyperparameters; see `experiments.spaces`.
        model: Fixed ones: architecture, l_max, num_scalar_features, num_tensor_features,
            num_bessels, mlp_depth, mlp_width, n_qubits, and pair_potential if there is one.
        train_set: Training structures.

    Raises:
        ValueError: If there is no such variant or architecture.
    """
    return config_from_data(
        train_set,
        params["cutoff"],
        architecture=model.architecture,
        l_max=model.l_max,
        num_layers=params["num_layers"],
        num_tensor_features=model.num_tensor_features,
        num_bessels=model.num_bessels,
        polynomial_cutoff_p=params["envelope_exponent"],
        readout=readout(variant, params, model.n_qubits),
        pair_potential=model.get("pair_potential"),
        **_scalar_track(model),
    )


def _scalar_track(model: ConfigDict) -> dict[str, Any]:
    """The perceptrons of an architecture: `mlp_depth` hidden layers before the scalars."""
    if model.architecture == "2023":
        widths = (*(model.mlp_width,) * model.mlp_depth, model.num_scalar_features)
        return {"two_body_widths": widths, "latent_widths": widths}
    mlp = MLPConfig(depth=model.mlp_depth, width=model.mlp_width)
    scalars = model.num_scalar_features
    return {"num_scalar_features": scalars, "scalar_embed_mlp": mlp, "allegro_mlp": mlp}


def training_config(params: Mapping[str, Any], training: ConfigDict, seed: int) -> TrainingConfig:
    """Returns the training of a trial."""
    values = {**training.to_dict(), "seed": seed}
    for name in ("batch_size", "learning_rate"):
        values[name] = params[name]
    return TrainingConfig.from_json(values)
