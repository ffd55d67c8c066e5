"""All of QM9 as a store: time and memory to write it, and to train from it.

    pip install '.[qm9]'
    python -m tests.allegro_jax.graphs.store_measurements FOLDER [SECONDS]

A JSON line per measurement; each runs in a process of its own, whose peak resident memory counts
the pages of mapped files. `cold` drops the store from the page cache first, so that every structure
comes from the disk.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

CUTOFF, BATCH, VALID, TURN = 5.0, 32, 1000, 400
ROUNDS = ("write", "in turns", *2 * ("read", "read cold", "streamed", "streamed cold", "resident"))


def written(folder: Path) -> dict[str, float]:
    """Writes the store."""
    from allegro_jax import load
    from allegro_jax.graphs import write_store

    data = load("qm9", full=True)
    begin = time.perf_counter()
    store = write_store(data, folder, CUTOFF)
    seconds = time.perf_counter() - begin
    size = sum(file.stat().st_size for file in folder.glob("*.npy"))
    return {"seconds": seconds, "structures": len(store), "store_mb": size / 1e6}


def small_config(data: Any) -> Any:
    """Returns a model so small that reading would show."""
    from allegro_jax import config_from_data
    from allegro_jax.configs import MLPConfig, MLPReadout

    return config_from_data(
        data, CUTOFF, l_max=1, num_layers=1, num_scalar_features=16, num_tensor_features=4,
        scalar_embed_mlp=MLPConfig(1, 16), allegro_mlp=MLPConfig(1, 16), readout=MLPReadout((16,)),
    )  # fmt: skip


def trained(folder: Path, seconds: float, resident_gb: float) -> dict[str, float]:
    """Trains for some seconds."""
    from allegro_jax import TrainingConfig, split, train
    from allegro_jax.graphs import open_store

    store = open_store(folder)
    parts = split(store, len(store) - 2 * VALID, VALID, seed=0, check=False)
    config = small_config(parts.train)
    training = TrainingConfig(
        batch_size=BATCH, time_limit_s=seconds, resident_gb=resident_gb, max_epochs=100
    )
    begin = time.perf_counter()
    result = train(config, training, parts.train, parts.valid)
    row = result.history[-1]
    return {
        "structures_per_s": row["step"] * BATCH / row["seconds"],
        "steps": row["step"],
        "setup_s": time.perf_counter() - begin - row["seconds"] - result.compile_s,
        "energy_mae_mev": 1e3 * result.best["energy_mae"],
    }


def in_turns(folder: Path) -> dict[str, float]:
    """CPU time of a step, streamed and resident taking turns in one process."""
    import jax

    from allegro_jax import TrainingConfig
    from allegro_jax.graphs import open_store
    from allegro_jax.potential import initial_params
    from allegro_jax.sharding.data import DataParallel
    from allegro_jax.training import atomic_energies
    from allegro_jax.training.pace import Pace
    from allegro_jax.training.step import initial_state
    from allegro_jax.training.trainer import Trainer

    store = open_store(folder)
    some = store.select(np.random.default_rng(0).permutation(len(store))[: TURN * BATCH])
    config = small_config(some)
    graphs = some.graphs(config.atomic_numbers, atomic_energies(some))
    times: dict[str, list[float]] = {"resident": [], "streamed": []}
    runs = {}
    for name in times:
        training = TrainingConfig(batch_size=BATCH, resident_gb=float(name == "resident"))
        trainer = Trainer(config, training, graphs, DataParallel.over(BATCH, 1))
        pace = Pace(None, lambda trainer=trainer: trainer.program.compile_s)
        runs[name] = [trainer, pace, initial_state(initial_params(config), training)]
    for turn in range(6):
        for name, (trainer, pace, state) in runs.items():
            begin = time.process_time()
            runs[name][2] = jax.block_until_ready(trainer.epoch(state, turn, pace)[0])
            times[name].append(1e3 * (time.process_time() - begin) / TURN)
    # The first turn compiles.
    return {f"{name}_cpu_ms": float(np.median(taken[1:])) for name, taken in times.items()}


def read(folder: Path) -> dict[str, float]:
    """Makes the windows of an epoch, and nothing else."""
    import jax

    from allegro_jax.graphs import open_store
    from allegro_jax.sharding.data import DataParallel
    from allegro_jax.training.windows import TrainingWindows

    store = open_store(folder)
    graphs = store.graphs(store.species)
    windows = TrainingWindows(graphs, BATCH, DataParallel.over(BATCH, 1), 0.0)
    begin, cpu = time.perf_counter(), time.process_time()
    for _, window in windows.epoch(0, 0):
        jax.block_until_ready(window.flat)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {"structures_per_s": len(store) / seconds, "seconds": seconds, "cpu_s": cpu}


def dropped(folder: Path) -> None:
    """Takes the files of a store out of the page cache."""
    for file in folder.glob("*.npy"):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main(folder: Path, seconds: float, what: str | None) -> None:
    """Prints what was measured; without `what`, one process for each measurement."""
    if what is None:
        for name in ROUNDS:
            command = [sys.executable, "-m", __spec__.name, str(folder), str(seconds), name]
            subprocess.run(command, check=True)
        return
    if what.endswith("cold"):
        dropped(folder)
    before = resource.getrusage(resource.RUSAGE_SELF)
    if what == "write":
        result = written(folder)
    elif what.startswith("read"):
        result = read(folder)
    elif what == "in turns":
        result = in_turns(folder)
    else:
        result = trained(folder, seconds, 1e3 if what == "resident" else 0.0)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result["peak_rss_gib"] = usage.ru_maxrss / 2**20
    result["disk_reads"] = usage.ru_majflt - before.ru_majflt
    print(json.dumps({"way": what, **{k: round(v, 3) for k, v in result.items()}}))  # noqa: T201


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    main(Path(sys.argv[1]), float(arguments.get(2, 60.0)), arguments.get(3))
