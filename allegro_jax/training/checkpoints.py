"""Orbax checkpoints of a training run: arrays of the state and, beside them, JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The checkpoints of one run in one folder, the newest two kept.

    Args:
        folder: Where they lie; created when missing.
        identity: JSON values that say which run this is (model, training, data). A folder that
            holds checkpoints of another identity is refused.
    """

    def __init__(self, folder: Path | str, identity: dict[str, Any]) -> None:
        self.folder = Path(folder).resolve()
        self.identity = identity
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def save(self, step: int, state: Any, progress: dict[str, Any]) -> None:
        """Writes the state and the progress of the run at `step`, unless that is there already.

        The write is atomic.
        """
        if step == self._manager.latest_step():
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            run=ocp.args.JsonSave({"identity": self.identity, "progress": progress}),
        )
        self._manager.save(step, args=items, force=True)

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Returns the newest state and progress, or None where there is no checkpoint.

        Args:
            like: A state of the same structure, shapes and dtypes.

        Raises:
            ValueError: If the checkpoint belongs to a run with other settings.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        run = self._manager.restore(step, args=ocp.args.Composite(run=ocp.args.JsonRestore())).run
        self._check_identity(run["identity"])
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(template))
        return self._manager.restore(step, args=items).state, run["progress"]

    def close(self) -> None:
        """Waits for open writes and releases the folder."""
        self._manager.close()

    def _check_identity(self, found: dict[str, Any]) -> None:
        differences = _differences(found, self.identity)
        if differences:
            raise ValueError(
                f"{self.folder} holds the checkpoint of another run: "
                + "; ".join(differences[:5])
                + ". Use another work directory, or the settings it was started with."
            )


def _differences(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Returns one line per JSON leaf in which two values differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        lines = []
        for key in sorted(set(found) | set(wanted)):
            inner = f"{path}.{key}" if path else str(key)
            lines += _differences(found.get(key), wanted.get(key), inner)
        return lines
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple):
        found, wanted = list(found), list(wanted)
    return [] if found == wanted else [f"{path} was {found!r}, is now {wanted!r}"]
