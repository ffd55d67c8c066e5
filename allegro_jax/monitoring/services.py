"""Services that draw the numbers of a training: TensorBoard, Weights & Biases."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allegro_jax.extras import imported


class TensorBoard:
    """Event files for TensorBoard; one more whenever a run is taken up.

    The first event of a new file tells TensorBoard to forget what older files hold from its step
    on.

    Args:
        folder: Where; made when missing.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._module = imported("tensorboardX", "tensorboard", "this log")
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

    Steps that it has already are not sent again: the repeated ones have the same numbers. Whether
    anything goes over the network is for wandb's own settings to say (`WANDB_MODE=offline`).

    Args:
        project: Name of the project.
        folder: Where it keeps its files, and we the name of the run; made when missing.
        config: Settings to show beside the run.

    Raises:
        MissingExtraError: wandb is not installed.
    """

    def __init__(self, project: str, folder: Path, config: Mapping[str, Any]) -> None:
        self._module = imported("wandb", "wandb", "this log")
        self._project, self._folder, self._config = project, folder, dict(config)
        self._run: Any = None
        self._name, self._sent, self._step = "", -1, -1

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Takes the numbers of a step."""
        if self._run is None:
            self._begin()
        if step > self._step:
            self._note(self._step)  # all of it is sent
            self._step = step
        if step > self._sent:
            self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Ends the run."""
        if self._run is not None:
            self._note(self._step)
            self._run.finish()

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        known = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._name = known.get("id", uuid.uuid4().hex[:12])
        self._sent = known.get("step", -1)
        self._run = self._module.init(
            project=self._project,
            dir=str(self._folder),
            config=self._config,
            id=self._name,
            resume="allow",
        )

    @property
    def _file(self) -> Path:
        return self._folder / "wandb.json"

    def _note(self, step: int) -> None:
        """Notes the last step that was sent, for the run that takes this one up."""
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"id": self._name, "step": max(step, self._sent)}))
        temporary.replace(self._file)
