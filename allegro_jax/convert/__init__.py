"""Weights of other Allegro implementations, read without executing code from their files."""

from allegro_jax.convert.checkpoints import load_nequip
from allegro_jax.convert.nequip import load_nequip_npz, params_from_state_dict
from allegro_jax.convert.nequip2023 import (
    config_from_nequip2023,
    load_nequip2023_npz,
    params_from_nequip2023,
)
from allegro_jax.convert.nequip_config import config_from_nequip, nequip_arguments
from allegro_jax.convert.nequip_export import nequip_state_dict, save_nequip_npz

__all__ = [
    "config_from_nequip",
    "config_from_nequip2023",
    "load_nequip",
    "load_nequip2023_npz",
    "load_nequip_npz",
    "nequip_arguments",
    "nequip_state_dict",
    "params_from_nequip2023",
    "params_from_state_dict",
    "save_nequip_npz",
]
