"""Which bar and logs a training has."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import jax

from allegro_jax.monitoring.bar import ProgressBar
from allegro_jax.monitoring.callbacks import Callback, Callbacks
from allegro_jax.monitoring.logs import CsvLog, ScalarLog
from allegro_jax.monitoring.services import TensorBoard, WandB


def callbacks_for(
    workdir: Path | None,
    progress: bool,
    tensorboard: bool | None = None,
    wandb_project: str | None = None,
    about: dict[str, Any] | None = None,
) -> Callback:
    """Returns a callback for all that is asked for; of several processes the first alone has any.

    Args:
        workdir: Folder of the run, which receives `logs`; None for no logs in files.
        progress: Show a bar.
        tensorboard: Write event files; None for where tensorboardX is installed.
        wandb_project: Project of Weights & Biases.
        about: Settings that Weights & Biases shows.

    Raises:
        ValueError: If a log is asked for that needs a missing package or a work directory.
    """
    callbacks: list[Callback] = []
    if jax.process_index() != 0:
        return Callbacks(callbacks)
    if workdir is None and (tensorboard or wandb_project):
        raise ValueError("logs of TensorBoard and Weights & Biases need a workdir to be kept in")
    if workdir is not None:
        logs = workdir / "logs"
        callbacks.append(CsvLog(logs))
        if tensorboard is None:
            tensorboard = importlib.util.find_spec("tensorboardX") is not None
        if tensorboard:
            callbacks.append(ScalarLog(TensorBoard(logs / "tensorboard")))
        if wandb_project:
            callbacks.append(ScalarLog(WandB(wandb_project, logs, about or {})))
    if progress:
        callbacks.append(ProgressBar())
    return Callbacks(callbacks)
