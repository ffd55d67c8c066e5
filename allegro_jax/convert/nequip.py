"""Weights of nequip-allegro models (0.5 to 0.8) without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.configs import (
    ZBL,
    AllegroConfig,
    MLPConfig,
    MLPReadout,
    PerType,
    Precision,
    SplineBasis,
)

StateDict = Mapping[str, np.ndarray]

# Constants of the architecture, which the config gives already.
_BUFFERS = ("_empty", ".w3j", "._rmax_recip", ".spline.lower", ".spline.upper", "._rtoi")
_BESSEL = "allegro.nn.TwoBodyBesselScalarEmbed"
_SPLINE = "allegro.nn.TwoBodySplineScalarEmbed"
_ZBL = "nequip.nn.pair_potential.ZBL"
_MLPS = ("scalar_embed_mlp", "allegro_mlp", "readout_mlp")
_ARGUMENTS = frozenset(
    ["type_names", "r_max", "per_edge_type_cutoff", "l_max", "parity", "num_layers"]
    + ["num_scalar_features", "num_tensor_features"]
    + ["radial_chemical_embed", "radial_chemical_embed_dim"]
    + [f"{mlp}_{end}" for mlp in _MLPS for end in ("hidden_layers_depth", "hidden_layers_width")]
    + [f"{mlp}_nonlinearity" for mlp in _MLPS]
    + ["tp_path_channel_coupling", "weight_individual_irreps", "forward_normalize"]
    + ["avg_num_neighbors", "pair_potential", "model_dtype"]
    + [f"per_type_energy_{kind}" for kind in ("scales", "shifts")]
    + [f"per_type_energy_{kind}_trainable" for kind in ("scales", "shifts")]
)
_IRRELEVANT = frozenset(["_target_", "seed", "compile_mode", "do_derivatives"])


def load_nequip_npz(path: str | Path) -> tuple[AllegroConfig, dict[str, Any]]:
    """Reads config and parameters of a nequip-allegro model dumped into one npz file.

    Args:
        path: file with `config_json` (arguments of `AllegroModel`) and arrays `sd/<key>`.

    Returns:
        The config and the parameters of the same model here.

    Raises:
        ValueError: the file is not such a dump, or holds a model this library does not have.
    """
    with np.load(path, allow_pickle=False) as archive:
        if "config_json" not in archive.files:
            raise ValueError(f"{path} has no entry 'config_json': it is no dump of a nequip model.")
        arguments = json.loads(str(archive["config_json"]))
        prefix = "sd/"
        state = {k.removeprefix(prefix): archive[k] for k in archive.files if k.startswith(prefix)}
    config = config_from_nequip(arguments, state)
    return config, params_from_state_dict(state, config)


def config_from_nequip(arguments: Mapping[str, Any], state: StateDict) -> AllegroConfig:
    """Translates the arguments of nequip's `AllegroModel`; absent ones take nequip's defaults.

    Scales and shifts come from the state dict, which holds the trained values.

    Args:
        arguments: keyword arguments of the model builder.
        state: state dict, keys with or without the prefix `model.func.`.

    Raises:
        ValueError: options this library does not have, or invalid ones.
    """
    unknown = sorted(set(arguments) - _ARGUMENTS - _IRRELEVANT)
    if unknown:
        raise ValueError(f"The model has options this library does not support: {unknown}.")
    names = tuple(arguments["type_names"])
    embedding = arguments["radial_chemical_embed"]
    is_spline = _is_spline(embedding)
    width = arguments.get("num_scalar_features", 64)
    readout = _mlp(arguments, "readout_mlp", 32)
    dtype = arguments.get("model_dtype", "float32")
    state = _without_prefix(state)
    scaling = "per_type_energy_scale_shift."
    return AllegroConfig(
        type_names=names,
        cutoff=float(arguments["r_max"]),
        l_max=arguments.get("l_max", 1),
        parity=arguments.get("parity", True),
        num_layers=arguments.get("num_layers", 2),
        num_scalar_features=width,
        num_tensor_features=arguments.get("num_tensor_features", 16),
        radial_chemical_embed_dim=arguments.get("radial_chemical_embed_dim"),
        num_bessels=embedding.get("num_bessels", 8),
        bessel_trainable=embedding.get("bessel_trainable", False),
        polynomial_cutoff_p=float(embedding.get("polynomial_cutoff_p", 6)),
        splines=_splines(embedding) if is_spline else None,
        per_edge_type_cutoff=_edge_cutoffs(arguments, names),
        scalar_embed_mlp=_mlp(arguments, "scalar_embed_mlp", 64),
        allegro_mlp=_mlp(arguments, "allegro_mlp", 64),
        readout=MLPReadout((readout.width,) * readout.depth, readout.nonlinearity),
        avg_num_neighbors=_per_type(arguments["avg_num_neighbors"], names),
        per_type_energy_scales=_buffer(state.get(scaling + "scales")),
        per_type_energy_shifts=_buffer(state.get(scaling + "shifts")),
        trainable_scales=_is_trainable(arguments, "scales", state),
        trainable_shifts=_is_trainable(arguments, "shifts", state),
        forward_normalize=arguments.get("forward_normalize", True),
        tp_path_channel_coupling=arguments.get("tp_path_channel_coupling", True),
        weight_individual_irreps=arguments.get("weight_individual_irreps", True),
        pair_potential=_zbl(arguments.get("pair_potential"), names),
        precision=Precision(geometry="float64", network=dtype, energy="float64"),
    )


def params_from_state_dict(state: StateDict, config: AllegroConfig) -> dict[str, Any]:
    """Renames and reorders the arrays of a nequip-allegro state dict.

    Args:
        state: state dict, keys with or without the prefix `model.func.`.
        config: config of the model, see `config_from_nequip`.

    Raises:
        ValueError: an array is missing, has the wrong number of elements, or is left over.
    """
    rest = _Reader(_without_prefix(state))
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


def _without_prefix(state: StateDict) -> StateDict:
    return {key.rpartition("model.func.")[2]: value for key, value in state.items()}


def _mlp(arguments: Mapping[str, Any], name: str, width: int) -> MLPConfig:
    return MLPConfig(
        depth=arguments.get(f"{name}_hidden_layers_depth", 1),
        width=arguments.get(f"{name}_hidden_layers_width", width),
        nonlinearity=arguments.get(f"{name}_nonlinearity", "silu"),
    )


def _is_spline(embedding: Mapping[str, Any]) -> bool:
    target = embedding.get("_target_")
    name = str(target).rpartition(".")[2]
    if name not in (_BESSEL.rpartition(".")[2], _SPLINE.rpartition(".")[2]):
        raise ValueError(f"Expected radial_chemical_embed {_BESSEL} or {_SPLINE}; got {target!r}.")
    return name == _SPLINE.rpartition(".")[2]


def _is_trainable(arguments: Mapping[str, Any], kind: str, state: StateDict) -> bool:
    values = state.get(f"per_type_energy_scale_shift.{kind}")
    wanted = bool(arguments.get(f"per_type_energy_{kind}_trainable", False))
    return wanted and values is not None and values.size > 0


def _splines(embedding: Mapping[str, Any]) -> SplineBasis:
    return SplineBasis(embedding.get("num_splines", 16), embedding.get("spline_span", 12))


def _per_type(value: Any, names: tuple[str, ...]) -> PerType:
    return tuple(value[name] for name in names) if isinstance(value, Mapping) else value


def _buffer(array: np.ndarray | None) -> PerType | None:
    if array is None or array.size == 0:
        return None
    values = tuple(float(value) for value in array.reshape(-1))
    return values[0] if len(values) == 1 else values


def _zbl(pair_potential: Mapping[str, Any] | None, names: tuple[str, ...]) -> ZBL | None:
    if pair_potential is None:
        return None
    target = pair_potential.get("_target_")
    if str(target).rpartition(".")[2] != "ZBL":
        raise ValueError(f"Expected the pair_potential {_ZBL} or none; got {target!r}.")
    if pair_potential.get("units", "metal") != "metal":
        raise ValueError(
            f"Expected a ZBL in 'metal' units (eV, Å); got {pair_potential['units']!r}."
        )
    species = tuple(pair_potential.get("chemical_species", names))
    if species != names:
        raise ValueError(f"Expected a ZBL with chemical_species {names}; got {species}.")
    return ZBL(float(pair_potential.get("polynomial_cutoff_p", 6)))


def _edge_cutoffs(
    arguments: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[tuple[float, ...], ...] | None:
    """The full table [centre][neighbour]; entries that are not given are `r_max`."""
    given = arguments.get("per_edge_type_cutoff")
    if given is None:
        return None
    r_max = float(arguments["r_max"])
    rows = (given.get(centre, r_max) for centre in names)
    return tuple(
        tuple(float(row.get(name, r_max) if isinstance(row, Mapping) else row) for name in names)
        for row in rows
    )
