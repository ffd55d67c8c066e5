"""Frozen, value-hashed descriptions of a model: what `build_model` builds it from.

Two configs with equal fields are equal, hash alike and therefore share every compiled function.
Each checks its fields when it is made, and goes to and from JSON through plain dictionaries.
"""

from allegro_jax.configs.allegro import AllegroConfig
from allegro_jax.configs.allegro2023 import Allegro2023Config
from allegro_jax.configs.architectures import ARCHITECTURES, config_class, config_from_json
from allegro_jax.configs.base import FORMAT_VERSION, ModelConfig, Normalization, PerType
from allegro_jax.configs.checks import Nonlinearity
from allegro_jax.configs.controls import (
    FrozenQDIReadout,
    LinearControl,
    MLPControl,
    TrigonometricControl,
)
from allegro_jax.configs.dispersion import D3
from allegro_jax.configs.parts import ZBL, MLPConfig, Precision, SplineBasis
from allegro_jax.configs.quantum import CircuitReadout, QDILayer, QDIReadout
from allegro_jax.configs.readout_kinds import READOUT_KINDS, Readout
from allegro_jax.configs.readouts import MLPReadout, StackedMLPReadout

__all__ = [
    "ARCHITECTURES",
    "D3",
    "FORMAT_VERSION",
    "READOUT_KINDS",
    "ZBL",
    "Allegro2023Config",
    "AllegroConfig",
    "CircuitReadout",
    "FrozenQDIReadout",
    "LinearControl",
    "MLPConfig",
    "MLPControl",
    "MLPReadout",
    "ModelConfig",
    "Nonlinearity",
    "Normalization",
    "PerType",
    "Precision",
    "QDILayer",
    "QDIReadout",
    "Readout",
    "SplineBasis",
    "StackedMLPReadout",
    "TrigonometricControl",
    "config_class",
    "config_from_json",
]
