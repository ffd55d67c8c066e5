"""Weights of other Allegro implementations, read without executing code from their files."""

from allegro_jax.convert.nequip import (
    config_from_nequip,
    load_nequip_npz,
    params_from_state_dict,
)

__all__ = ["config_from_nequip", "load_nequip_npz", "params_from_state_dict"]
