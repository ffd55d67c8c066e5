"""The Optuna studies of a search: one per variant, in one storage, safe against kill -9."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import warnings
from pathlib import Path
from typing import Any

import optuna
from ml_collections import ConfigDict
from optuna.trial import FrozenTrial, TrialState

from experiments import spaces
from experiments.records import TrialRecord, write_json
from samo_cobra.optuna import INTERRUPTED, SamoCobraSampler

FAILURE = "failure"
"""User attribute: why a trial failed. A failed trial without it was interrupted."""

SEARCH = "search"
"""User attribute of a study: what decides what its trials are."""

UNCLAIMED = dt.timedelta(seconds=60)
"""Age at which a running trial without a worker counts as dead."""

RETRY = "retry"
"""User attribute: the trial repeats one whose process died."""

WORKER = "worker"
"""User attribute: host, process and its start time, of who runs a trial."""


def claim_workdir(workdir: Path, config: ConfigDict) -> None:
    """Makes `workdir` the folder of this search, or checks that it already is.

    The number of trials and of timing passes may change between runs; everything else that
    decides what a trial is may not.

    Raises:
        ValueError: If the folder belongs to another search, or holds something else.
    """
    definition = _definition(config)
    path = workdir / "search.json"
    if path.exists():
        _check_same(json.loads(path.read_text()), definition, f"{workdir} holds")
        return
    if workdir.exists() and any(workdir.iterdir()):
        raise ValueError(
            f"{workdir} is not empty and holds no search.json; choose a new or empty --workdir"
        )
    write_json(path, definition)


def open_study(
    storage: optuna.storages.BaseStorage, variant: str, config: ConfigDict
) -> optuna.Study:
    """Opens or creates the study of a variant, driven by SAMO-COBRA.

    Raises:
        ValueError: If the storage holds the study of another search under this name.
    """
    space = spaces.search_space(variant, config.ranges)
    sampler = SamoCobraSampler(space, seed=config.seed, initial_trials=config.initial_trials)
    study = optuna.create_study(
        storage=storage,
        study_name=variant,
        sampler=sampler,
        directions=["minimize", "minimize"],
        load_if_exists=True,
    )
    definition = _definition(config)
    _check_same(study.user_attrs.get(SEARCH, definition), definition, "the storage holds")
    study.set_user_attr(SEARCH, definition)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["validation error", "inference time (s)"])
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(spaces.default_trial(variant, config.ranges))
    return study


def open_storage(config: ConfigDict, workdir: Path) -> optuna.storages.RDBStorage:
    """Opens the storage: `config.storage`, or an SQLite file in the work directory.

    Raises:
        ValueError: If the storage cannot be reached.
    """
    url = config.storage or f"sqlite:///{workdir.resolve()}/study.db"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.storages.RDBStorage(url, heartbeat_interval=30, grace_period=180)
    except Exception as error:
        raise ValueError(f"cannot open the storage {url}: {error}") from error


def trial_folder(workdir: Path, variant: str, number: int) -> Path:
    """Returns the folder of one trial."""
    return workdir / "trials" / variant / f"{number:04d}"


def n_finished(study: optuna.Study) -> int:
    """Returns how many trials count against the budget: done, failed for a reason, or running."""
    return sum(_counts(trial) for trial in study.get_trials(deepcopy=False))


def _counts(trial: FrozenTrial) -> bool:
    done = (TrialState.COMPLETE, TrialState.RUNNING)
    return trial.state in done or (trial.state == TrialState.FAIL and FAILURE in trial.user_attrs)


def recover(study: optuna.Study, workdir: Path) -> list[str]:
    """Settles the trials that a dead process of this host left running.

    A trial whose record is on the disk is told as it ended; one without is told as interrupted,
    which does not count against the budget, and its configuration is queued once more. Where the
    second process has died as well, as for lack of memory, the trial has failed.

    Returns:
        One line per trial settled.
    """
    lines = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _is_dead(trial):
            continue
        path = trial_folder(workdir, study.study_name, trial.number) / "record.json"
        if path.exists():
            study.tell(trial.number, TrialRecord.load(path).objectives)
            lines.append(f"{study.study_name} {trial.number}: record found, kept")
        elif trial.user_attrs.get(RETRY, False):
            reason = "its process died twice; perhaps the memory does not suffice"
            study._storage.set_trial_user_attr(trial._trial_id, FAILURE, reason)
            study.tell(trial.number, state=TrialState.FAIL)
            lines.append(f"{study.study_name} {trial.number}: {reason}")
        else:
            study._storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
            study.tell(trial.number, state=TrialState.FAIL)
            if trial.params:
                study.enqueue_trial(dict(trial.params), user_attrs={RETRY: True})
            lines.append(f"{study.study_name} {trial.number}: interrupted, queued again")
    return lines


def records(study: optuna.Study, workdir: Path) -> list[TrialRecord]:
    """Returns the records of the finished trials of a study, by number."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    paths = [trial_folder(workdir, study.study_name, trial.number) for trial in done]
    return [TrialRecord.load(path / "record.json") for path in paths]


def failures(study: optuna.Study) -> dict[int, str]:
    """Returns why trials failed, by number."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return {t.number: t.user_attrs[FAILURE] for t in trials if FAILURE in t.user_attrs}


def this_worker() -> dict[str, Any]:
    """Returns what identifies this process on its host."""
    pid = os.getpid()
    return {"host": platform.node(), "pid": pid, "started": _start_time(pid)}


def _is_dead(trial: FrozenTrial) -> bool:
    """Whether the process that ran a trial is known to be gone.

    Of other hosts nothing is known here; their trials are left to the heartbeat of the storage.
    """
    worker = trial.user_attrs.get(WORKER)
    if worker is None:  # killed in the instant between being created and being claimed
        assert trial.datetime_start is not None
        return dt.datetime.now() - trial.datetime_start > UNCLAIMED
    if worker["host"] != platform.node():
        return False
    started = _start_time(worker["pid"])
    return started is None or started != worker["started"]


def _start_time(pid: int) -> str | None:
    """Returns the start time of a process (its pid may be used again), None if it is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    stat = Path(f"/proc/{pid}/stat")
    return stat.read_text().rsplit(")", 1)[1].split()[19] if stat.exists() else ""


def _check_same(found: dict[str, Any], wanted: dict[str, Any], place: str) -> None:
    keys = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if keys:
        lines = [f"{key} was {found.get(key)}, is now {wanted.get(key)}" for key in keys]
        raise ValueError(
            f"{place} another search: " + "; ".join(lines) + ". Choose another --workdir and "
            "storage, or the settings it was started with."
        )


def _definition(config: ConfigDict) -> dict[str, Any]:
    keys = ("variants", "seed", "initial_trials", "data", "model", "ranges", "training")
    values = {key: config[key] for key in keys}
    plain = {k: v.to_dict() if isinstance(v, ConfigDict) else v for k, v in values.items()}
    return json.loads(json.dumps(plain))
