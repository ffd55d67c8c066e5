"""A training by `nequip-train`, in its own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allegro_jax.datasets import Splits
from allegro_jax.potential import Potential
from allegro_jax.training.evaluation import evaluate
from experiments.benchmarks import peer_runs
from experiments.side_by_side.contestants import Contestant
from experiments.side_by_side.nequip_config import write_nequip_run
from experiments.side_by_side.result import Result

PEER = "nequip-compile"
_LOG = "nequip-train.log"
_CLOSING_LINES = 25
_CURVE = {"forces_mae": "forces_mae", "energy_mae": "total_energy_mae"}


class NequipError(RuntimeError):
    """`nequip-train` failed; the message holds the end of its log."""


def train_nequip(
    row: Contestant,
    arguments: Mapping[str, Any],
    splits: Splits,
    folder: Path,
    request: dict[str, Any],
) -> Result:
    """Trains anew in an empty folder and tests the checkpoint that nequip found best.

    Raises:
        peer_runs.MissingPeerError: If the environment of nequip is not there.
        NequipError: If `nequip-train` failed.
        ValueError: If nequip has no such training.
    """
    python = peer_runs.interpreter(PEER)
    shutil.rmtree(folder, ignore_errors=True)
    write_nequip_run(folder, arguments, row.training, splits)
    run_nequip(python, folder, request["threads"])
    return read_result(row, splits, folder, request, python)


def run_nequip(python: Path, folder: Path, threads: int) -> None:
    """Runs `nequip-train` on `folder/config.yaml`, with nothing compiled before.

    Raises:
        NequipError: If it failed.
    """
    here = str(folder.resolve())
    program = str(python.parent / "nequip-train")
    command = [program, "-cp", here, "-cn", "config", f"hydra.run.dir={here}/hydra"]
    variables = {
        **os.environ,
        "PYTHONPATH": str(peer_runs.SCRIPTS),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TORCHINDUCTOR_CACHE_DIR": f"{here}/compiled",
    }
    with (folder / _LOG).open("w") as log:
        done = subprocess.run(
            command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        last = (folder / _LOG).read_text().splitlines()[-_CLOSING_LINES:]
        raise NequipError(f"nequip-train ended with {done.returncode}:\n    " + "\n    ".join(last))


def read_result(
    row: Contestant, splits: Splits, folder: Path, request: dict[str, Any], python: Path
) -> Result:
    """Reads what a finished `nequip-train` left, and tests its checkpoint as ours are."""
    run = json.loads((folder / "run.json").read_text())
    own_test = json.loads((folder / "test.json").read_text())
    versions = peer_runs.versions(python, peer_runs.PEERS[PEER].packages)
    return Result(
        name=row.name,
        program=row.program,
        settings=row.settings,
        request=request,
        parameters=run["parameters"],
        curve=read_curve(folder / "epochs.jsonl"),
        compile_s=run["compile_s"],
        test=evaluate(Potential.from_nequip(folder / "best.ckpt"), splits.test),
        own_test={name: own_test[theirs] for name, theirs in _CURVE.items()},
        environment={**versions, "threads": str(run["threads"])},
    )


def read_curve(path: Path) -> list[dict[str, float]]:
    """Returns a row per validation, under our names."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    places = ("epoch", "step", "seconds", "learning_rate")
    return [
        {key: float(row[key]) for key in places}
        | {name: row[theirs] for name, theirs in _CURVE.items()}
        for row in rows
    ]
