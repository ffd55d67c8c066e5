"""Settings of nequip's `AllegroModel` to and from the config of this library."""

from collections.abc import Mapping
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
    state = without_prefix(state)
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


def nequip_arguments(config: AllegroConfig, state: StateDict) -> dict[str, Any]:
    """Keyword arguments with which nequip's `AllegroModel` builds the same model.

    Args:
        config: architecture.
        state: its state dict, which holds the final scales and shifts.

    Raises:
        ValueError: nequip has no such model.
    """
    check_exportable(config)
    assert isinstance(config.readout, MLPReadout)
    hidden = config.readout.hidden
    readout = MLPConfig(len(hidden), (*hidden, 1)[0], config.readout.activation)
    names = config.type_names
    return {
        "seed": 0,
        "model_dtype": config.precision.network,
        "r_max": config.cutoff,
        "type_names": list(names),
        "l_max": config.l_max,
        "parity": config.parity,
        "radial_chemical_embed": _embedding_arguments(config),
        "radial_chemical_embed_dim": config.radial_chemical_embed_dim,
        **_mlp_arguments("scalar_embed_mlp", config.scalar_embed_mlp),
        "num_layers": config.num_layers,
        "num_scalar_features": config.num_scalar_features,
        "num_tensor_features": config.num_tensor_features,
        **_mlp_arguments("allegro_mlp", config.allegro_mlp),
        "tp_path_channel_coupling": config.tp_path_channel_coupling,
        **_mlp_arguments("readout_mlp", readout),
        "avg_num_neighbors": _by_name(config.avg_num_neighbors, names),
        "per_type_energy_scales": _scale_argument(state, "scales", names),
        "per_type_energy_shifts": _scale_argument(state, "shifts", names),
        "per_type_energy_scales_trainable": config.trainable_scales,
        "per_type_energy_shifts_trainable": config.trainable_shifts,
        "per_edge_type_cutoff": _cutoff_arguments(config),
        "weight_individual_irreps": config.weight_individual_irreps,
        "forward_normalize": config.forward_normalize,
        **_pair_arguments(config),
    }


def check_exportable(config: AllegroConfig) -> None:
    """Raises a ValueError that names what nequip does not have."""
    readout = config.readout
    if not isinstance(readout, MLPReadout):
        raise ValueError(
            f"nequip has no {type(readout).__name__}; only MLPReadout can be exported."
        )
    if config.latent_circuit is not None:
        raise ValueError("nequip has no circuits in its latents; latent_circuit must be None.")
    if len(set(readout.hidden)) > 1:
        raise ValueError(f"nequip needs equal widths in readout.hidden; got {readout.hidden}.")
    if config.pair_potential is not None and config.pair_potential.cutoff is not None:
        raise ValueError(
            "nequip's ZBL ends at the cutoff of the edges; train with pair_potential.cutoff=None "
            f"to export; got {config.pair_potential.cutoff!r}."
        )
    if config.precision.network not in ("float32", "float64"):
        raise ValueError(
            f"nequip has no models in {config.precision.network}; set precision.network to float32."
        )


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


def _embedding_arguments(config: AllegroConfig) -> dict[str, Any]:
    if config.splines is not None:
        target = "allegro.nn.TwoBodySplineScalarEmbed"
        splines = config.splines
        return {"_target_": target, "num_splines": splines.num_splines, "spline_span": splines.span}
    return {
        "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
        "num_bessels": config.num_bessels,
        "bessel_trainable": config.bessel_trainable,
        "polynomial_cutoff_p": config.polynomial_cutoff_p,
    }


def _mlp_arguments(name: str, mlp: MLPConfig) -> dict[str, Any]:
    return {
        f"{name}_hidden_layers_depth": mlp.depth,
        f"{name}_hidden_layers_width": mlp.width,
        f"{name}_nonlinearity": mlp.nonlinearity,
    }


def _by_name(value: PerType | None, names: tuple[str, ...]) -> Any:
    return dict(zip(names, value, strict=True)) if isinstance(value, tuple) else value


def _scale_argument(state: StateDict, kind: str, names: tuple[str, ...]) -> Any:
    values = state[f"model.func.per_type_energy_scale_shift.{kind}"].reshape(-1).tolist()
    if not values:
        return None
    return values[0] if len(values) == 1 else _by_name(tuple(values), names)


def _cutoff_arguments(config: AllegroConfig) -> dict[str, dict[str, float]] | None:
    table = config.per_edge_type_cutoff
    if table is None:
        return None
    names = config.type_names
    rows = (dict(zip(names, row, strict=True)) for row in table)
    return dict(zip(names, rows, strict=True))


def _pair_arguments(config: AllegroConfig) -> dict[str, Any]:
    if config.pair_potential is None:
        return {}
    zbl = {
        "_target_": "nequip.nn.pair_potential.ZBL",
        "units": "metal",
        "chemical_species": list(config.type_names),
        "polynomial_cutoff_p": config.pair_potential.polynomial_cutoff_p,
    }
    return {"pair_potential": zbl}


def without_prefix(state: StateDict) -> StateDict:
    """Keys as they are inside of the torch model, whatever holds it."""
    return {key.rpartition("model.func.")[2]: value for key, value in state.items()}
