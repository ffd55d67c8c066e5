"""Who is told how a training goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allegro_jax.training.footprint import Footprint
from allegro_jax.training.progress import Progress


class Callback:
    """Is told how a training goes; every method does nothing unless a subclass says what."""

    def on_start(self, footprint: Footprint) -> None:
        """Is called when the training program is compiled, before its first step."""

    def on_progress(self, progress: Progress) -> None:
        """Is called about once a second."""

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Is called with every new row of the history."""

    def close(self) -> None:
        """Is called at the end, however it comes."""


class Callbacks(Callback):
    """Several callbacks as one."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = callbacks

    def on_start(self, footprint: Footprint) -> None:  # noqa: D102  # as in `Callback`
        for callback in self._callbacks:
            callback.on_start(footprint)

    def on_progress(self, progress: Progress) -> None:  # noqa: D102
        for callback in self._callbacks:
            callback.on_progress(progress)

    def on_epoch(self, row: Mapping[str, float]) -> None:  # noqa: D102
        for callback in self._callbacks:
            callback.on_epoch(row)

    def close(self) -> None:  # noqa: D102
        for callback in self._callbacks:
            callback.close()
