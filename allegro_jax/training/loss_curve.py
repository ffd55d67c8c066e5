"""`losses.csv`: the loss of every optimiser step, as far as the newest checkpoint."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

_HEADER = "step,loss\n"


class LossCurve:
    """A file that grows with the checkpoints, and is cut back to the one a run goes on from.

    Args:
        path: The file; None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._bytes = 0
        self._waiting: list[str] = []

    def add(self, step: int, losses: Iterable[float]) -> None:
        """Keeps losses until they are written; `step` is the number of the first, from 1."""
        if self._path is not None:
            self._waiting += [f"{step + k},{loss!r}\n" for k, loss in enumerate(losses)]

    def write(self) -> int:
        """Appends what waits, down to the disk; returns the size of the file in bytes.

        Raises:
            OSError: If it cannot be written; then the file is as before, and the losses wait.
        """
        if self._path is None or not self._waiting:
            return self._bytes
        text = "".join(self._waiting).encode()
        try:
            with self._path.open("ab") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._bytes)
            raise
        self._bytes += len(text)
        self._waiting = []
        return self._bytes

    def begin(self) -> None:
        """Begins an empty curve."""
        if self._path is not None:
            self._bytes = self._path.write_text(_HEADER)

    def cut_back(self, size: int) -> None:
        """Goes on after the first `size` bytes, with a warning if the file has fewer."""
        if self._path is None:
            return
        present = self._path.stat().st_size if self._path.exists() else 0
        if present < size:
            warnings.warn(
                f"{self._path} is shorter than when the checkpoint was written: losses of steps "
                "before it are missing there (the run itself is not affected)",
                RuntimeWarning,
                stacklevel=2,
            )
        if present == 0:
            self.begin()
            return
        self._bytes = min(present, size)
        os.truncate(self._path, self._bytes)
