"""The architectures by name, and configs of any of them from JSON."""

from collections.abc import Mapping
from typing import Any

from allegro_jax.configs.allegro import AllegroConfig
from allegro_jax.configs.allegro2023 import Allegro2023Config
from allegro_jax.configs.base import ModelConfig

ARCHITECTURES: Mapping[str, type[ModelConfig]] = {
    cls.architecture: cls for cls in (AllegroConfig, Allegro2023Config)
}


def config_class(architecture: str) -> type[ModelConfig]:
    """Returns the config class of an architecture.

    Args:
        architecture: "2025" (nequip-allegro 0.5 to 0.8) or "2023" (the paper's).

    Raises:
        ValueError: there is no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"architecture must be one of {sorted(ARCHITECTURES)}; got {architecture!r}."
        )
    return ARCHITECTURES[architecture]


def config_from_json(data: Mapping[str, Any]) -> ModelConfig:
    """Builds the config of any architecture that its `to_json` described.

    Where none is named, as in files older than the second architecture, it is "2025".

    Raises:
        ValueError: unknown architecture, format version or fields, or invalid values.
    """
    return config_class(data.get("architecture", AllegroConfig.architecture)).from_json(data)
