"""The file of an exported potential: a zip archive of JSON, arrays, StableHLO and its reader.

In it are::

    header.json        what the file is: versions, platforms, elements, cutoff, units, digests
    program-*.bin      programs as `jax.export` serialises them (StableHLO in flatbuffers)
    params.npz         parameters, named as in a potential folder
    allegro_runner/    the code that reads all that, a copy of `allegro_jax.export.runner`

No pickle. Equal potentials give equal bytes. `allegro_jax.export.load` reads the file with the code
of this package and never runs that of the file.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jaxlib
import numpy as np

import allegro_jax
from allegro_jax.export.program import (
    ARGUMENTS,
    PLATFORMS,
    RESULTS,
    Program,
    check_platforms,
    export_programs,
)
from allegro_jax.export.runner.files import FORMAT, FORMAT_VERSION, HEADER, PARAMS, PIP_FLATBUFFERS
from allegro_jax.files import replace_file
from allegro_jax.models.blocks import edges_per_block
from allegro_jax.models.storage import flatten, storable

if TYPE_CHECKING:
    from allegro_jax.potential import Potential

RUNNER = "allegro_runner"
"""Name of the reader's package in the file."""

UNITS = {"length": "Å", "energy": "eV", "force": "eV/Å", "stress": "eV/Å³"}

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the archive holds no time, so that equal content is equal


def export_potential(
    potential: "Potential", path: str | Path, platforms: Sequence[str] = PLATFORMS
) -> Path:
    """Writes a potential into one file that runs without this package.

    Args:
        potential: a single one; the members of a committee are exported one by one.
        path: the file, by custom ending in `.aj`; replaced in one step if it exists.
        platforms: of "cpu", "cuda", "rocm" and "tpu"; the machine that exports needs none of them.

    Returns:
        The path.

    Raises:
        ValueError: a committee, a dispersion term, an unknown platform, a folder in the place of
            the file, a model that calls the host, or `flatbuffers` is not installed.

    Example:
        >>> import tempfile
        >>> from allegro_jax import AllegroConfig, Potential
        >>> from allegro_jax.potential import initial_params
        >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
        >>> potential = Potential(config, initial_params(config))
        >>> file = export_potential(potential, tempfile.mkdtemp() + "/water.aj", ["cpu"])
        >>> from allegro_jax.export import load
        >>> load(file).type_names
        ('H', 'O')
    """
    path = Path(path)
    check_platforms(platforms)
    _check(potential, path)
    params = {name: storable(leaf) for name, leaf in flatten(potential.params).items()}
    programs = export_programs(potential.config, platforms)
    content = {f"program-{k}.bin": _serialized(item) for k, item in enumerate(programs)}
    content[PARAMS] = _npz(params)
    header = _header(potential, programs, platforms, content)
    content = {HEADER: json.dumps(header, indent=2, ensure_ascii=False).encode(), **content}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, _archive({**content, **dict(_runner_files())}))
    return path


def _check(potential: Any, path: Path) -> None:
    if hasattr(potential, "members"):
        raise ValueError(
            "a committee is exported member by member: committee.members[k].export(path); the "
            "spread is left to whoever runs the files"
        )
    potential.check_no_dispersion("an exported file")
    if path.is_dir():
        raise ValueError(
            f"expected the name of a file to write, such as model.aj; {path} is a folder"
        )
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        raise ValueError(PIP_FLATBUFFERS) from error


def _header(
    potential: "Potential",
    programs: Sequence[Program],
    platforms: Sequence[str],
    content: Mapping[str, bytes],
) -> dict[str, Any]:
    config = potential.config
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written_by": {
            "allegro_jax": allegro_jax.__version__,
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
        },
        "calling_convention_version": programs[0].exported.calling_convention_version,
        "platforms": list(platforms),
        "type_names": list(config.type_names),
        "atomic_numbers": list(config.atomic_numbers),
        "atomic_energies": potential.atomic_energies,
        "cutoff": config.cutoff,
        "units": UNITS,
        "geometry_dtype": config.precision.geometry,
        "needs_x64": config.precision.needs_x64,
        "arguments": ARGUMENTS,
        "results": RESULTS,
        "programs": [
            {
                "file": f"program-{k}.bin",
                "fewest_atoms": item.fewest_atoms,
                "most_atoms": item.most_atoms,
            }
            for k, item in enumerate(programs)
        ],
        "edges_per_block": edges_per_block(config)._asdict(),
        "config": config.to_json(),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
    }


def _serialized(program: Program) -> bytes:
    return bytes(program.exported.serialize())


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As `np.savez`, but with no time of writing in it."""
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    return _archive(members)


def _runner_files() -> Iterator[tuple[str, bytes]]:
    folder = Path(__file__).parent / "runner"
    for source in sorted(folder.glob("*.py")):
        yield f"{RUNNER}/{source.name}", source.read_bytes()


def _archive(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
