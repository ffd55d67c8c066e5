"""Makes the environments of the peers in `.venv-peers/NAME`, with pinned versions.

    python -m experiments.benchmarks.peers.environments              # all
    python -m experiments.benchmarks.peers.environments nequip mlip  # some
    python -m experiments.benchmarks.peers.environments --cuda       # for NVIDIA GPUs

An environment that is there is left as it is; remove its folder to make it anew. The versions are
those of `requirements/NAME.txt` beside this file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENTS = Path(__file__).parents[3] / ".venv-peers"
_CUDA = flags.DEFINE_bool("cuda", False, "Let JAX use NVIDIA GPUs (torch from PyPI does anyway).")


def names() -> list[str]:
    """Returns the environments that can be made."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def make(name: str, cuda: bool = False) -> bool:
    """Makes one environment, or leaves none; False if pip failed.

    Raises:
        ValueError: An unknown name.
    """
    if name not in names():
        raise ValueError(f"unknown environment {name}; choose from {', '.join(names())}")
    folder = ENVIRONMENTS / name
    if folder.exists():
        print(f"{folder} is there already")
        return True
    print(f"making {folder} (some minutes)", flush=True)
    venv.create(folder, with_pip=True)
    packages = ["-r", str(REQUIREMENTS / f"{name}.txt")]
    if cuda and name != "nequip":
        packages.append("jax[cuda12]")
    python = str(folder / "bin" / "python")
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=False)
    if done.returncode:
        shutil.rmtree(folder)
    return done.returncode == 0


def make_all(chosen: Sequence[str], cuda: bool) -> list[str]:
    """Makes environments one after the other and returns those that failed."""
    return [name for name in chosen if not make(name, cuda)]


def main(arguments: list[str]) -> None:
    """Makes those that the command line names, or all."""
    try:
        failed = make_all(arguments[1:] or names(), _CUDA.value)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if failed:
        sys.exit(f"error: pip could not install {', '.join(failed)}; the others are ready")


if __name__ == "__main__":
    app.run(main)
