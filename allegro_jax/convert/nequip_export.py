"""The way home: a model of this library as arguments and state dict of nequip's `AllegroModel`.

The inverse of `allegro_jax.convert.nequip`, for nequip-allegro 0.8. In PyTorch::

    vector = np.load("home.npz")
    model = AllegroModel(**json.loads(str(vector["config_json"])))
    model.load_state_dict({k[3:]: torch.as_tensor(vector[k]) for k in vector if k[:3] == "sd/"})
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.configs import AllegroConfig, MLPReadout
from allegro_jax.convert.nequip_config import check_exportable, nequip_arguments
from allegro_jax.models.energy import Params
from allegro_jax.nn.irreps import (
    coupling_coefficients,
    coupling_paths,
    dimension,
    harmonic_irreps,
    track_irreps,
)
from allegro_jax.nn.pair_repulsion import COULOMB_EV_ANGSTROM

StateDict = dict[str, np.ndarray]


def save_nequip_npz(
    path: str | Path,
    config: AllegroConfig,
    params: Params,
    atomic_energies: Mapping[str, float] | None = None,
) -> None:
    """Writes a model so that nequip can go on with it; `load_nequip_npz` reads it back.

    Args:
        path: npz file, with `config_json` (arguments of `AllegroModel`) and arrays `sd/<key>`.
        config: architecture.
        params: parameters.
        atomic_energies: reference energy of each type (eV), which nequip keeps in its shifts.

    Raises:
        ValueError: nequip has no such model; the message names the option.
    """
    references = [(atomic_energies or {}).get(name, 0.0) for name in config.type_names]
    state = nequip_state_dict(config, params, np.array(references))
    arrays: dict[str, Any] = {f"sd/{key}": array for key, array in state.items()}
    arguments = nequip_arguments(config, state)
    np.savez_compressed(path, config_json=json.dumps(arguments), **arrays)


def nequip_state_dict(
    config: AllegroConfig, params: Params, references: np.ndarray | None = None
) -> StateDict:
    """Parameters and buffers under the names, shapes and types nequip gives them.

    Args:
        config: architecture.
        params: parameters.
        references: energies to be added to the shifts, one per type (eV).

    Raises:
        ValueError: nequip has no such model.
    """
    check_exportable(config)
    channels, scalars = config.num_tensor_features, config.num_scalar_features
    dtype = np.dtype(config.precision.network)
    mlp, readout = config.scalar_embed_mlp, config.readout
    assert isinstance(readout, MLPReadout)
    state = {"edge_norm._rmax_recip": _reciprocal_cutoffs(config)}
    state |= _embedding_state(config, params["two_body"])
    state |= _mlp_state("scalar_embed_mlp.mlp_module", params["scalar_embed"], mlp.nonlinearity)
    tensor_embed = _channel_major(params["tensor_embed"], 0, channels)
    state |= _mlp_state("tensor_embed.env_embed_linear", tensor_embed)
    if not config.weight_individual_irreps:
        state["allegro._env_weighter._rtoi"] = np.zeros(0, dtype)
    first = _channel_major(params["environment_embed"], scalars, channels)
    state |= _mlp_state("allegro.first_layer_env_embed_projection", first)
    for layer in range(config.num_layers):
        latent = _channel_major(params[f"latent_{layer}"], scalars, channels)
        activation = config.allegro_mlp.nonlinearity
        state |= _mlp_state(f"allegro.latents.{layer}", latent, activation)
    for layer in range(config.num_layers):
        weights = np.asarray(params[f"tensor_product_{layer}"]).T
        kept = [axis for axis, size in enumerate(weights.shape) if _keeps(axis, size, config)]
        shape = [weights.shape[axis] for axis in kept]
        state[f"allegro.tps.{layer}.weights"] = weights.reshape(shape)
        state[f"allegro.tps.{layer}.w3j"] = _couplings(config, layer).astype(dtype)
    state |= _mlp_state("edge_readout.mlp_module", params["readout"]["mlp"], readout.activation)
    state |= _scale_state(config, params, references)
    state |= _pair_state(config)
    prefixed = {f"model.func.{key}": np.asarray(array) for key, array in state.items()}
    return {"model._empty": np.zeros(0, dtype), **prefixed}


def _keeps(axis: int, size: int, config: AllegroConfig) -> bool:
    """The path axis of one path and the channel axis of shared weights are dropped in nequip."""
    return size > 1 if axis == 1 else config.tp_path_channel_coupling


def _pair_state(config: AllegroConfig) -> StateDict:
    if config.pair_potential is None:
        return {}
    numbers = np.array(config.atomic_numbers, config.precision.network)
    half_coulomb = np.array(0.5 * COULOMB_EV_ANGSTROM)
    return {
        "pair_potential.atomic_numbers": numbers,
        "pair_potential._qqr2exesquare": half_coulomb,
    }


def _reciprocal_cutoffs(config: AllegroConfig) -> np.ndarray:
    table = config.per_edge_type_cutoff
    return np.array(1.0 / config.cutoff) if table is None else 1.0 / np.array(table).reshape(-1)


def _embedding_state(config: AllegroConfig, params: Params) -> StateDict:
    prefix = "radial_chemical_embed."
    if config.splines is not None:
        splines = config.splines
        lower = (np.arange(splines.num_splines) - splines.span) / splines.num_splines
        weights = np.asarray(params["weights"], np.float64)
        return {
            prefix + "spline.lower": lower,
            prefix + "spline.upper": lower + (splines.span + 1) / splines.num_splines,
            prefix + "spline.class_embed.weight": weights.reshape(len(weights), -1),
        }
    frequencies = params.get("frequencies", np.arange(1, config.num_bessels + 1))
    return {
        prefix + "bessel_encode.bessel_weights": np.asarray(frequencies, np.float64)[None],
        prefix + "type_embed.center_embed.weight": params["centers"],
        prefix + "type_embed.neighbor_embed.weight": params["neighbors"],
        **_mlp_state(prefix + "type_embed.basis_linear", params["radial"]),
    }


def _mlp_state(prefix: str, weights: Params, activation: str | None = "silu") -> StateDict:
    """Weights under nequip's names, which count the activations between the layers as well."""
    arrays = [np.asarray(weights[f"weight_{index}"]) for index in range(len(weights))]
    if activation is None and len(arrays) > 1:
        return {f"{prefix}.mlp.weights.{index}": array for index, array in enumerate(arrays)}
    return {f"{prefix}.mlp.{2 * index}.weight": array for index, array in enumerate(arrays)}


