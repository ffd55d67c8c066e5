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

CUTOFF, BATCH, VALID = 5.0, 32, 1000
ROUNDS = ("write", *2 * ("read", "read cold", "streamed", "streamed cold", "resident"))


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


def trained(folder: Path, seconds: float, resident_gb: float) -> dict[str, float]:
    """Trains for some seconds."""
    from allegro_jax import TrainingConfig, config_from_data, split, train
    from allegro_jax.configs import MLPConfig, MLPReadout
    from allegro_jax.graphs import open_store

    store = open_store(folder)
    parts = split(store, len(store) - 2 * VALID, VALID, seed=0, check=False)
    config = config_from_data(
        parts.train, CUTOFF, l_max=1, num_layers=1, num_scalar_features=16, num_tensor_features=4,
        scalar_embed_mlp=MLPConfig(1, 16), allegro_mlp=MLPConfig(1, 16), readout=MLPReadout((16,)),
    )  # fmt: skip
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
    else:
        result = trained(folder, seconds, 1e3 if what == "resident" else 0.0)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result["peak_rss_gib"] = usage.ru_maxrss / 2**20
    result["disk_reads"] = usage.ru_majflt - before.ru_majflt
    print(json.dumps({"way": what, **{k: round(v, 3) for k, v in result.items()}}))  # noqa: T201


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    main(Path(sys.argv[1]), float(arguments.get(2, 60.0)), arguments.get(3))
