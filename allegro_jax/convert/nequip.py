"""Weights of nequip-allegro models (0.5 to 0.8) without torch."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.configs import AllegroConfig
from allegro_jax.convert.nequip_config import StateDict, config_from_nequip, without_prefix

# Constants of the architecture, which the config gives already.
_BUFFERS = ("_empty", ".w3j", "._rmax_recip", ".spline.lower", ".spline.upper", "._rtoi")


def load_nequip_npz(path: str | Path) -> tuple[AllegroConfig, dict[str, Any]]:
    """Reads config and parameters of a nequip-allegro model dumped into one npz file.

    Args:
        path: file with `config_json` (arguments of `AllegroModel`) and arrays `sd/<key>`.

    Returns:
        The config and the parameters of the same model here.

    Raises:
        ValueError: the file is not such a dump, or holds a model this library does not have.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no npz file of plain arrays: {error}.") from error
    if "config_json" not in arrays:
        raise ValueError(f"{path} has no entry 'config_json': it is no dump of a nequip model.")
    arguments = json.loads(str(arrays["config_json"]))
    prefix = "sd/"
    state = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    config = config_from_nequip(arguments, state)
    return config, params_from_state_dict(state, config)


def params_from_state_dict(state: StateDict, config: AllegroConfig) -> dict[str, Any]:
    """Renames and reorders the arrays of a nequip-allegro state dict.

    Args:
        state: state dict, keys with or without the prefix `model.func.`.
        config: config of the model, see `config_from_nequip`.

    Raises:
        ValueError: an array is missing, has the wrong number of elements, or is left over.
    """
    rest = _Reader(without_prefix(state))
    channels = config.num_tensor_features
    params: dict[str, Any] = {
        "two_body": _two_body(rest, config),
        "scalar_embed": rest.mlp("scalar_embed_mlp.mlp_module"),
        "tensor_embed": rest.mlp("tensor_embed.env_embed_linear", 0, channels),
        "environment_embed": rest.mlp(
            "allegro.first_layer_env_embed_projection", config.num_scalar_features, channels
        ),
        "readout": {"mlp": rest.mlp("edge_readout.mlp_module")},
    }
    for layer in range(config.num_layers):
        scalars = config.num_scalar_features
        params[f"latent_{layer}"] = rest.mlp(f"allegro.latents.{layer}", scalars, channels)
        weights = rest.take(f"allegro.tps.{layer}.weights")
        shape = (channels, -1) if config.tp_path_channel_coupling else (1, -1)
        params[f"tensor_product_{layer}"] = weights.reshape(shape).T
    for kind in ("scales", "shifts"):
        if getattr(config, f"trainable_{kind}"):
            values = rest.take(f"per_type_energy_scale_shift.{kind}").reshape(-1)
            params[f"energy_{kind}"] = np.broadcast_to(values, len(config.type_names))
    rest.drop("per_type_energy_scale_shift.", "pair_potential.")
    rest.finish()
    return params


def is_parameter(key: str, arguments: Mapping[str, Any]) -> bool:
    """Whether an array of a state dict is a parameter of the torch model, and not a buffer.

    Args:
        key: name in the state dict.
        arguments: keyword arguments of the model builder.
    """
    if key.endswith("bessel_weights"):
        return bool(arguments["radial_chemical_embed"].get("bessel_trainable", False))
    if "per_type_energy_scale_shift." in key:
        kind = key.rpartition(".")[2]
        return bool(arguments.get(f"per_type_energy_{kind}_trainable", False))
    return "pair_potential." not in key and not key.endswith(_BUFFERS)


def _two_body(rest: "_Reader", config: AllegroConfig) -> dict[str, Any]:
    prefix = "radial_chemical_embed."
    if config.splines is not None:
        weights = rest.take(prefix + "spline.class_embed.weight")
        return {"weights": weights.reshape(len(weights), -1, config.splines.num_splines)}
    params = {
        "centers": rest.take(prefix + "type_embed.center_embed.weight"),
        "neighbors": rest.take(prefix + "type_embed.neighbor_embed.weight"),
        "radial": rest.mlp(prefix + "type_embed.basis_linear"),
    }
    frequencies = rest.take(prefix + "bessel_encode.bessel_weights").reshape(-1)
    if config.bessel_trainable:
        params["frequencies"] = frequencies
    elif not np.allclose(frequencies, np.arange(1, config.num_bessels + 1)):
        raise ValueError(
            f"The Bessel frequencies {frequencies} are not 1..{config.num_bessels}: they were "
            "trained. Give a config with bessel_trainable=True."
        )
    return params


class _Reader:
    """A state dict from which arrays are taken one by one, so that none is overlooked."""

    def __init__(self, state: StateDict) -> None:
        self._state = dict(state)

    def take(self, key: str) -> np.ndarray:
        if key not in self._state:
            raise ValueError(f"The state dict has no array {key!r}; left are {list(self._state)}.")
        return self._state.pop(key)

    def mlp(self, prefix: str, scalars: int = 0, channels: int = 0) -> dict[str, np.ndarray]:
        """Weights of a perceptron, those of the last layer in our order of columns.

        nequip orders environment weights (channel, irrep) after `scalars` columns of scalars; here
        they are (irrep, channel), so that the channels of an irrep lie side by side.
        """
        keys = [key for key in self._state if key.startswith(prefix + ".mlp.")]
        if not keys:
            raise ValueError(f"The state dict has no weights of a perceptron {prefix!r}.")
        keys.sort(
            key=lambda key: int(next(part for part in key.split(".")[::-1] if part.isdigit()))
        )
        weights = [self.take(key) for key in keys]
        if channels:
            last = weights[-1]
            tensors = last[:, scalars:].reshape(len(last), channels, -1).swapaxes(1, 2)
            weights[-1] = np.hstack([last[:, :scalars], tensors.reshape(len(last), -1)])
        return {f"weight_{index}": weight for index, weight in enumerate(weights)}

    def drop(self, *prefixes: str) -> None:
        for key in [key for key in self._state if key.startswith(prefixes)]:
            del self._state[key]

    def finish(self) -> None:
        left = sorted(key for key in self._state if not key.endswith(_BUFFERS))
        if left:
            raise ValueError(f"The state dict has arrays this library does not know: {left}.")
