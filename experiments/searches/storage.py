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
from tqdm import tqdm

PATIENCE_S = 600.0
"""How long a call waits for a database that does not answer, as while its server restarts."""

OPENING_PATIENCE_S = 30.0
"""The same for the opening of a storage, whose address may be wrong."""

GRACE_BEATS = 6
"""Heartbeats that may be missing before a trial of another host counts as lost."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_HOPELESS = (  # of SQLAlchemy's errors: they say what was asked, not that nobody answered
    sqlalchemy.exc.DataError,
    sqlalchemy.exc.NotSupportedError,
    sqlalchemy.exc.ProgrammingError,
)
_RACED = ("already exists", "UNIQUE constraint", "duplicate key", "database is locked")
_REFUSED = ("authentication failed", "Access denied", "does not exist", "Unknown database")


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
            return _patiently(attempt, self.patience_s, _was_away)
        except UpdateFinishedTrialError:
            found = self.get_trial(trial_id)
            own = found.state == state and (values is None or found.values == list(values))
            if len(attempts) > 1 and own:
                return True
            raise


def _patiently(
    call: Callable[[], Any], patience_s: float, may_pass: Callable[[Exception], bool]
) -> Any:
    """Makes a call again, after pauses that grow, while it fails of what may pass.

    Raises:
        Exception: What the call raised, once `patience_s` are over or it cannot pass.
    """
    deadline = time.monotonic() + patience_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return call()
        except Exception as error:
            left_s = deadline - time.monotonic()
            if left_s < pause_s or not may_pass(error):
                raise
            if pause_s < _LONGEST_PAUSE_S <= 2 * pause_s:
                line = f"the storage does not answer: {reason(error)}"
                tqdm.write(f"{line}; trying again for {left_s:.0f} s")
        time.sleep(pause_s * random.uniform(0.5, 1.5))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _was_away(error: Exception) -> bool:
    """Whether a call to an open storage may succeed later."""
    return isinstance(error, StorageInternalError) and not isinstance(_cause(error), _HOPELESS)


def _may_open(error: Exception) -> bool:
    """Whether a storage may open later: its server starts, or others were making its tables."""
    cause = _cause(error)
    if not isinstance(cause, sqlalchemy.exc.DBAPIError):
        return False
    if any(sign in str(cause) for sign in _RACED):
        return True
    unanswered = isinstance(cause, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError))
    from_a_server = type(cause.orig).__module__ != "sqlite3"
    return unanswered and from_a_server and not any(sign in str(cause) for sign in _REFUSED)


def _patient(name: str) -> Callable[..., Any]:
    """Returns a method of the storage that is called until the database answers."""
    method = getattr(optuna.storages.RDBStorage, name)

    @functools.wraps(method)
    def patient(self: PatientStorage, *arguments: Any, **options: Any) -> Any:
        call = functools.partial(method, self, *arguments, **options)
        return _patiently(call, self.patience_s, _was_away)

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


def open_storage(
    config: ConfigDict, workdir: Path, patience_s: float = OPENING_PATIENCE_S
) -> PatientStorage:
    """Opens the storage: `config.storage`, or an SQLite file in the work directory.

    Args:
        config: Settings of the search.
        workdir: Folder of the search.
        patience_s: How long to wait for a server that does not answer, as while it restarts.

    Raises:
        ValueError: If the storage cannot be reached.
    """
    url = config.storage or f"sqlite:///{workdir.resolve()}/study.db"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            opening = functools.partial(PatientStorage, url, config.heartbeat_s)
            return _patiently(opening, patience_s, _may_open)
    except Exception as error:
        raise ValueError(
            f"cannot open the storage {_without_password(url)}: {reason(error)}; "
            "it is an address of SQLAlchemy, such as "
            "postgresql+psycopg://user:password@host/database, and its server must run"
        ) from error


def reason(error: BaseException) -> str:
    """Says in a line what is wrong with a storage."""
    error = _cause(error)
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _without_password(url: str) -> str:
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url


def _cause(error: BaseException) -> BaseException:
    """Returns what SQLAlchemy raised: Optuna's own error says the same of every failure."""
    return error.__cause__ or error if isinstance(error, StorageInternalError) else error
