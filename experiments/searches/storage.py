"""The database of a search: reached again after it was away, and opened by many at once."""

from __future__ import annotations

import functools
import random
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy.exc
from ml_collections import ConfigDict
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState

PATIENCE_S = 600.0
"""How long a call waits for a database that does not answer, as while its server restarts."""

GRACE_BEATS = 6
"""Heartbeats that may be missing before a trial of another host counts as lost."""

_OPENING = 8  # attempts; several processes that make the tables at once trip over each other
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_HOPELESS = (  # of SQLAlchemy's errors: they say what was asked, not that nobody answered
    sqlalchemy.exc.DataError,
    sqlalchemy.exc.NotSupportedError,
    sqlalchemy.exc.ProgrammingError,
)


class PatientStorage(optuna.storages.RDBStorage):
    """Optuna's storage in a database, whose calls are made again when the database was away.

    A connection is tested before it is used, and a call that fails for want of an answer is made
    again after pauses that grow. All calls can be made twice: where the first one did arrive and
    only its answer was lost, the second changes nothing, but for a new trial, of which the first
    then stays without a worker and is settled as lost.

    Args:
        url: Of the database, as SQLAlchemy writes it.
        heartbeat_s: Seconds between the signs of life of a running trial.
        patience_s: Seconds for which a call is made again.
    """

    def __init__(self, url: str, heartbeat_s: int, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        options: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            options["connect_args"] = {"timeout": 60}  # s for another process's write to end
        grace_s = GRACE_BEATS * heartbeat_s
        super().__init__(url, options, heartbeat_interval=heartbeat_s, grace_period=grace_s)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Ends or begins a trial; True where an earlier attempt has done so already."""
        attempts = []

        def attempt() -> bool:
            attempts.append(None)
            return super(PatientStorage, self).set_trial_state_values(trial_id, state, values)

        try:
            return _patiently(attempt, self.patience_s)
        except UpdateFinishedTrialError:
            found = self.get_trial(trial_id)
            own = found.state == state and (values is None or found.values == list(values))
            if len(attempts) > 1 and own:
                return True
            raise


def _patiently(call: Callable[[], Any], patience_s: float) -> Any:
    """Makes a call again until it is answered.

    Raises:
        StorageInternalError: If it was not for `patience_s`, or what was asked is at fault.
    """
    deadline = time.monotonic() + patience_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return call()
        except StorageInternalError as error:
            out_of_time = time.monotonic() + pause_s > deadline
            if isinstance(error.__cause__, _HOPELESS) or out_of_time:
                raise
        time.sleep(pause_s * random.uniform(0.5, 1.5))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _patient(name: str) -> Callable[..., Any]:
    """Returns a method of the storage that is called until the database answers."""
    method = getattr(optuna.storages.RDBStorage, name)

    @functools.wraps(method)
    def patient(self: PatientStorage, *arguments: Any, **options: Any) -> Any:
        return _patiently(lambda: method(self, *arguments, **options), self.patience_s)

    return patient


for _name in (
    "create_new_study", "set_study_user_attr", "set_study_system_attr", "get_study_id_from_name",
    "get_study_name_from_id", "get_study_directions", "get_study_user_attrs",
    "get_study_system_attrs", "get_all_studies", "create_new_trial", "_create_new_trial",
    "_set_trial_param", "get_trial_id_from_study_id_trial_number", "set_trial_user_attr",
    "set_trial_system_attr", "get_trial", "_get_trials", "record_heartbeat",
    "_get_stale_trial_ids",
):  # fmt: skip
    setattr(PatientStorage, _name, _patient(_name))


def open_storage(config: ConfigDict, workdir: Path) -> PatientStorage:
    """Opens the storage: `config.storage`, or an SQLite file in the work directory.

    Raises:
        ValueError: If the storage cannot be reached.
    """
    url = config.storage or f"sqlite:///{workdir.resolve()}/study.db"
    for attempt in range(1, _OPENING + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return PatientStorage(url, config.heartbeat_s)
        except Exception as error:
            if attempt == _OPENING or not _raced(error):
                raise ValueError(
                    f"cannot open the storage {_without_password(url)}: {_first_line(error)}; "
                    "it is an address of SQLAlchemy, such as "
                    "postgresql+psycopg://user:password@host/database, and its server must run"
                ) from error
        time.sleep(random.uniform(0.1, 0.5) * attempt)
    raise AssertionError


def _raced(error: Exception) -> bool:
    """Whether somebody else was making the tables at the same moment."""
    return isinstance(error, sqlalchemy.exc.DBAPIError) and any(
        text in str(error) for text in ("already exists", "UNIQUE constraint", "duplicate key")
    )


def _without_password(url: str) -> str:
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
