"""Compilations that programs keep for the next run, in a folder of the user."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

CACHE_BYTES = 1_000_000_000
"""The oldest compilations beyond this are removed."""


def keep_compilations() -> None:
    """Lets JAX keep compiled programs, unless the user has named a folder for them already."""
    import jax  # quick `--help`

    named: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if named is not None:
        return
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_oldest(folder, CACHE_BYTES)
    except OSError:
        return  # no home, or a read-only one: compile every time
    jax.config.update("jax_compilation_cache_dir", str(folder))


def cache_folder() -> Path:
    """Returns the folder for the compilations of this kind of processor.

    Machines that share a home may not be able to run each other's programs.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "allegro_jax" / "jax" / hashlib.sha256(_processor().encode()).hexdigest()[:12]


def remove_oldest(folder: Path, limit: int) -> None:
    """Removes the files that were used longest ago until `limit` bytes are left."""
    newest_first = sorted(
        ((path, path.stat()) for path in folder.iterdir()),
        key=lambda item: max(item[1].st_atime, item[1].st_mtime),
        reverse=True,
    )
    total = 0
    for path, status in newest_first:
        total += status.st_size
        if total > limit:
            path.unlink(missing_ok=True)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return "\n".join(sorted(kinds)) or platform.processor() or platform.machine()
