"""Trials whose process is gone: found, told as such, and tried once more."""

from __future__ import annotations

import datetime as dt
import os
import platform
import time
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from experiments.searches.records import TrialRecord
from experiments.searches.study import (
    FAILURE,
    RETRY,
    WORKER,
    set_constraints,
    trial_folder,
    variant_of,
)
from samo_cobra.optuna import INTERRUPTED

UNCLAIMED = dt.timedelta(seconds=60)
"""Age at which a running trial without a worker counts as lost."""


class LostTrials:
    """Looks after the running trials of a search, whoever runs them.

    A trial is lost when its process was on this host and is gone, or when its heartbeat has been
    missing for longer than the storage's grace period at two looks that are as far apart: after a
    failure of the database everybody's heartbeat is old, and the living ones need a moment.

    Args:
        workdir: Folder of the search.
    """

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._silent_since: dict[int, float] = {}

    def settle(self, study: optuna.Study) -> list[str]:
        """Settles the lost trials of a study.

        One whose record is in the work directory is told as it ended. One without is told as
        interrupted, which does not count against the budget, and its configuration is queued once
        more. Where the second process was lost as well, as for lack of memory, the trial has
        failed.

        Returns:
            One line per trial settled.
        """
        silent = self._silent(study)
        lines = []
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_dead(trial) or trial._trial_id in silent:
                try:
                    lines.append(f"{variant_of(study)} {trial.number}: {self._end(study, trial)}")
                except (UpdateFinishedTrialError, ValueError):
                    continue  # its worker, or another one that looked, was quicker
        return lines

    def _silent(self, study: optuna.Study) -> set[int]:
        """Returns the trials whose heartbeat has been missing for long enough."""
        storage = study._storage
        stale = storage._get_stale_trial_ids(study._study_id)
        now = time.monotonic()
        self._silent_since = {i: self._silent_since.get(i, now) for i in stale} | {
            i: t for i, t in self._silent_since.items() if i in stale
        }
        wait_s = 2.0 * storage.get_heartbeat_interval()
        return {i for i in stale if now - self._silent_since[i] >= wait_s}

    def _end(self, study: optuna.Study, trial: FrozenTrial) -> str:
        path = trial_folder(self._workdir, variant_of(study), trial.number) / "record.json"
        if path.exists():
            record = TrialRecord.load(path)
            set_constraints(study, trial._trial_id, record.measured)
            study.tell(trial.number, record.objectives)
            return "its process is gone, its record was found and is kept"
        if trial.user_attrs.get(RETRY, False):
            reason = "its process died twice; perhaps the memory does not suffice"
            study._storage.set_trial_user_attr(trial._trial_id, FAILURE, reason)
            study.tell(trial.number, state=TrialState.FAIL)
            return reason
        interrupt(study, trial, retry=True)
        return "its process is gone, queued again"


def interrupt(study: optuna.Study, trial: FrozenTrial, *, retry: bool) -> None:
    """Ends a trial that says nothing about its configuration, which is queued again.

    Args:
        study: Whose trial.
        trial: The trial.
        retry: Whether it is the configuration's last chance.

    Raises:
        UpdateFinishedTrialError: If somebody else has ended the trial.
        ValueError: Likewise.
    """
    study._storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
    study.tell(trial.number, state=TrialState.FAIL)
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if params:
        kept = bool(trial.user_attrs.get(RETRY, False))
        study.enqueue_trial(params, user_attrs={RETRY: retry or kept})


def this_worker() -> dict[str, Any]:
    """Returns what identifies this process on its host."""
    pid = os.getpid()
    return {"host": _host(), "pid": pid, "started": _start_time(pid)}


def _is_dead(trial: FrozenTrial) -> bool:
    """Whether the process that ran a trial is known to be gone.

    Of other hosts nothing is known here; their trials are left to the heartbeat.
    """
    worker = trial.user_attrs.get(WORKER)
    if worker is None:  # killed in the instant between being created and being claimed
        assert trial.datetime_start is not None
        return dt.datetime.now() - trial.datetime_start > UNCLAIMED
    if worker["host"] != _host():
        return False
    started = _start_time(worker["pid"])
    return started is None or started != worker["started"]


def _host() -> str:
    """Names this machine, since its last start, and the processes that can be seen from here.

    Containers may share a name, and process numbers mean something inside one of them only.
    """
    parts = [platform.node()]
    if (boot := Path("/proc/sys/kernel/random/boot_id")).exists():
        parts.append(boot.read_text().strip())
    if (namespace := Path("/proc/self/ns/pid")).exists():
        parts.append(str(namespace.readlink()))
    return " ".join(parts)


def _start_time(pid: int) -> str | None:
    """Returns the start time of a process (its pid may be used again), None if it is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    stat = Path(f"/proc/{pid}/stat")
    try:
        fields = stat.read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return ""
    return None if fields[0] == "Z" else fields[19]  # a zombie is gone, though it can be signalled
