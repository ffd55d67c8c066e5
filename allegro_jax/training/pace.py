"""The clock of a run, and how many steps the next call of the device may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from allegro_jax.sharding.data import agreed

_CALL_S = 1.0  # the run can be stopped between calls, and meets its time limit that closely
_CALL_SHARE = 0.05  # of the time limit, where that is shorter


class Pace:
    """Seconds of training, without compilation.

    Args:
        limit_s: Seconds allowed, None for no limit.
        compile_s: Returns the seconds spent on compilation so far, during which the clock stands.
        elapsed_s: Seconds done in earlier parts of the run.

    Attributes:
        elapsed_s: Seconds done when the clock was last read.
        step_s: Seconds of a step in the last call, zero before the first.
    """

    def __init__(
        self, limit_s: float | None, compile_s: Callable[[], float], elapsed_s: float = 0.0
    ) -> None:
        self._limit_s, self._compile_s = limit_s, compile_s
        self.elapsed_s, self.step_s = elapsed_s, 0.0
        self.start()

    def start(self) -> None:
        """Starts the clock; what passed since it was last read does not count."""
        self._origin = time.monotonic() - self._compile_s() - self.elapsed_s

    def read(self, steps: int = 0) -> None:
        """Reads the clock after a call that made so many steps."""
        elapsed = agreed(time.monotonic() - self._compile_s() - self._origin)
        if steps:
            self.step_s = (elapsed - self.elapsed_s) / steps
        self.elapsed_s = elapsed

    @property
    def over(self) -> bool:
        """Whether the time limit is reached."""
        return self._limit_s is not None and self.elapsed_s >= self._limit_s

    def remaining_s(self, done: int, total: int) -> float:
        """Returns the seconds to the last step or the time limit; NaN before a step was timed.

        Args:
            done: Steps done in the time on the clock.
            total: Steps of the whole run.
        """
        known = done > 0 and self.elapsed_s > 0
        by_steps = self.elapsed_s / done * (total - done) if known else math.nan
        if self._limit_s is None:
            return by_steps
        left = max(self._limit_s - self.elapsed_s, 0.0)
        return left if math.isnan(by_steps) else min(left, by_steps)

    def steps(self, most: int) -> int:
        """Returns how many steps the next call makes: about a second's worth, at least one."""
        if not self.step_s:
            return 1
        seconds = _CALL_S
        if self._limit_s is not None:
            left = self._limit_s - self.elapsed_s
            seconds = min(seconds, _CALL_SHARE * self._limit_s, left)
        return max(1, min(most, round(seconds / self.step_s)))
