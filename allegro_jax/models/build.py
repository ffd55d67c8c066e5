"""The model that a config describes."""

from collections.abc import Mapping

from allegro_jax.configs import Allegro2023Config, AllegroConfig, ModelConfig
from allegro_jax.models.allegro import Allegro
from allegro_jax.models.allegro2023 import Allegro2023
from allegro_jax.models.base import EdgeEnergyModel

MODELS: Mapping[type[ModelConfig], type[EdgeEnergyModel]] = {
    AllegroConfig: Allegro,
    Allegro2023Config: Allegro2023,
}


def build_model(config: ModelConfig) -> EdgeEnergyModel:
    """Returns the model of a config; equal configs give equal models.

    Raises:
        ValueError: `config` is not the config of an architecture.
    """
    if type(config) not in MODELS:
        names = ", ".join(kind.__name__ for kind in MODELS)
        raise ValueError(f"config must be one of {names}; got a {type(config).__name__}.")
    return MODELS[type(config)](config)
