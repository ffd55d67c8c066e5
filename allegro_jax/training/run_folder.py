"""What a run keeps in its work directory: checkpoints, the loss of every step, the run card."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax

from allegro_jax.sharding.data import agreed
from allegro_jax.training.checkpoints import Checkpoints
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.loss_curve import LossCurve
from allegro_jax.training.run_card import write_run_card

_ELSEWHERE = ("devices", "resident_gb", "checkpoint_interval_s")
"""Settings that may change when a run is taken up again: they do not change its result."""


class RunFolder:
    """The files of a run, or none of them.

    Args:
        workdir: The work directory; without one nothing is kept and nothing found.
        training: Settings of the run.
        others: JSON values that, with the settings, say which run this is: model and data.
        devices: Devices that share the batches.
    """

    def __init__(
        self,
        workdir: Path | str | None,
        training: TrainingConfig,
        others: dict[str, Any],
        devices: int,
    ) -> None:
        self._training, self._devices = training, devices
        self._run = {"seed": training.seed, "training": training.to_json(), **others}
        self._workdir = None if workdir is None else Path(workdir)
        self._checkpoints: Checkpoints | None = None
        curve = None
        if self._workdir is not None:
            settings = {k: v for k, v in training.to_json().items() if k not in _ELSEWHERE}
            identity = {"training": settings, **others}
            self._checkpoints = Checkpoints(self._workdir / "checkpoints", identity)
            if jax.process_index() == 0:
                curve = self._workdir / "losses.csv"
        self._curve = LossCurve(curve)
        self._saved_at = time.monotonic()

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Returns arrays and JSON values of the newest whole checkpoint, None without one.

        Raises:
            ValueError: If the folder belongs to another run, or no checkpoint in it can be read.
            OSError: If the folder cannot be written.
        """
        if self._workdir is None or self._checkpoints is None:
            return None
        found = self._checkpoints.restore(like)
        if found is None:
            self._curve.begin()
        else:
            self._curve.cut_back(found[1]["curve_bytes"])
        step = None if found is None else found[1]["step"]
        write_run_card(self._workdir / "run.json", self._run, self._devices, step)
        return found

    def add_losses(self, step: int, losses: Iterable[float]) -> None:
        """Takes losses of steps, the first of which has the number `step`."""
        self._curve.add(step, losses)

    @property
    def due(self) -> bool:
        """Whether the last checkpoint, or the last attempt at one, is older than the interval."""
        waited = agreed(time.monotonic() - self._saved_at)
        return self._checkpoints is not None and waited > self._training.checkpoint_interval_s

    def save(self, moment: int, arrays: Any, values: dict[str, Any]) -> None:
        """Writes a checkpoint; nothing without a work directory.

        Args:
            moment: Grows with the run.
            arrays: Alike on all devices.
            values: JSON values, among them the number of steps as "step".

        Raises:
            OSError: If it cannot be written; earlier checkpoints are still there.
        """
        if self._checkpoints is None:
            return
        self._saved_at = time.monotonic()
        values = {**values, "curve_bytes": self._curve.write()}
        self._checkpoints.save(moment, arrays, values)

    def try_to_save(self, moment: int, arrays: Any, values: dict[str, Any]) -> None:
        """Writes a checkpoint, or warns that it could not: the next one may succeed.

        Processes that train together cannot go on when one of them failed; there it raises.
        """
        try:
            self.save(moment, arrays, values)
        except OSError as error:
            if jax.process_count() > 1:
                raise
            warnings.warn(
                f"{error}. Training goes on and tries again in "
                f"{self._training.checkpoint_interval_s:g} s; {self.kept}",
                RuntimeWarning,
                stacklevel=2,
            )

    @property
    def kept(self) -> str:
        """Says in words what a run that is started again would go on from."""
        if self._checkpoints is None:
            return "nothing is kept, since the run has no work directory"
        newest = self._checkpoints.newest
        if newest is None:
            return "so far there is no checkpoint"
        return f"the newest checkpoint is {self._checkpoints.folder / str(newest)}"

    def close(self) -> None:
        """Releases the folder of the checkpoints."""
        if self._checkpoints is not None:
            self._checkpoints.close()
