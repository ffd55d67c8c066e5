"""Runs or continues a study: searches in turns, fronts, long trainings, report."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from allegro_jax.datasets import Splits
from allegro_jax.files import write_json
from experiments import timing_lock
from experiments.data import load_splits
from experiments.reproduction import trainings
from experiments.reproduction.budget import (
    FRONT,
    PLANNED_SHARE,
    TRAINING,
    TRIAL,
    Budget,
    Work,
    minutes,
    n_records,
)
from experiments.reproduction.fronts import Found, found
from experiments.reproduction.jobs import Job, jobs
from experiments.reproduction.ledger import Ledger
from experiments.reproduction.published import DATASETS
from experiments.reproduction.results import Results
from experiments.reproduction.scales import Scale
from experiments.search_loop import open_search, search
from experiments.searches.report import write_report
from experiments.searches.study import failures


@dataclasses.dataclass(frozen=True)
class Study:
    """A study at work.

    Attributes:
        scale: Its scale.
        workdir: Its folder.
        datasets: Its data sets.
        budget: Its time.
        ledger: What is done.
        should_stop: Asked about once a second; True ends the run, which can be continued.
    """

    scale: Scale
    workdir: Path
    datasets: tuple[str, ...]
    budget: Budget
    ledger: Ledger
    should_stop: Callable[[], bool]

    def searched(self, dataset: str) -> Path:
        """Returns the folder of a search."""
        return self.workdir / "searches" / dataset


def reproduce(
    scale: Scale,
    workdir: Path,
    *,
    datasets: Sequence[str] = DATASETS,
    make: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> Results:
    """Runs or continues a study until all that fits into its time is done.

    Args:
        scale: How large it is, and how long it may take.
        workdir: Its folder; what is finished there is not made again.
        datasets: Data sets, for parts of the study.
        make: Train what is missing; otherwise only read what there is.
        should_stop: Asked about once a second; True ends the run, which can be continued.

    Returns:
        What the report shows.

    Raises:
        ValueError: If the folder belongs to another study, or nothing is there to report.
        OSError: If the file system or a storage fails.
        SearchStoppedError, TrainingStoppedError: If `should_stop` said so.
    """
    _claim(workdir, scale, datasets)
    ledger = Ledger(workdir / "ledger.jsonl")
    budget = Budget(scale, workdir, ledger, scale.minutes, datasets)
    study = Study(scale, workdir, tuple(datasets), budget, ledger, should_stop or _no)
    if make:
        _search(study)
    fronts = {name: _front(study, name) for name in study.datasets}
    wanted = jobs(fronts, scale)
    if make:
        _train(study, wanted)
    return _results(study, fronts, wanted)


def _claim(workdir: Path, scale: Scale, datasets: Sequence[str]) -> None:
    """Makes `workdir` the folder of this study, or checks that it already is.

    Raises:
        ValueError: If it belongs to another study or holds something else, or a data set is
            unknown.
    """
    unknown = [name for name in datasets if name not in DATASETS]
    if unknown or not datasets:
        raise ValueError(f"data sets must be some of {', '.join(DATASETS)}, got {list(datasets)}")
    path = workdir / "study.json"
    wanted = json.loads(json.dumps(scale.definition))
    if path.exists():
        before = json.loads(path.read_text())
        different = sorted(key for key in wanted if before.get(key) != wanted[key])
        if different:
            raise ValueError(
                f"{workdir} holds a study with other settings ({', '.join(different)} differ); "
                "choose another --workdir"
            )
        return
    try:
        if workdir.exists() and any(workdir.iterdir()):
            raise ValueError(f"{workdir} is not empty and holds no study; choose another --workdir")
        write_json(path, wanted)
    except OSError as error:
        raise ValueError(f"{workdir} cannot be written: {error}; choose another --workdir") from (
            error
        )


def _search(study: Study) -> None:
    """Runs the searches in turns, so that all have the same number of trials when time is up.

    That number is kept: more trials would change the fronts whose trials are trained longer. A
    later run with more time, or more trials, goes on with the searches.
    """
    scale, budget = study.scale, study.budget
    path = study.workdir / "searched.json"
    asked = {"trials": scale.trials, "minutes": scale.minutes}
    if path.exists() and json.loads(path.read_text())["asked"] == asked:
        return
    print(budget.plan(budget.affordable_trials()), flush=True)
    trials = 0
    while trials < scale.trials:
        more = min(trials + scale.trials_per_round, scale.trials)
        fits = budget.fits(budget.left(more), PLANNED_SHARE)
        if more > scale.least_trials and not fits:
            print(f"the searches end with {trials} trials of each variant, for lack of time")
            break
        for name in study.datasets:
            _round(study, name, more)
        trials = more
        left = minutes(budget.seconds(budget.left(budget.affordable_trials())))
        print(f"{trials} trials each; {minutes(budget.elapsed_s)} done, {left} left", flush=True)
    write_json(path, {"asked": asked, "trials": trials})


def _round(study: Study, name: str, trials: int) -> None:
    """Continues the search on a data set to so many trials of each variant."""
    if not any(work.units for work in study.budget.trials_left(trials) if work.dataset == name):
        return
    config = study.scale.config(name)
    config.trials = trials
    before = n_records(study.searched(name))
    begin = time.monotonic()
    try:
        search(config, study.searched(name), should_stop=study.should_stop, report=False)
    finally:
        units = n_records(study.searched(name)) - before
        study.ledger.add(TRIAL, name, units, time.monotonic() - begin)


def _front(study: Study, name: str) -> Found:
    """Times the fronts of a data set side by side, tests them, and returns what was found."""
    config, folder = study.scale.config(name), study.searched(name)
    if not folder.exists():
        raise ValueError(f"there is no search on {name} yet in {study.workdir}")
    opened = open_search(config, folder)
    timed = (folder / "front.json").exists()
    begin = time.monotonic()
    with timing_lock.exclusive(folder / "report.lock"):  # other processes on this study wait
        result = write_report(opened.studies, opened.config, opened.splits, folder)
    if not timed:
        study.ledger.add(FRONT, name, 1, time.monotonic() - begin)
    if result is None:
        reasons = {variant: failures(each) for variant, each in opened.studies.items()}
        return Found.nothing(name, opened.config.objectives[0], reasons)
    return found(name, result, folder, study.workdir)


def _train(study: Study, wanted: Sequence[Job]) -> None:
    """Makes the long trainings that are missing and for which there is time."""
    splits = functools.cache(lambda name: load_splits(study.scale.config(name).data))
    for place, job in enumerate(wanted, start=1):
        folder = job.folder(study.workdir)
        if trainings.load(folder) is not None:
            continue
        if not study.budget.fits([Work(TRAINING, job.dataset, 1)]):
            continue
        with trainings.claimed(folder) as mine:
            if mine and trainings.load(folder) is None:  # another process may have made it
                print(f"[{place}/{len(wanted)}] {job.title}", flush=True)
                _make(study, job, splits(job.dataset))


def _make(study: Study, job: Job, splits: Splits) -> None:
    """Makes a long training and says how it ended."""
    config, length = study.scale.config(job.dataset), study.scale.long[job.dataset]
    what = job, config, splits, length, study.workdir
    with study.ledger.timed(TRAINING, job.dataset):
        made = trainings.run(*what, should_stop=study.should_stop)
    print(f"    {trainings.summary(made)}; {minutes(study.budget.elapsed_s)} done", flush=True)


def _results(study: Study, fronts: Mapping[str, Found], wanted: Sequence[Job]) -> Results:
    made, failed, left_out = [], [], []
    for job in wanted:
        result = trainings.load(job.folder(study.workdir))
        if result is None:
            left_out.append(job)
        elif isinstance(result, str):
            failed.append((job, result))
        else:
            made.append(result)
    return Results(
        scale=study.scale,
        workdir=study.workdir,
        found=dict(fronts),
        trainings=made,
        failed=failed,
        left_out=left_out,
        elapsed_s=study.ledger.elapsed_s,
        settings={name: study.scale.config(name).to_dict() for name in study.datasets},
    )


def _no() -> bool:
    return False
