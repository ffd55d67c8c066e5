"""Versions, devices and what is installed, for reports of bugs.

    python -m allegro_jax.info

It imports nothing but the standard library until it looks at the other packages one by one, so it
answers also where some are missing or broken.
"""

from __future__ import annotations

import functools
import importlib
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "allegro-jax"
VARIABLES = ("JAX_", "XLA_", "CUDA_VISIBLE_DEVICES", "TPU_", "OMP_NUM_THREADS", "OPENBLAS_")
"""Beginnings of the names of environment variables that change what a program does."""


def info() -> str:
    """Returns the report, a line for each thing."""
    parts = {
        "": _versions,
        "devices": _devices,
        "packages": _packages,
        "extras": _extras,
        "environment": _environment,
    }
    lines = []
    for title, part in parts.items():
        lines += ["", f"{title}:"] if title else []
        lines += [f"  {line}" if title else line for line in _whatever_happens(part)]
    return "\n".join(lines)


def _whatever_happens(part: Callable[[], Iterator[str]]) -> list[str]:
    """The lines of a part, or what went wrong: the report is for machines where things do."""
    lines: list[str] = []
    try:
        lines.extend(part())
    except Exception as error:  # any package may fail in any way
        lines.append(f"not known: {_named(error)}")
    return lines


def _versions() -> Iterator[str]:
    for name in ("allegro_jax", "samo_cobra"):
        package = importlib.import_module(name)
        yield f"{name} {package.__version__} in {Path(str(package.__file__)).parent}"
    yield f"Python {sys.version.split()[0]} ({sys.executable})"
    yield f"{platform.platform()}, {os.cpu_count()} cores"


def _devices() -> Iterator[str]:
    import jax

    yield f"default backend: {jax.default_backend()}"
    for device in jax.devices():
        memory = (device.memory_stats() or {}).get("bytes_limit")
        size = f", {memory / 1e9:.1f} GB" if memory else ""
        yield f"{device.platform} {device.id}: {device.device_kind}{size}"
    yield f"type of numbers by default: {jax.dtypes.canonicalize_dtype(float)}"


def _packages() -> Iterator[str]:
    for requirement in _requirements(DISTRIBUTION):
        yield _state(requirement)


def _extras() -> Iterator[str]:
    for extra in _extra_names():
        for requirement in _requirements(DISTRIBUTION, extra):
            for deeper in _of_nested_extra(requirement) or [requirement]:
                yield f"[{extra}] {_state(deeper)}"


def _environment() -> Iterator[str]:
    for name in sorted(os.environ):
        if name.startswith(VARIABLES):
            yield f"{name}={os.environ[name]}"


def _requirements(distribution: str, extra: str = "") -> list[str]:
    """What a distribution asks for, or what an extra of it adds."""
    found = []
    for requirement in metadata.requires(distribution) or []:
        of_extra = re.search(r"extra == ['\"]([^'\"]+)", requirement)
        if extra == (of_extra[1] if of_extra else ""):
            found.append(requirement.partition(";")[0].strip())
    return found


def _extra_names() -> list[str]:
    return metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []


def _of_nested_extra(requirement: str) -> list[str]:
    """What `jax[cuda12]`, say, adds to jax."""
    nested = re.match(r"([\w.-]+)\[([\w-]+)\]", requirement)
    try:
        return _requirements(nested[1], nested[2]) if nested else []
    except metadata.PackageNotFoundError:
        return []


def _state(requirement: str) -> str:
    """Version of a required package, and whether it can be imported."""
    name = _plain(re.split(r"[^\w.-]", requirement)[0])
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name}: not installed ({requirement})"
    try:
        _import(_module(name))
    except BaseException as error:  # even one that ends the interpreter is for the report
        return f"{name} {version} cannot be imported: {_named(error)}"
    return f"{name} {version} ({requirement})"


def _import(module: str) -> None:
    if module == "pennylane":
        from allegro_jax.quantum.pennylane_compat import import_pennylane  # as the library does

        import_pennylane()
    else:
        importlib.import_module(module)


def _module(distribution: str) -> str:
    """Which module to import of a distribution: that of its name, or the first one."""
    modules = [name for name, owners in _owners().items() if distribution in map(_plain, owners)]
    namesake = distribution.replace("-", "_")
    return namesake if namesake in modules or not modules else modules[0]


@functools.cache
def _owners() -> dict[str, list[str]]:
    """The distributions of every module that can be imported; private modules come last."""
    found = dict(metadata.packages_distributions())
    return {name: list(found[name]) for name in sorted(found, key=lambda name: name[0] == "_")}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    print(info())  # noqa: T201  # a program
