"""Allegro interatomic potentials in JAX, with classical and quantum readouts.

Units are eV, Å, eV/Å and eV/Å³. Names are imported on first use, so that importing the package
costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allegro_jax.committee import Committee, load_potential
    from allegro_jax.configs import (
        D3,
        ZBL,
        Allegro2023Config,
        AllegroConfig,
        CircuitReadout,
        MLPReadout,
        Precision,
        QDILayer,
        QDIReadout,
        StackedMLPReadout,
    )
    from allegro_jax.datasets import load, official_split, split
    from allegro_jax.fitting import fit
    from allegro_jax.models.allegro import Allegro
    from allegro_jax.potential import Potential
    from allegro_jax.presets import preset
    from allegro_jax.quantum import register_circuit
    from allegro_jax.training import TrainingConfig, config_from_data, fine_tuning_config, train
    from allegro_jax.training.evaluation import evaluate

__version__ = "0.1.0"

_ORIGINS = {
    "D3": "allegro_jax.configs",
    "ZBL": "allegro_jax.configs",
    "Allegro": "allegro_jax.models.allegro",
    "Allegro2023Config": "allegro_jax.configs",
    "AllegroConfig": "allegro_jax.configs",
    "CircuitReadout": "allegro_jax.configs",
    "Committee": "allegro_jax.committee",
    "MLPReadout": "allegro_jax.configs",
    "Potential": "allegro_jax.potential",
    "Precision": "allegro_jax.configs",
    "QDILayer": "allegro_jax.configs",
    "QDIReadout": "allegro_jax.configs",
    "StackedMLPReadout": "allegro_jax.configs",
    "TrainingConfig": "allegro_jax.training",
    "config_from_data": "allegro_jax.training",
    "evaluate": "allegro_jax.training.evaluation",
    "fine_tuning_config": "allegro_jax.training",
    "fit": "allegro_jax.fitting",
    "load": "allegro_jax.datasets",
    "load_potential": "allegro_jax.committee",
    "official_split": "allegro_jax.datasets",
    "preset": "allegro_jax.presets",
    "register_circuit": "allegro_jax.quantum",
    "split": "allegro_jax.datasets",
    "train": "allegro_jax.training",
}

__all__ = [
    "D3",
    "ZBL",
    "Allegro",
    "Allegro2023Config",
    "AllegroConfig",
    "CircuitReadout",
    "Committee",
    "MLPReadout",
    "Potential",
    "Precision",
    "QDILayer",
    "QDIReadout",
    "StackedMLPReadout",
    "TrainingConfig",
    "config_from_data",
    "evaluate",
    "fine_tuning_config",
    "fit",
    "load",
    "load_potential",
    "official_split",
    "preset",
    "register_circuit",
    "split",
    "train",
]


_SUBMODULES = ("interfaces", "simulation")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ORIGINS[name]), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
