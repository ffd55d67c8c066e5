"""From a preset, the data and what the user says otherwise to the configs of a run."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from allegro_jax.committee import Committee
from allegro_jax.configs import ModelConfig, config_class
from allegro_jax.datasets import Dataset, statistics
from allegro_jax.graphs import GraphStore
from allegro_jax.potential import Potential
from allegro_jax.presets import Preset, kinds
from allegro_jax.training import TrainingConfig, config_from_data, fine_tuning_config
from allegro_jax.training.config import Loss

_STRESS_SHARE = 0.1
"""Share of the stress in the loss of a model that predicts zero, relative to that of the forces."""

_FROM_DATA = ("type_names", "avg_num_neighbors", "per_type_energy_scales")
_TRAINING = tuple(field.name for field in dataclasses.fields(TrainingConfig))


def configs(
    preset: Preset,
    train: Dataset | GraphStore,
    minutes: float | None,
    overrides: Mapping[str, Any],
    init: Potential | Committee | None = None,
) -> tuple[ModelConfig, TrainingConfig]:
    """Returns the model and the training of a preset for a training set.

    Args:
        preset: Where values come from that nobody gives.
        train: Training structures; those of a store have its cutoff.
        minutes: Time limit in place of the preset's.
        overrides: Fields of `TrainingConfig` or of the model's config, which win.
        init: What is tuned further. The model is then its own, of the preset counts the training.

    Raises:
        ValueError: If an override has no such field or an invalid value, weighs labels that the
            data lack, or is of the model where there is `init`.
    """
    values = {"atoms_per_batch": preset.atoms_per_batch, **preset.model}
    for kind in kinds(train):
        values |= preset.by_data.get(kind, {})
    if isinstance(train, GraphStore):
        values["cutoff"] = train.cutoff
    values |= overrides
    _check_names(overrides, values.get("architecture", "2025"))
    _check_labels(overrides, train)
    if init is not None:
        _check_tuned(overrides)
    if "batch_size" in overrides or values["atoms_per_batch"] is None:
        del values["atoms_per_batch"]
    training = {name: values.pop(name) for name in _TRAINING if name in values}
    if atoms := values.pop("atoms_per_batch", None):
        training["batch_size"] = batch_size(train, atoms)
    if minutes is not None:
        training["time_limit_s"] = 60.0 * minutes
    if train.stress is not None and "stress_weight" not in training:
        loss = training.get("loss", preset.training.loss)
        training["stress_weight"] = stress_weight(train, loss)
    try:
        if init is None:
            model = config_from_data(train, values.pop("cutoff"), **values)
        else:
            model = fine_tuning_config(init, train)
            training.setdefault("members", len(init) if isinstance(init, Committee) else 1)
        return model, dataclasses.replace(preset.training, **training)
    except TypeError as error:  # a word where a number belongs, say
        raise ValueError(f"a setting has the wrong type ({error}); given: {overrides}") from error


def batch_size(train: Dataset | GraphStore, atoms: int) -> int:
    """Returns how many structures have about so many atoms, and make ten steps of an epoch."""
    most = max(len(train) // 10, 1)
    return int(np.clip(round(atoms / train.n_atoms.mean()), 1, most))


def stress_weight(train: Dataset | GraphStore, loss: Loss) -> float:
    """Returns a weight with which stresses start as a tenth of what forces are in the loss.

    Zero where the stresses are all zero or missing, or there are no forces to compare with.
    """
    if train.stress is None or train.forces is None or not np.nansum(train.stress**2):
        return 0.0
    forces = statistics(train).force_rms or 0.0
    stress = float(np.sqrt(np.nanmean(train.stress**2)))
    if loss == "mse":
        return _STRESS_SHARE * forces**2 / stress**2
    if loss == "l2":  # lengths: of a vector of three components, of a tensor of nine
        return _STRESS_SHARE * 3**0.5 * forces / (3.0 * stress)
    return _STRESS_SHARE * forces / stress


def _check_names(overrides: Mapping[str, Any], architecture: str) -> None:
    fields = dataclasses.fields(config_class(architecture))
    model = [field.name for field in fields if field.name not in _FROM_DATA]
    known = [*_TRAINING, *model, "architecture"]
    for name in overrides:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"unknown setting {name!r}{meant} Of the training: {', '.join(_TRAINING)}. "
                f"Of the model: {', '.join(model)}."
            )


def _check_tuned(overrides: Mapping[str, Any]) -> None:
    if of_model := [name for name in overrides if name not in _TRAINING]:
        raise ValueError(
            f"{', '.join(of_model)} would change the model of init, which is tuned as it is: leave "
            "that out, or init"
        )


def _check_labels(overrides: Mapping[str, Any], train: Dataset | GraphStore) -> None:
    for label in ("forces", "stress"):
        wanted = overrides.get(f"{label}_weight") or overrides.get("metric") == f"{label}_mae"
        if wanted and getattr(train, label) is None:
            raise ValueError(
                f"{train.name} has no {label}, so {label} cannot be weighed or decide which "
                f"parameters are kept; leave {label}_weight and metric out, or give the data "
                f"their {label} (forces_key says under which name a file has forces)"
            )
