"""What is logged, and where: CSV files, TensorBoard, Weights & Biases.

Every log is a place that takes the numbers of a step. A run that is taken up writes the steps after
its checkpoint again; each place shows every step once.
"""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from allegro_jax.monitoring.quantities import QUANTITIES
from allegro_jax.monitoring.tables import GrowingTable
from allegro_jax.monitoring.watchers import Watcher
from allegro_jax.training.progress import Progress


class CsvLog(Watcher):
    """Writes `epochs.csv`, the rows of the history, and `steps.csv`, a row about every second.

    Args:
        folder: Where; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._epochs = GrowingTable(folder / "epochs.csv", "epoch")
        self._steps = GrowingTable(folder / "steps.csv", "step")

    def progressed(self, progress: Progress) -> None:
        """Adds a row to `steps.csv`."""
        self._steps.append({"step": steps_done(progress), **_speed_and_loss(progress)})

    def epoch_done(self, row: Mapping[str, float]) -> None:
        """Adds the row to `epochs.csv`."""
        self._epochs.append(row)


class Scalars(Protocol):
    """A service that draws numbers against steps."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Takes the numbers of a step."""

    def close(self) -> None:
        """Ends the log."""


class ScalarLog(Watcher):
    """Sends losses as `train/...` and validation errors as `valid/..._meV` (and Å) to a service.

    Args:
        scalars: The service.
    """

    def __init__(self, scalars: Scalars) -> None:
        self._scalars = scalars

    def progressed(self, progress: Progress) -> None:
        """Sends loss, rate and speed."""
        values = _speed_and_loss(progress)
        self._scalars.write(
            steps_done(progress), {f"train/{name}": value for name, value in values.items()}
        )

    def epoch_done(self, row: Mapping[str, float]) -> None:
        """Sends the validation errors."""
        errors = {
            f"valid/{column}_meV": QUANTITIES[name].factor * value
            for column, value in row.items()
            if (name := column.rpartition("/")[2]) in QUANTITIES  # of further sets: name/error
        }
        self._scalars.write(int(row["step"]), {"valid/epoch": row["epoch"], **errors})

    def close(self) -> None:
        """Ends the log."""
        self._scalars.close()


class TensorBoard:
    """Event files for TensorBoard; one more whenever a run is taken up.

    The first event of a new file tells TensorBoard to forget what older files hold from its step
    on.

    Args:
        folder: Where; made when missing.

    Raises:
        ValueError: If tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._module = _imported("tensorboardX", "tensorboard")
        self._folder = folder
        self._writer: Any = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Takes the numbers of a step."""
        if self._writer is None:
            # Names hold the second in which a file was begun: a file is not to replace another.
            self._writer = self._module.SummaryWriter(
                str(self._folder), purge_step=step, filename_suffix=f".{uuid.uuid4().hex[:8]}"
            )
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()  # what a killed process has not written is not written again

    def close(self) -> None:
        """Ends the file."""
        if self._writer is not None:
            self._writer.close()


class WandB:
    """A run of Weights & Biases, the same whenever the training is taken up.

    Weights & Biases leaves out steps that it has already. Whether it sends anything over the
    network is for its own settings to say (`WANDB_MODE=offline`).

    Args:
        project: Name of the project.
        folder: Where it keeps its files, and we the number of the run; made when missing.
        config: Settings to show beside the run.

    Raises:
        ValueError: If wandb is not installed.
    """

    def __init__(self, project: str, folder: Path, config: Mapping[str, Any]) -> None:
        self._module = _imported("wandb", "wandb")
        self._project, self._folder, self._config = project, folder, dict(config)
        self._run: Any = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Takes the numbers of a step."""
        if self._run is None:
            self._run = self._begun()
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Ends the run."""
        if self._run is not None:
            self._run.finish()

    def _begun(self) -> Any:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = self._folder / "wandb_id"
        if not number.exists():
            number.write_text(uuid.uuid4().hex[:12])
        return self._module.init(
            project=self._project,
            dir=str(self._folder),
            config=self._config,
            id=number.read_text().strip(),
            resume="allow",
        )


def steps_done(progress: Progress) -> int:
    """Returns the optimiser steps of the whole run that are done."""
    return (progress.epoch - 1) * progress.steps_per_epoch + progress.step


def _speed_and_loss(progress: Progress) -> dict[str, float]:
    return {
        "epoch": progress.epoch,
        "seconds": progress.elapsed_s,
        "loss": progress.loss,
        "learning_rate": progress.learning_rate,
        "structures_per_s": progress.structures_per_s,
    }


def _imported(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"this log needs the package {module}, which is not installed: "
            f"pip install 'allegro-jax[{extra}]'"
        ) from error
