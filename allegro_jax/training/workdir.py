"""The work directory of a run: it can be written, and one run at a time uses it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import jax

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def claimed(workdir: Path | str | None) -> Iterator[None]:
    """Holds a work directory for this process, made when missing.

    The operating system drops the lock with the process, however that ends, so what a killed run
    leaves behind is taken over. Of several processes that train together the first one holds it.

    Args:
        workdir: The folder; None for a run without one, for which nothing is done.

    Raises:
        ValueError: If it is a file, cannot be written, or another process trains in it.
    """
    if workdir is None or jax.process_index() != 0:
        yield
        return
    folder = Path(workdir)
    with _lock_file(folder) as file:
        _lock(file, folder)
        try:
            yield
        finally:
            file.truncate(0)


def _lock_file(folder: Path) -> IO[str]:
    """Opens the lock file, which also shows whether the folder can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "run.lock").open("a+")
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(
            f"the work directory {folder} is a file, or lies in one; give the name of a folder"
        ) from error
    except OSError as error:
        raise ValueError(
            f"the work directory {folder} cannot be written: {error.strerror}; choose another one, "
            "or make it writable"
        ) from error


def _lock(file: IO[str], folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(
            f"another run is going on in {folder}: {_holder(file)}. Wait for it or end it, or use "
            "another work directory"
        ) from error
    except OSError as error:
        warnings.warn(
            f"{folder} is on a file system without locks ({error.strerror}): make sure that no "
            "other run uses it",
            RuntimeWarning,
            stacklevel=2,
        )
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    file.truncate(0)
    json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": now}, file)
    file.flush()


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        holder = json.load(file)
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has not said which process it is"
