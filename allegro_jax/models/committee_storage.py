"""A committee on disk: a folder with `committee.json` and a potential's folder for every member.

`committee.json` names the folders of the members, whose parent has a name of its own for every
content, and is replaced in one step after they are in place: readers find the old committee or the
new one. Every member can be read as a potential alone.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from allegro_jax.configs import D3, ModelConfig
from allegro_jax.digests import digest
from allegro_jax.files import write_json
from allegro_jax.models.energy import Params
from allegro_jax.models.storage import COMMITTEE as HEADER
from allegro_jax.models.storage import CONFIG, read_potential, write_potential

FORMAT = "allegro_jax committee"
FORMAT_VERSION = 1

Parts = tuple[ModelConfig, Params, Mapping[str, float], D3 | None]


def write_committee(folder: str | Path, members: Sequence[Parts]) -> None:
    """Writes members (config, parameters, reference energies, dispersion) into `folder`.

    It is made if need be.
    """
    folder = Path(folder)
    parent = folder / f"members-{_digest(members)}"
    for number, parts in enumerate(members):
        write_potential(parent / str(number), *parts)
    names = [f"{parent.name}/{number}" for number in range(len(members))]
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, "members": names}
    write_json(folder / HEADER, header)
    (folder / CONFIG).unlink(missing_ok=True)  # the folder holds no single potential any more
    for old in folder.glob("members-*"):
        if old != parent:
            shutil.rmtree(old)


def read_committee(folder: str | Path) -> list[Parts]:
    """Reads what `write_committee` wrote.

    Raises:
        ValueError: the folder is missing, holds no committee, one of another format version, or
            an incomplete one.
    """
    folder = Path(folder)
    try:
        header = json.loads((folder / HEADER).read_text())
        found = header["format"], header["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no saved committee: its {HEADER} is missing or of another kind. "
            "Give the folder that Committee.save wrote; Potential.load reads a single potential."
        ) from error
    if found != (FORMAT, FORMAT_VERSION):
        raise ValueError(
            f"Expected format {FORMAT!r} of version {FORMAT_VERSION} in {folder / HEADER}; got "
            f"{found[0]!r} of version {found[1]!r}. Read it with the release that wrote it."
        )
    return [read_potential(folder / name) for name in _inside(folder, header.get("members"))]


def _inside(folder: Path, names: Any) -> list[str]:
    """Names of folders below `folder`; a header must not lead elsewhere."""
    listed = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not listed or any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
        raise ValueError(f"{folder / HEADER} must list the folders of members; got {names!r}")
    return names


def _digest(members: Sequence[Parts]) -> str:
    fields = [
        [config.to_json(), dict(energies), None if added is None else added.to_json()]
        for config, _, energies, added in members
    ]
    params = [parts[1] for parts in members]
    return digest(jax.tree.leaves(params), json.dumps(fields))[:12]
