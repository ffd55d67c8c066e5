"""Signals that end a program in order: it writes a checkpoint first.

SLURM sends SIGTERM before it takes a node back, or the signal that `sbatch --signal` names; Ctrl-C
sends SIGINT.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1")  # where the system has them


class Interruption:
    """Remembers that one of these signals came, while the `with` block runs.

    A second one does what it did before the block, so that Ctrl-C twice ends the program at once.

    Example:
        >>> from allegro_jax.interruption import Interruption
        >>> with Interruption() as interruption:
        ...     interruption.requested()
        False
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in _NAMES:
            if (number := getattr(signal, name, None)) is not None:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def requested(self) -> bool:
        """Returns whether a signal came."""
        return self._signal is not None

    @property
    def exit_status(self) -> int:
        """What shells and schedulers expect of a program that a signal ended: 128 + its number."""
        return 0 if self._signal is None else 128 + self._signal

    def _note(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
