"""Weights of other Allegro implementations, read without executing code from their files."""

from allegro_jax.convert.nequip import (
    config_from_nequip,
    load_nequip_npz,
    params_from_state_dict,
)
from allegro_jax.convert.nequip2023 import (
    config_from_nequip2023,
    load_nequip2023_npz,
    params_from_nequip2023,
)

__all__ = [
    "config_from_nequip",
    "config_from_nequip2023",
    "load_nequip2023_npz",
    "load_nequip_npz",
    "params_from_nequip2023",
    "params_from_state_dict",
]
