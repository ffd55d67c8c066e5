"""A potential on disk: a folder with `config.json` and one npz file of arrays, never pickle.

`config.json` names the array file, whose name holds a digest of its content, and is replaced in
one step after the arrays are in place. Whoever reads the folder therefore finds either the old
potential or the new one, also when writing was interrupted.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from allegro_jax.configs import D3, ModelConfig, config_from_json
from allegro_jax.files import replace_file, write_json
from allegro_jax.models.energy import Params

FORMAT = "allegro_jax potential"
FORMAT_VERSION = 1
WITH_DISPERSION = 2
"""Version of folders that name a dispersion correction, which earlier releases would leave out."""
CONFIG = "config.json"
COMMITTEE = "committee.json"
"""What the folder of a committee has instead; see `committee_storage`."""


def write_potential(
    folder: str | Path,
    config: ModelConfig,
    params: Params,
    atomic_energies: Mapping[str, float],
    dispersion: D3 | None = None,
) -> None:
    """Writes a potential into `folder`, which is made if need be; other files there stay."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: storable(leaf) for name, leaf in flatten(params).items()}
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    file_name = f"params-{hashlib.sha256(content).hexdigest()[:12]}.npz"
    replace_file(folder / file_name, content)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "params": file_name,
        "atomic_energies": {name: float(energy) for name, energy in atomic_energies.items()},
        "config": config.to_json(),
    }
    if dispersion is not None:
        header |= {"format_version": WITH_DISPERSION, "dispersion": dispersion.to_json()}
    write_json(folder / CONFIG, header)
    (folder / COMMITTEE).unlink(missing_ok=True)  # the folder holds a single potential now
    for old in folder.glob("params-*.npz"):
        if old.name != file_name:
            old.unlink()


def read_potential(
    folder: str | Path,
) -> tuple[ModelConfig, Params, dict[str, float], D3 | None]:
    """Reads what `write_potential` wrote.

    Raises:
        ValueError: the folder is missing, holds no potential, one of another format version, or
            an incomplete one.
    """
    folder = Path(folder)
    header = _read_header(folder)
    try:
        with np.load(folder / header["params"], allow_pickle=False) as archive:
            params = unflatten({name: archive[name] for name in archive.files})
        config = config_from_json(header["config"])
        dispersion = header.get("dispersion")
        added = None if dispersion is None else D3.of(dispersion)
        return config, params, dict(header["atomic_energies"]), added
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"The potential in {folder} is incomplete: {error}.") from error


def _read_header(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ValueError(f"Expected the folder of a saved potential; {folder} does not exist.")
    if (folder / COMMITTEE).exists() and not (folder / CONFIG).exists():
        raise ValueError(
            f"{folder} holds a committee of potentials; read it with allegro_jax.Committee.load"
        )
    try:
        header = json.loads((folder / CONFIG).read_text())
        found = header["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no saved potential: its {CONFIG} is missing or of another kind. "
            "Give the folder that Potential.save wrote."
        ) from error
    version = header.get("format_version")
    expected = WITH_DISPERSION if "dispersion" in header else FORMAT_VERSION
    if (found, version) != (FORMAT, expected):
        raise ValueError(
            f"Expected format {FORMAT!r} of version {expected} in {folder / CONFIG}; got "
            f"{found!r} of version {version!r}. Read it with the release that wrote it."
        )
    return header


def check_params(config: ModelConfig, params: Params, expected: Params) -> None:
    """Raises a ValueError that names the first parameter that does not fit.

    Args:
        config: used in the message only.
        params: nested dictionary of arrays.
        expected: nested dictionary of arrays or shapes that the config asks for.
    """
    have, want = flatten(params), flatten(expected)
    hint = f"The parameters belong to another model than this config ({config})."
    for name, array in want.items():
        if name not in have:
            raise ValueError(f"Parameter {name!r} of shape {array.shape} is missing. {hint}")
        if have[name].shape != array.shape:
            raise ValueError(
                f"Parameter {name!r} must have shape {array.shape}; got {have[name].shape}. {hint}"
            )
    extra = sorted(set(have) - set(want))
    if extra:
        raise ValueError(f"The model has no parameters {extra}. {hint}")


def flatten(params: Params) -> dict[str, Any]:
    """Nested dictionary → {"layer/weight": array}."""
    leaves, _ = jax.tree.flatten_with_path(params)
    return {"/".join(str(key.key) for key in path): leaf for path, leaf in leaves}


def unflatten(arrays: Mapping[str, Any]) -> Params:
    """{"layer/weight": array} → nested dictionary."""
    params: Params = {}
    for name, array in arrays.items():
        *parents, last = name.split("/")
        branch = params
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = array
    return params


def storable(array: Any) -> np.ndarray:
    """Npz files know no bfloat16; float32 holds the same values."""
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype == jnp.bfloat16 else array
