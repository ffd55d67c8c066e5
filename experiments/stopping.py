"""Ctrl-C and SIGTERM: a training stops after its checkpoint is written."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Whether somebody has asked this process to stop; ask it by calling it.

    The first signal only asks; after it the process reacts to signals as usual, so that a second
    Ctrl-C ends it at once.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def __call__(self) -> bool:
        """Returns whether the process is to stop."""
        return self._asked

    def _ask(self, _: int, __: FrameType | None) -> None:
        self._asked = True
        for number, handler in self._before.items():
            signal.signal(number, handler)
