"""Timings that parallel trainings do not spoil: while one process times, the others pause.

All processes of a host that name the same file take part, whatever search they belong to. Who
trains holds the file's lock with others (`shared`) and lets go of it when somebody wants to time,
between two calls of the device (`Share.pause`). Who times has it alone (`exclusive`). Locks are
`flock`'s: the kernel releases those of a process that dies.

A second lock, the gate, keeps the trainings from taking the first one again and again while
somebody waits for it: a timing closes the gate and waits for the file, a training that finds the
gate closed gives up the file and waits for the gate.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml_collections import ConfigDict

try:
    import fcntl
except ImportError:  # no such locks on Windows: timings are taken as they come
    fcntl = None  # type: ignore[assignment]

PATIENCE_S = 600.0
"""How long a timing waits for the others to pause, by default, before it is taken all the same."""

_POLL_S = 0.01
_HERE = threading.local()  # the share of this thread, so that its own timing does not wait for it


def default_path() -> Path:
    """Returns the file for all searches of this user on this host."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"allegro_jax-{user}" / "timing.lock"


def path_of(config: ConfigDict) -> Path:
    """Returns the file of a search: `config.timing.lock_file`, or the default."""
    return Path(config.timing.lock_file) if config.timing.lock_file else default_path()


class Share:
    """A training's part in the lock.

    Attributes:
        paused_s: Seconds for which it has paused so far.
    """

    def __init__(self, path: Path) -> None:
        self.paused_s = 0.0
        self._path = path
        self._file = _open(path)
        self._gate = _open(_gate(path))

    def pause(self) -> None:
        """Returns at once if nobody wants to time, else when the timing is over."""
        if fcntl is None or _try(self._gate, fcntl.LOCK_SH):
            _release(self._gate)
            return
        begin = time.monotonic()
        self.give_up()
        self.take()
        self.paused_s += time.monotonic() - begin

    def take(self) -> None:
        """Takes the share, after whoever times or waits to."""
        if fcntl is None:
            return
        fcntl.flock(self._gate, fcntl.LOCK_SH)
        fcntl.flock(self._file, fcntl.LOCK_SH)
        _release(self._gate)

    def give_up(self) -> None:
        """Gives up the share."""
        _release(self._file)

    def close(self) -> None:
        """Gives up the share for good."""
        os.close(self._file)
        os.close(self._gate)


@contextlib.contextmanager
def shared(path: Path | None = None) -> Iterator[Share]:
    """Trains beside others; the body calls `Share.pause` about once a second.

    Args:
        path: File of the lock; None for `default_path`.

    Raises:
        ValueError: If the file cannot be made.
    """
    share = Share(path or default_path())
    share.take()
    outer, _HERE.share = getattr(_HERE, "share", None), share
    try:
        yield share
    finally:
        _HERE.share = outer
        share.close()


@contextlib.contextmanager
def exclusive(path: Path | None = None, patience_s: float = PATIENCE_S) -> Iterator[bool]:
    """Times while the trainings of this host pause; that of this thread gives up its share.

    Yields whether they do: False if one did not pause in time, as in a compilation of many
    minutes, and where the system has no such locks.

    Args:
        path: File of the lock; None for `default_path`.
        patience_s: How long to wait for them.

    Raises:
        ValueError: If the file cannot be made.
    """
    path = path or default_path()
    own: Share | None = getattr(_HERE, "share", None)
    if own is not None:
        own.give_up()
    gate, file = _open(_gate(path)), _open(path)
    try:
        deadline = time.monotonic() + patience_s
        yield _acquired(gate, deadline) and _acquired(file, deadline)
    finally:
        os.close(file)
        os.close(gate)
        if own is not None:
            own.take()


def _acquired(file: int, deadline: float) -> bool:
    if fcntl is None:
        return False
    while not _try(file, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _try(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _release(file: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ValueError(
            f"the lock for timings {path} cannot be made: {error}; name a writable file in a "
            "folder of this host as config.timing.lock_file"
        ) from error


def _gate(path: Path) -> Path:
    return path.with_name(f"{path.name}.gate")
