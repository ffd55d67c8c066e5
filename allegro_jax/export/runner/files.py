"""Reads the file of an exported potential, and refuses what this machine cannot run."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

if TYPE_CHECKING:
    from jax import export

    from .potential import ExportedPotential

FORMAT = "allegro_jax exported potential"
FORMAT_VERSION = 1
HEADER, PARAMS = "header.json", "params.npz"
PIP_FLATBUFFERS = (
    "jax.export stores programs by flatbuffers, which is not installed: pip install flatbuffers"
)


class Contents(NamedTuple):
    """What a file holds.

    Attributes:
        header: versions, platforms, elements, cutoff, units; plain JSON.
        programs: as `jax.export` deserialises them, in the order of the header.
        params: arrays by name.
    """

    header: dict[str, Any]
    programs: list[export.Exported]
    params: dict[str, np.ndarray]


def load(path: str | Path) -> ExportedPotential:
    """Reads an exported potential; no code of the file is run.

    Raises:
        ValueError: no such file, a foreign or damaged one, one of another format version or for a
            newer jax, or one without a program for the platform that jax computes on here.
    """
    from .potential import ExportedPotential

    return ExportedPotential(*read(path))


def read(path: str | Path) -> Contents:
    """Reads and checks the parts of a file; see `load`."""
    path = Path(path)
    members = _members(path)
    header = _checked_header(path, members)
    _check_digests(path, header, members)
    _check_versions(path, header)
    _check_platform(path, header)
    programs = [_deserialized(path, header, members[item["file"]]) for item in header["programs"]]
    with np.load(io.BytesIO(members[PARAMS]), allow_pickle=False) as archive:
        params = {name: archive[name] for name in archive.files}
    return Contents(header, programs, params)


def platform() -> str:
    """The platform that jax computes on, as `jax.export` names it."""
    device = jax.devices()[0]
    if device.platform != "gpu":
        return device.platform
    return "rocm" if "rocm" in device.client.platform_version.lower() else "cuda"


def _members(path: Path) -> dict[str, bytes]:
    if not path.is_file():
        raise ValueError(f"expected the file of an exported potential; {path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        raise ValueError(
            f"{path} is no exported potential or is damaged ({error}); export or copy it again"
        ) from error


def _checked_header(path: Path, members: dict[str, bytes]) -> dict[str, Any]:
    try:
        header = json.loads(members[HEADER])
        found, version = header["format"], header["format_version"]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is no exported potential: it has no {HEADER} of one. Give the file that "
            "Potential.export wrote"
        ) from error
    if (found, version) != (FORMAT, FORMAT_VERSION):
        raise ValueError(
            f"expected {FORMAT!r} of format version {FORMAT_VERSION} in {path}; got {found!r} of "
            f"version {version!r}. Use the reader that came with the file (the package "
            "allegro_runner in it), or export the potential again with this release"
        )
    return header


def _check_digests(path: Path, header: dict[str, Any], members: dict[str, bytes]) -> None:
    for name, digest in header["sha256"].items():
        if name not in members or hashlib.sha256(members[name]).hexdigest() != digest:
            raise ValueError(
                f"{path} is damaged: {name} is {'altered' if name in members else 'missing'}. "
                "Copy or export it again"
            )


def _check_versions(path: Path, header: dict[str, Any]) -> None:
    """Says in plain words what `jax.export` would say about its calling convention."""
    _import_export()
    from jax import export

    needed = header["calling_convention_version"]
    lowest = export.minimum_supported_calling_convention_version
    highest = export.maximum_supported_calling_convention_version
    if lowest <= needed <= highest:
        return
    cure = (
        "Install a newer jax, or export the potential again with an older one"
        if needed > highest
        else "Install an older jax, or export the potential again with this one"
    )
    raise ValueError(
        f"{path} was exported with jax {header['written_by']['jax']} (calling convention "
        f"{needed}); jax {jax.__version__} here reads {lowest} to {highest}. {cure}"
    )


def _import_export() -> None:
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        raise ValueError(PIP_FLATBUFFERS) from error


def _check_platform(path: Path, header: dict[str, Any]) -> None:
    here = platform()
    if here not in header["platforms"]:
        raise ValueError(
            f"{path} holds programs for {', '.join(header['platforms'])}, and jax computes on "
            f"{here} here. Export the potential with platforms=({here!r},), or choose another "
            "device by the environment variable JAX_PLATFORMS"
        )


def _deserialized(path: Path, header: dict[str, Any], data: bytes) -> export.Exported:
    from jax import export

    try:
        return export.deserialize(bytearray(data))
    except Exception as error:
        raise ValueError(
            f"jax {jax.__version__} cannot read the program of {path}, which jax "
            f"{header['written_by']['jax']} wrote: {error}. Use that version, or export the "
            "potential again with this one"
        ) from error
