"""`run.json`: what a run is made of and where it was computed, so that it can be repeated."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

import allegro_jax
from allegro_jax.files import write_json

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "e3nn-jax", "pennylane", "numpy", "scipy",
    "ase", "vesin",
)  # fmt: skip
"""Distributions that take part in a training."""


def write_run_card(path: Path, run: dict[str, Any], devices: int, step: int | None) -> None:
    """Writes the card of a new run, or notes on the present one that the run was taken up again.

    Args:
        path: The file. A card of the same run is continued, anything else replaced.
        run: JSON values that say which run it is: seed, model, training, data.
        devices: Devices that share the batches.
        step: Optimiser steps done by the checkpoint from which the run goes on, None if it begins.
    """
    if jax.process_index() != 0:
        return
    run = json.loads(json.dumps(run))
    here = {"date": _now(), **environment(), "devices": devices}
    card = _read(path)
    if step is None or card.get("run") != run:
        card = {"run": run, "started": here if step is None else None, "resumed": []}
    if step is not None:
        card["resumed"].append({"step": step, **here})
    write_json(path, card)


def environment() -> dict[str, Any]:
    """Returns what a run is computed with: versions, processor, code; nothing about the host."""
    return {
        "allegro_jax": allegro_jax.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "backend": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "processes": jax.process_count(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def commit() -> str | None:
    """Returns the git commit of this package, with "-dirty" if files differ; None if installed."""
    folder = Path(allegro_jax.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None  # an environment in somebody else's repository
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    whole = isinstance(card, dict) and isinstance(card.get("resumed"), list)
    return card if whole else {}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