def _channel_major(weights: Params, scalars: int, channels: int) -> Params:
    """Reorders the last columns from (irrep, channel) to nequip's (channel, irrep)."""
    name = f"weight_{len(weights) - 1}"
    last = np.asarray(weights[name])
    tensors = last[:, scalars:].reshape(len(last), -1, channels).swapaxes(1, 2)
    return {**weights, name: np.hstack([last[:, :scalars], tensors.reshape(len(last), -1)])}


def _couplings(config: AllegroConfig, layer: int) -> np.ndarray:
    """The buffer `w3j` of nequip: √(2l+1) C of every path in the place of its irreps.

    Shape (paths, first, second, out); one axis for first and second where only their diagonal is
    filled, and no axis of paths where there is one path.
    """
    track = track_irreps(config.l_max, config.parity, config.num_layers)
    irreps = (track[layer], harmonic_irreps(config.l_max), track[layer + 1])
    paths = coupling_paths(*irreps)
    couplings = np.zeros((len(paths), *map(dimension, irreps)))
    for index, path in enumerate(paths):
        block = coupling_coefficients(path.first.l, path.second.l, path.out.l)
        starts = (path.first_offset, path.second_offset, path.out_offset)
        i, j, k = (slice(at, at + n) for at, n in zip(starts, block.shape, strict=True))
        couplings[index, i, j, k] = block
    _, first, second, _ = np.nonzero(couplings)
    if couplings.shape[1] == couplings.shape[2] and np.array_equal(first, second):
        couplings = np.einsum("piik->pik", couplings)
    return couplings[0] if len(paths) == 1 else couplings


def _scale_state(config: AllegroConfig, params: Params, references: np.ndarray | None) -> StateDict:
    prefix = "per_type_energy_scale_shift."
    scales = params.get("energy_scales", config.per_type_energy_scales)
    shifts = params.get("energy_shifts", config.per_type_energy_shifts)
    if references is not None and np.any(references):
        shifts = np.asarray(0.0 if shifts is None else shifts, np.float64) + references
    values = {prefix + "scales": scales, prefix + "shifts": shifts}
    empty = np.zeros(0, config.precision.network)
    return {
        key: empty if value is None else np.asarray(value, np.float64).reshape(-1, 1)
        for key, value in values.items()
    }
