r"""A search on a cluster of Dask: each of its workers works on the search as a process would.

    python -m experiments.cluster.dask_search --scheduler=tcp://host:8786 --storage=URL \
        --config=experiments/configs/search.py:rmd17-aspirin --workdir=/shared/search

Dask only starts the work: trials are kept in the storage, so that workers of Dask may come and go
too. Start them with one thread and their own GPU:
`CUDA_VISIBLE_DEVICES=0 dask worker tcp://host:8786 --nthreads=1 --nworkers=1`. Needs
`pip install ".[dask]"`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file("config", None, "Settings of the search.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the search, seen by all workers.")
_SCHEDULER = flags.DEFINE_string("scheduler", None, "Address of Dask's scheduler.")
_STORAGE = flags.DEFINE_string("storage", None, "Address of the database.")
flags.mark_flags_as_required(["config", "workdir", "scheduler", "storage"])


def main(_: list[str]) -> None:
    """Gives every worker of the cluster the search, and reports when they are done."""
    from distributed import Client

    from experiments.cluster.work import work
    from experiments.search_loop import search

    config, workdir = _CONFIG.value, _WORKDIR.value
    config.storage = _STORAGE.value
    settings = config.to_json_best_effort()
    try:
        with Client(_SCHEDULER.value) as client:
            names = list(client.nthreads())
            jobs = [client.submit(work, settings, workdir, workers=[n], pure=False) for n in names]
            print(f"{len(jobs)} workers of Dask are at work")
            client.gather(jobs, errors="skip")
        search(config, Path(workdir))  # what they lost, and the report
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
