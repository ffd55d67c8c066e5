"""The comparison: every missing row is trained, one after the other, on the same cores."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset, Splits
from allegro_jax.digests import data_digest
from allegro_jax.fitting import as_dataset, default_splits
from allegro_jax.fitting.settings import configs
from allegro_jax.presets import preset
from allegro_jax.training.setup import atomic_energies
from experiments.benchmarks import peer_runs
from experiments.side_by_side.contestants import Contestant, contestants
from experiments.side_by_side.nequip_config import model_arguments
from experiments.side_by_side.nequip_training import PEER, train_nequip
from experiments.side_by_side.own_training import train_ours
from experiments.side_by_side.result import Result


def compare(
    dataset: Dataset | str,
    workdir: Path,
    names: Sequence[str],
    *,
    minutes: float = 30.0,
    preset_name: str = "small",
    seed: int = 0,
    peer_rate: float | None = None,
    compiled: bool = True,
    threads: int | None = None,
) -> list[Result]:
    """Trains what is missing of the rows and returns all of them.

    Args:
        dataset: Registered name, file or data set; a published split is kept.
        workdir: Has a folder for every row; a finished row is not trained again.
        names: Rows, see `contestants`.
        minutes: Minutes of training each, without compilation.
        preset_name: Where the model of all rows and our settings come from.
        seed: Of the split, of initial parameters and order.
        peer_rate: Learning rate in place of the published one.
        compiled: Whether nequip compiles its model for training.
        threads: Of torch; None for as many as there are cores.

    Raises:
        ValueError: If the data do not fit, `workdir` has a row of other settings, or nequip has no
            such model or training.
        RuntimeError: If the environment of nequip is not there, or `nequip-train` failed.
        FloatingPointError: If a training diverges.
    """
    splits = default_splits(as_dataset(dataset), seed=seed)
    model, training = configs(preset(preset_name), splits.train, minutes, {"seed": seed})
    rows = contestants(training, names, peer_rate)
    arguments = model_arguments(model, atomic_energies(splits.train), compiled)
    if any(row.program == "nequip" for row in rows):
        peer_runs.interpreter(PEER)  # tells before the first training that it is missing
    nequip = {"model": arguments, "threads": threads or cores()}
    ours = {"model": model.to_json()}
    requests = [_request(row, nequip if row.program == "nequip" else ours, splits) for row in rows]
    folders = [workdir / row.name for row in rows]
    done = [_finished(*known) for known in zip(folders, requests, strict=True)]
    results = []
    for row, request, result in zip(rows, requests, done, strict=True):
        results.append(result or _train(row, model, arguments, splits, workdir, request))
    return results


def _train(
    row: Contestant,
    model: ModelConfig,
    arguments: Mapping[str, Any],
    splits: Splits,
    workdir: Path,
    request: dict[str, Any],
) -> Result:
    folder = workdir / row.name
    limit = row.training.time_limit_s or 0.0
    print(f"{row.name}: {limit / 60:g} minutes of training on {cores()} cores", flush=True)
    run = folder / "run"
    if row.program == "nequip":
        result = train_nequip(row, arguments, splits, run, request)
    else:
        result = train_ours(row, model, splits, run, request)
    result.save(folder / "result.json")
    return result


def cores() -> int:
    """Returns how many cores this process, and those that it starts, may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _request(row: Contestant, program: Mapping[str, Any], splits: Splits) -> dict[str, Any]:
    """What a finished row must have been asked for to count."""
    sets = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    return {
        **{
            name: {"structures": len(data), "sha256": data_digest(data)}
            for name, data in sets.items()
        },
        "dataset": splits.train.name,
        "cores": cores(),
        "training": row.training.to_json(),
        **program,
    }


def _finished(folder: Path, request: dict[str, Any]) -> Result | None:
    result = Result.load(folder / "result.json")
    if result is not None and result.request != json.loads(json.dumps(request)):
        raise ValueError(
            f"{folder} holds a training with other settings, minutes or data; give another "
            "--workdir, or remove that folder"
        )
    return result
