"""A worker process of the tests: `python -m tests.experiments.search_worker URL WORKDIR TRIALS`.

It works on a search whose trials are arithmetic and take a moment. With a fourth argument, it
writes that file in its first trial and never ends.
"""

import sys
import time
from pathlib import Path

from ml_collections import ConfigDict

from experiments import spaces
from experiments.configs import search
from experiments.searches.progress import SearchProgress
from experiments.searches.records import TrialRecord
from experiments.searches.storage import open_storage
from experiments.searches.study import claim_workdir, open_study
from experiments.searches.worker import Search, Worker

TRIAL_S = 0.15


def settings(url: str, trials: int) -> ConfigDict:
    """A search whose sampler needs no compilation."""
    config = search.get_config("rmd17-aspirin")
    config.update({"variants": ("allegro",), "trials": trials, "sampler": "random"})
    config.update({"storage": url, "heartbeat_s": 1})
    config.objectives = ("forces_mae", "inference_time")
    return config


def record(variant: str, number: int, params: dict, objectives: list[float]) -> TrialRecord:
    """What a trial would leave."""
    return TrialRecord(
        variant=variant, number=number, params=dict(params), objectives=objectives, valid={},
        history=[], latency={}, cost={}, seconds={"compilation": 2.0}, compilations=3,
        n_parameters=1, seed=0, stopped_by="max_epochs", environment={},
        measured=dict(zip(("forces_mae", "inference_time"), objectives, strict=True)),
    )  # fmt: skip


def arithmetic(config, splits, variant, number, params, folder, **_) -> TrialRecord:
    """Stands for a training."""
    time.sleep(TRIAL_S)
    made = record(variant, number, params, [params["cutoff"], 1.0 / params["cutoff"]])
    made.save(folder / "record.json")
    return made


def opened(url: str, workdir: Path, trials: int) -> Search:
    """Opens the search, as `search_loop.open_search` does, but without data."""
    config = settings(url, trials)
    config.timing.lock_file = str(workdir.parent / "timing.lock")
    claim_workdir(workdir, config)
    storage = open_storage(config, workdir)
    study = open_study(storage, "allegro", config)
    assert set(spaces.names("allegro")) == set(spaces.SHARED)
    known = type("NoLimits", (), {"limits": {}, "__call__": lambda *_: {}})()
    return Search(config, None, workdir, {"allegro": study}, {"allegro": known})


def main(url: str, workdir: str, trials: str, mark: str | None = None) -> None:
    search = opened(url, Path(workdir), int(trials))

    def hang(*_, **__):
        Path(mark).write_text("")
        time.sleep(600)

    worker = Worker(search, hang if mark else arithmetic, lambda: False)
    names = search.config.objectives
    with SearchProgress(search.studies, int(trials), Path(workdir), names) as progress:
        worker.run(progress)
    search.studies["allegro"]._storage._backend.engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
