"""nequip's own files, Lightning checkpoints and packages, to a model of this library."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.configs import AllegroConfig
from allegro_jax.convert.nequip import is_parameter, load_nequip_npz, params_from_state_dict
from allegro_jax.convert.nequip_config import config_from_nequip
from allegro_jax.convert.pickles import Record, Tensor
from allegro_jax.convert.torch_files import TorchArchive

_MODEL = "model.sole_model."
_EMA = "ema.ema_weight_"
_BUILDERS = ("allegro.model.AllegroModel", "allegro.model.allegro_models.AllegroModel")
_MODIFY = ("nequip.model.modify", "nequip.model.modify_utils.modify")
# What settings of an unexpected kind may lead to, besides a ValueError.
_SURPRISES = (LookupError, TypeError, AttributeError, OverflowError, RecursionError)
# Modifiers that choose kernels or outputs, and leave the weights and the energy as they are.
_HARMLESS_MODIFIERS = (
    "enable_TritonContracter",
    "enable_CuEquivarianceContracter",
    "enable_ForceStressOutput",
    "disable_ForceStressOutput",
)


def load_nequip(path: str | Path) -> tuple[AllegroConfig, dict[str, Any]]:
    """Reads an Allegro model that nequip wrote, without torch and without running code from it.

    Of a model trained with an exponential moving average the averaged weights are taken, as the
    tools of nequip do.

    Args:
        path: Lightning checkpoint (`.ckpt`), package (`.nequip.zip`), or dump of a state dict
            (`.npz`, see `load_nequip_npz`).

    Returns:
        The config and the parameters of the same model here.

    Raises:
        ValueError: the file is damaged, not from nequip 0.7 or newer, refers to code that has no
            place in it, or holds a model with options this library does not have; the message
            says which.
    """
    try:
        if Path(path).suffix == ".npz":
            return load_nequip_npz(path)
        with TorchArchive(path) as archive:
            arguments, state = _read(archive)
        config = config_from_nequip(arguments, state)
        return config, params_from_state_dict(state, config)
    except KeyError as error:
        raise ValueError(f"{path} cannot be imported: it lacks {error}.") from error
    except (ValueError, *_SURPRISES) as error:
        raise ValueError(f"{path} cannot be imported: {error}") from error


def _read(archive: TorchArchive) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Arguments of the model and its state dict."""
    if "model/eager_model.pkl" in archive:
        return _read_package(archive)
    if "data.pkl" in archive:
        return _read_checkpoint(archive)
    raise ValueError("it is a zip archive, but no checkpoint or package of nequip.")


def _read_checkpoint(archive: TorchArchive) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Arguments of the model and its weights, averaged ones if there are any."""
    checkpoint = archive.unpickle("data.pkl")
    settings = _entry(checkpoint, "hyper_parameters")
    if "schedulefree_optimizer_state_dict" in checkpoint:
        raise ValueError(
            "it was trained with a schedule-free optimiser, whose checkpoints hold "
            "the final weights only after a step of the optimiser. Make a package of it with "
            "nequip-package and import that."
        )
    arguments = _model_arguments(_entry(settings, "model"))
    tensors = _entry(checkpoint, "state_dict")
    models = {key.split(".")[1] for key in tensors if key.startswith("model.")}
    _check_single_model(models)
    state = {
        key.removeprefix(_MODEL): archive.array(tensor)
        for key, tensor in tensors.items()
        if key.startswith(_MODEL) and isinstance(tensor, Tensor)
    }
    return arguments, _averaged(state, arguments, tensors, archive)


def _averaged(
    state: dict[str, np.ndarray],
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Any],
    archive: TorchArchive,
) -> dict[str, np.ndarray]:
    """Replaces the parameters of the model by their moving averages.

    `ema.ema_weight_k` belongs to the k-th parameter; buffers have no average.
    """
    count = sum(key.startswith(_EMA) for key in tensors)
    if not count:
        return state
    extra = tensors.get("ema._extra_state")
    if not isinstance(extra, dict) or extra.get("is_holding_ema_weights") is not True:
        raise ValueError("it does not say which of its weights are the averages.")
    names = [key for key in state if is_parameter(key, arguments)]
    averages = [archive.array(tensors[f"{_EMA}{k}"]) for k in range(count)]
    shapes = [state[name].shape for name in names]
    if [average.shape for average in averages] != shapes:
        raise ValueError(f"the averaged weights do not match the model's parameters {names}.")
    return {**state, **dict(zip(names, averages, strict=True))}


def _read_package(archive: TorchArchive) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Arguments and weights of a package, which holds those to be used and no others."""
    import yaml  # here, to keep `--help` quick

    try:
        settings = yaml.safe_load(archive.read("model/config.yaml"))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError("the config of the package is damaged.") from error
    training = _entry(settings, "training_module")
    arguments = _model_arguments(_entry(training, "model"))
    modules = _children(archive.unpickle("model/eager_model.pkl"))
    _check_single_model(set(modules))
    tensors = dict(_state_dict(modules["sole_model"]))
    return arguments, {name: archive.array(tensor) for name, tensor in tensors.items()}


def _state_dict(module: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The state dict of a pickled torch module, in torch's order."""
    for group in ("_parameters", "_buffers"):
        transient = _attribute(module, "_non_persistent_buffers_set") or ()
        for name, tensor in (_attribute(module, group) or {}).items():
            if isinstance(tensor, Tensor) and name not in transient:
                yield prefix + name, tensor
    for name, child in _children(module).items():
        yield from _state_dict(child, f"{prefix}{name}.")


def _children(module: Any) -> dict[str, Any]:
    return _attribute(module, "_modules") or {}


def _attribute(module: Any, name: str) -> Any:
    state = module.state if isinstance(module, Record) else None
    return state.get(name) if isinstance(state, dict) else None


def _entry(settings: Any, key: str) -> dict[str, Any]:
    value = settings.get(key) if isinstance(settings, dict) else None
    if not isinstance(value, dict):
        raise ValueError(f"it has no {key!r}, as files of nequip 0.7 and newer do.")
    return value


def _check_single_model(names: set[str]) -> None:
    if names != {"sole_model"}:
        raise ValueError(
            f"expected one model, but it has {sorted(names)}; several models in one file are not "
            "supported."
        )


def _model_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of nequip's `AllegroModel`, with modifiers of the weights resolved."""
    target = settings.get("_target_")
    if target in _MODIFY:
        return _modified(settings)
    if target not in _BUILDERS:
        raise ValueError(
            f"its model is made by {target!r}, and only {_BUILDERS[0]!r} is supported. A model "
            "fine-tuned from a package or checkpoint does not hold its own settings."
        )
    return dict(settings)


def _modified(settings: Mapping[str, Any]) -> dict[str, Any]:
    arguments = _model_arguments(_entry(settings, "model"))
    for modifier in settings.get("modifiers", ()):
        name = modifier.get("modifier")
        if name == "modify_PerTypeScaleShift":  # the state dict has the values
            for kind in ("scales", "shifts"):
                trainable = modifier.get(f"{kind}_trainable", False)
                arguments[f"per_type_energy_{kind}_trainable"] = trainable
        elif name not in _HARMLESS_MODIFIERS:
            raise ValueError(f"it uses the model modifier {name!r}, which is not supported.")
    return arguments
