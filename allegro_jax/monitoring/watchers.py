"""Who is told how a training goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allegro_jax.training.footprint import Footprint
from allegro_jax.training.progress import Progress


class Watcher:
    """Is told how a training goes; every method does nothing unless a subclass says what."""

    def started(self, footprint: Footprint) -> None:
        """Is called when the training program is compiled, before its first step."""

    def progressed(self, progress: Progress) -> None:
        """Is called about once a second."""

    def epoch_done(self, row: Mapping[str, float]) -> None:
        """Is called with every new row of the history."""

    def close(self) -> None:
        """Is called at the end, however it comes."""


class Watchers(Watcher):
    """Several watchers as one."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def started(self, footprint: Footprint) -> None:  # noqa: D102  # as in `Watcher`
        for watcher in self._watchers:
            watcher.started(footprint)

    def progressed(self, progress: Progress) -> None:  # noqa: D102
        for watcher in self._watchers:
            watcher.progressed(progress)

    def epoch_done(self, row: Mapping[str, float]) -> None:  # noqa: D102
        for watcher in self._watchers:
            watcher.epoch_done(row)

    def close(self) -> None:  # noqa: D102
        for watcher in self._watchers:
            watcher.close()
