"""Wheels built from the checkout, and environments to try them in."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.pages import ROOT


def run(*command: object, **options) -> subprocess.CompletedProcess:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def built(project: str, folder: Path) -> Path:
    """Builds the wheel of a folder of the checkout; skips where that needs an index."""
    # With the build back end at hand no index is needed.
    at_hand = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    options = ["--no-deps", *at_hand, "--wheel-dir", folder]
    done = run(sys.executable, "-m", "pip", "wheel", *options, project, cwd=ROOT)
    if done.returncode and not at_hand:
        pytest.skip("building a wheel needs hatchling, installed or from an index")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def names_in(wheel: Path) -> set[str]:
    """Files that the wheel installs, those about itself left out."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def files_of(package: Path) -> set[str]:
    """Files of a package in the checkout, as a wheel should name them."""
    return {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def environment(folder: Path, wheel: Path) -> tuple[Path, dict[str, str], bool]:
    """An empty environment with the wheel and what it needs installed.

    Returns:
        Its Python; the variables to run it with; whether it is one: without an index to install
        from, it is this interpreter with the wheel unpacked before all else.
    """
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = run(python, "-m", "pip", "install", "--timeout", "5", "--retries", "1", wheel)
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if install.returncode == 0:
        return python, variables, True
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return Path(sys.executable), variables | {"PYTHONPATH": str(folder / "unpacked")}, False
