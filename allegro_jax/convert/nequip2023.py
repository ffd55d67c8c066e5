"""Weights of Allegro models of the 2023 paper (allegro 0.1 to 0.2 on nequip 0.5) without torch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.configs import Allegro2023Config, MLPReadout, Precision
from allegro_jax.nn.irreps import Irreps, coupling_paths, harmonic_irreps, track_irreps
from allegro_jax.nn.radial import bessel_statistics

StateDict = Mapping[str, np.ndarray]

# Constants of the architecture, which the config gives already.
_BUFFERS = ("._zero", "._big_w3j", "._w_index", ".env_sum_normalizations", ".per_layer_cutoffs")
_SETTINGS = (
    *("T", "r_max", "l_max", "parity", "num_layers", "mul", "num_basis", "p"),
    *("two_body", "latent", "edge_eng", "nonlinearity", "avg_num_neighbors"),
)
_RESIDUAL = "allegro._latent_resent_update_params"  # sic
_BESSEL = "radial_basis.basis."
_EDGE_SCALES = "edge_eng_sum.per_edge_scales"


def load_nequip2023_npz(
    path: str | Path, type_names: Sequence[str]
) -> tuple[Allegro2023Config, dict[str, Any]]:
    """Reads config and parameters of a model of 2023 dumped into one npz file.

    Args:
        path: file with `config_json` and arrays `sd/<key>`.
        type_names: chemical symbols in the order of the type indices.

    Raises:
        ValueError: the file is not such a dump, or holds a model this library does not have.
    """
    with np.load(path, allow_pickle=False) as archive:
        if "config_json" not in archive.files:
            raise ValueError(f"{path} has no entry 'config_json': it is no dump of a nequip model.")
        settings = json.loads(str(archive["config_json"]))
        prefix = "sd/"
        state = {k.removeprefix(prefix): archive[k] for k in archive.files if k.startswith(prefix)}
    config = config_from_nequip2023(settings, state, type_names)
    return config, params_from_nequip2023(state, config)


def config_from_nequip2023(
    settings: Mapping[str, Any], state: StateDict, type_names: Sequence[str]
) -> Allegro2023Config:
    """Translates the settings of a model of 2023.

    Frequencies and weights of the residual updates that are not the initial ones become trainable.

    Args:
        settings: T (number of types), r_max, l_max, parity, num_layers, mul (tensor channels),
            num_basis, p (envelope), two_body, latent and edge_eng (widths), nonlinearity,
            avg_num_neighbors.
        state: state dict.
        type_names: chemical symbols in the order of the type indices.

    Raises:
        ValueError: a setting is missing, or another number of types was trained.
    """
    missing = [name for name in _SETTINGS if name not in settings]
    if missing:
        raise ValueError(f"The settings of the model lack {missing}; they are {dict(settings)}.")
    if len(type_names) != settings["T"]:
        raise ValueError(
            f"type_names must name the {settings['T']} types of the model; got {type_names!r}."
        )
    harmonics = np.arange(1, settings["num_basis"] + 1)
    frequencies = _read(state, _BESSEL + "basis.bessel_weights") / np.pi
    return Allegro2023Config(
        type_names=tuple(type_names),
        cutoff=float(settings["r_max"]),
        l_max=settings["l_max"],
        parity=settings["parity"],
        num_layers=settings["num_layers"],
        num_tensor_features=settings["mul"],
        num_bessels=settings["num_basis"],
        bessel_trainable=not np.allclose(frequencies, harmonics, rtol=1e-6),
        polynomial_cutoff_p=float(settings["p"]),
        two_body_widths=settings["two_body"],
        latent_widths=settings["latent"],
        two_body_nonlinearity=settings["nonlinearity"],
        latent_nonlinearity=settings["nonlinearity"],
        trainable_residual=bool(np.any(_read(state, _RESIDUAL))),
        trainable_edge_scales=_read(state, _EDGE_SCALES).size > 0,
        readout=MLPReadout(settings["edge_eng"], None),
        avg_num_neighbors=settings["avg_num_neighbors"],
        precision=Precision("float64", str(frequencies.dtype), "float64"),
    )


def params_from_nequip2023(state: StateDict, config: Allegro2023Config) -> dict[str, Any]:
    """Renames and reorders the arrays of a state dict of 2023.

    The linear map after the last tensor product, whose result nothing uses, is left out.

    Args:
        state: state dict.
        config: config of the model, see `config_from_nequip2023`.

    Raises:
        ValueError: an array is missing, has the wrong number of elements, or is left over.
    """
    rest = dict(state)
    params: dict[str, Any] = {
        "two_body": {"mlp": _mlp(rest, "allegro.latents.0")},
        "readout": {"mlp": _mlp(rest, "edge_eng._module")},
    }
    _check_statistics(rest, config)
    frequencies = _take(rest, _BESSEL + "basis.bessel_weights") / np.pi
    if config.bessel_trainable:
        params["two_body"]["frequencies"] = frequencies
    residual, edge_scales = _take(rest, _RESIDUAL), _take(rest, _EDGE_SCALES)
    if config.trainable_residual:
        params["residual"] = residual
    if config.trainable_edge_scales:
        params["edge_scales"] = edge_scales
    for layer in range(config.num_layers):
        params |= _layer(rest, layer, config)
    left = sorted(key for key in rest if not key.endswith(_BUFFERS))
    if left:
        raise ValueError(f"The state dict has arrays this library does not know: {left}.")
    return params


def _layer(rest: dict[str, np.ndarray], layer: int, config: Allegro2023Config) -> dict[str, Any]:
    last = layer == config.num_layers - 1
    track = track_irreps(config.l_max, config.parity, config.num_layers, never_again=True)
    name = "allegro.final_latent" if last else f"allegro.latents.{layer + 1}"
    latent = _mlp(rest, name)
    latent["weight_0"] = _scalars_path_major(latent["weight_0"], config)
    embed = _mlp(rest, f"allegro.env_embed_mlps.{layer}")["weight_0"]
    params: dict[str, Any] = {
        f"latent_{layer}": latent,
        f"environment_embed_{layer}": {"weight_0": _irrep_major(embed, config)},
    }
    mix = _take(rest, f"allegro.linears.{layer}.w")
    if not last:
        params |= _mix(mix, layer, (track[layer], track[layer + 1]), config)
    return params


def _scalars_path_major(weight: np.ndarray, config: Allegro2023Config) -> np.ndarray:
    """Rows of the scalars from (channel, path) to our (path, channel)."""
    latent, scalars = np.split(weight, [config.latent_size])
    width = weight.shape[1]
    scalars = scalars.reshape(config.num_tensor_features, -1, width).swapaxes(0, 1)
    return np.vstack([latent, scalars.reshape(-1, width)])


def _irrep_major(weight: np.ndarray, config: Allegro2023Config) -> np.ndarray:
    """Columns from ([edge, environment,] channel, irrep) to our ([...,] irrep, channel)."""
    shape = (len(weight), -1, config.num_tensor_features, config.l_max + 1)
    return weight.reshape(shape).swapaxes(2, 3).reshape(len(weight), -1)


def _mix(
    weights: np.ndarray, layer: int, irreps: tuple[Irreps, Irreps], config: Allegro2023Config
) -> dict[str, np.ndarray]:
    """One matrix [path and channel, channel] per irrep from blocks (out, in, path)."""
    channels = config.num_tensor_features
    paths = coupling_paths(irreps[0], harmonic_irreps(config.l_max), irreps[1])
    expected = len(paths) * channels**2
    if weights.size != expected:
        raise ValueError(
            f"allegro.linears.{layer}.w must have {expected} numbers; got {weights.size}."
        )
    params, start = {}, 0
    for irrep in irreps[1]:
        num_paths = sum(path.out == irrep for path in paths)
        stop = start + num_paths * channels**2
        block = weights[start:stop].reshape(channels, channels, num_paths)
        params[f"mix_{layer}_{irrep.name}"] = block.transpose(2, 1, 0).reshape(-1, channels)
        start = stop
    return params


def _check_statistics(rest: dict[str, np.ndarray], config: Allegro2023Config) -> None:
    """Raises a ValueError unless the radial basis is normalised as it is here."""
    mean, std = bessel_statistics(config.num_bessels)
    to_ours = config.cutoff**2 / (2 * np.pi)  # theirs is (2/r_c) sin(n π r/r_c) / r
    ours = {"_mean": mean / to_ours, "_inv_std": to_ours / std}
    for name, values in ours.items():
        theirs = _take(rest, _BESSEL + name)
        if theirs.shape != values.shape or not np.allclose(theirs, values, rtol=1e-4, atol=1e-6):
            raise ValueError(
                f"Expected {_BESSEL + name} = {values} of a normalised Bessel basis; got {theirs}."
            )


def _read(state: StateDict, key: str) -> np.ndarray:
    if key not in state:
        raise ValueError(f"The state dict has no array {key!r}; it has {list(state)}.")
    return state[key]


def _take(rest: dict[str, np.ndarray], key: str) -> np.ndarray:
    """Reads an array and takes it out, so that none is overlooked."""
    array = _read(rest, key)
    del rest[key]
    return array


def _mlp(rest: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    count = sum(key.startswith(f"{prefix}._forward._weight_") for key in rest)
    return {
        f"weight_{index}": _take(rest, f"{prefix}._forward._weight_{index}")
        for index in range(max(count, 1))
    }
