"""What `nequip-train` reads: our model and our training settings in the terms of nequip 0.19."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import yaml

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset, Splits
from allegro_jax.models.energy import initial_params
from allegro_jax.potential import Potential
from allegro_jax.training import TrainingConfig

PARTS = ("train", "valid", "test")
_METRICS = {"mse": "nequip.train.MeanSquaredError", "mae": "nequip.train.MeanAbsoluteError",
            "huber": "nequip.train.HuberLoss", "l2": "nequip_parts.VectorLength"}  # fmt: skip
_VALID_BATCH = 10  # structures; batches of one would run without compilation


def write_nequip_run(
    folder: Path,
    arguments: Mapping[str, Any],
    training: TrainingConfig,
    splits: Splits,
) -> None:
    """Writes `config.yaml` and the three sets as extended XYZ.

    Raises:
        ValueError: If nequip has no such training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        write_extxyz(folder / f"{part}.extxyz", getattr(splits, part))
    config = nequip_config(arguments, training, folder.resolve())
    plain = json.loads(json.dumps(config))  # without references between its parts
    (folder / "config.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))


def write_extxyz(path: Path, dataset: Dataset) -> None:
    """Writes frames with energies and forces (eV, Å)."""
    ase.io.write(path, [item.to_atoms() for item in dataset], format="extxyz")


def model_arguments(
    config: ModelConfig, references: Mapping[str, float], compiled: bool = True
) -> dict[str, Any]:
    """Returns the arguments with which nequip builds the model of a config.

    Args:
        config: Architecture.
        references: Energy of every element (eV), which becomes nequip's shift.
        compiled: Whether nequip compiles it for training.

    Raises:
        ValueError: If nequip has no such model.
    """
    potential = Potential(config, initial_params(config), references)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.npz"
        potential.save_nequip(file)
        with np.load(file) as arrays:
            arguments = json.loads(str(arrays["config_json"]))
    mode = "compile" if compiled else "eager"
    return {"_target_": "allegro.model.AllegroModel", **arguments, "compile_mode": mode}


def nequip_config(
    arguments: Mapping[str, Any], training: TrainingConfig, folder: Path
) -> dict[str, Any]:
    """Returns the config of a training with the data and results in `folder`.

    Raises:
        ValueError: If nequip has no such training.
    """
    _check(training)
    return {
        "run": ["train", "test"],
        "data": _data(arguments, training, folder),
        "trainer": _trainer(training, folder),
        "training_module": {
            "_target_": "nequip.train.EMALightningModule",
            "ema_decay": training.ema_decay,
            "loss": _loss(training),
            "val_metrics": {"_target_": "nequip.train.EnergyForceMetrics"},
            "test_metrics": {"_target_": "nequip.train.EnergyForceMetrics"},
            "optimizer": _optimizer(training, arguments["num_scalar_features"]),
            "model": {**arguments, "seed": training.seed},
        },
        "global_options": {"allow_tf32": False},
    }


def _check(training: TrainingConfig) -> None:
    """Finds what would be left out in silence."""
    expected = {
        "schedule": "cosine",
        "accumulate": 1,
        "weight_points": (),
        "balancing": "none",
        "members": 1,
        "freeze": (),
        "stress_weight": 0.0,
    }
    values = {name: getattr(training, name) for name in expected}
    others = {name: value for name, value in values.items() if value != expected[name]}
    if others or training.time_limit_s is None:
        raise ValueError(
            "a training beside nequip ends by time and follows a cosine, without accumulation, "
            "schedules of weights, committees, frozen parts and stresses; got "
            f"time_limit_s={training.time_limit_s}, {others}"
        )


def _data(arguments: Mapping[str, Any], training: TrainingConfig, folder: Path) -> dict[str, Any]:
    loader = {"_target_": "torch.utils.data.DataLoader", "num_workers": 0}
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": training.seed,
        "train_file_path": str(folder / "train.extxyz"),
        "val_file_path": str(folder / "valid.extxyz"),
        "test_file_path": str(folder / "test.extxyz"),
        "transforms": [
            {
                "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": arguments["type_names"],
            },
            {
                "_target_": "nequip.data.transforms.NeighborListTransform",
                "r_max": arguments["r_max"],
            },
        ],
        "train_dataloader": {**loader, "batch_size": training.batch_size, "shuffle": True},
        "val_dataloader": {**loader, "batch_size": _VALID_BATCH},
        "test_dataloader": {**loader, "batch_size": _VALID_BATCH},
    }


def _trainer(training: TrainingConfig, folder: Path) -> dict[str, Any]:
    return {
        "_target_": "lightning.Trainer",
        "accelerator": "cpu",
        "max_epochs": training.max_epochs,
        "num_sanity_val_steps": 0,
        "gradient_clip_val": training.clip_norm,
        "logger": False,
        "enable_progress_bar": False,
        "callbacks": [
            {
                "_target_": "nequip_parts.TimedTraining",
                "limit_s": training.time_limit_s,
                "folder": str(folder),
                "warmup": training.warmup,
                "final_learning_rate": training.final_learning_rate,
            },
            {
                "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
                "monitor": "val0_epoch/forces_mae",
                "dirpath": str(folder),
                "filename": "best",
            },
        ],
    }


def _loss(training: TrainingConfig) -> dict[str, Any]:
    metric: dict[str, Any] = {"_target_": _METRICS[training.loss]}
    if training.loss == "huber":
        metric["delta"] = training.huber_delta
    energy: Any = "total_energy"
    if training.energy_per_atom:
        energy = {"_target_": "nequip.data.PerAtomModifier", "field": energy}
    return {
        "_target_": "nequip.train.MetricsManager",
        "metrics": [
            {"name": "energy", "field": energy, "coeff": training.energy_weight, "metric": metric},
            {
                "name": "forces",
                "field": "forces",
                "coeff": training.forces_weight,
                "metric": metric,
            },
        ],
    }


def _optimizer(training: TrainingConfig, width: int) -> dict[str, Any]:
    """Their Adam, or their Muon with the same root mean square of updates as ours.

    Theirs moves a kernel of n columns 1/√n as far as ours at the same rate (they scale by
    √max(1, rows/columns), we by √max(rows, columns)); most have about `width` columns.
    """
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimizer in ("adam", "amsgrad"):
        amsgrad = training.optimizer == "amsgrad"
        return {"_target_": "torch.optim.Adam", "lr": rate, "amsgrad": amsgrad}
    if training.optimizer == "adamw":
        return {"_target_": "torch.optim.AdamW", "lr": rate, "weight_decay": decay}
    if training.optimizer != "muon":
        raise ValueError(f"nequip-train has no optimizer {training.optimizer!r} here")
    adam = {"lr": rate, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": decay}
    return {
        "_target_": "nequip.train.MuonWithAuxAdam",
        "param_groups": {
            "_target_": "allegro.model.MuonParamGroups",
            "_convert_": "all",  # Hydra's own lists would be read in every step
            "muon": {"lr": rate * width**0.5, "weight_decay": decay / width**0.5},
            "adam": adam,
        },
    }
