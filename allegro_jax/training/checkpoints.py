"""Orbax checkpoints of a training run: arrays of the state and, beside them, JSON.

Orbax writes a checkpoint into a folder with another name and renames it when all is on the disk, so
a killed process leaves whole checkpoints, and at most a folder `*.orbax-checkpoint-tmp` that the
next run removes. What happens to the files later, nobody guards: the JSON holds the SHA-256 of the
arrays and of itself, and a checkpoint that does not agree with it counts as unreadable.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from allegro_jax.digests import digest
from allegro_jax.sharding.data import local_copy

_ROOM = 1.1  # free space that a write needs, over the size of its arrays
_ROOM_BYTES = 1_000_000
_PATIENCE = 5.0  # seconds, for the removal of what a failed write left


class OtherRunError(ValueError):
    """A work directory belongs to a run with other settings or data."""


class Checkpoints:
    """The checkpoints of one run in one folder, the newest two kept.

    Args:
        folder: Where they lie; created when missing.
        identity: JSON values that say which run this is (model, training, data). A folder that
            holds checkpoints of another identity is refused.
    """

    def __init__(self, folder: Path | str, identity: dict[str, Any]) -> None:
        self.folder = Path(folder).resolve()
        self.identity = json.loads(json.dumps(identity))  # tuples become lists, as in the file
        _remove_unfinished(self.folder)
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    @property
    def newest(self) -> int | None:
        """The moment of the newest checkpoint, None where there is none."""
        return self._manager.latest_step()

    def save(self, moment: int, arrays: Any, progress: dict[str, Any]) -> None:
        """Writes arrays and progress of a run, unless this moment is there already.

        The write is atomic: the earlier checkpoints stay until this one is whole.

        Args:
            moment: Grows with the run; the name of the checkpoint.
            arrays: Alike on all devices.
            progress: JSON values.

        Raises:
            OSError: If the checkpoint cannot be written; the earlier ones are still there.
        """
        if moment == self.newest:
            return
        try:
            self._check_room(arrays)
            items = ocp.args.Composite(
                state=ocp.args.StandardSave(arrays),
                run=ocp.args.JsonSave(_sealed(self.identity, progress, _arrays_digest(arrays))),
            )
            self._manager.save(moment, args=items, force=True)
        except (OSError, ValueError) as error:  # tensorstore reports a full disk as ValueError
            _remove_unfinished(self.folder)
            raise OSError(f"no checkpoint could be written to {self.folder}: {error}") from error

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """Returns arrays and progress of the newest checkpoint that is whole.

        A newer one that cannot be read is moved to the folder `<folder>-unreadable`, with a warning
        that names it.

        Args:
            like: Arrays of the same structure, shapes and dtypes.

        Returns:
            None where there is no checkpoint.

        Raises:
            ValueError: If the checkpoint belongs to another run, or if there are checkpoints and
                none can be read.
        """
        unreadable: dict[int, str] = {}
        # Not those that Orbax lists: it passes over folders without some of their files.
        present = (int(path.name) for path in self.folder.iterdir() if path.name.isdigit())
        for moment in sorted(present, reverse=True):
            try:
                found = self._read(moment, like)
            except OtherRunError:
                raise
            except Exception as error:  # Orbax and tensorstore raise whatever the damage leads to
                unreadable[moment] = " ".join(str(error).split())[:200] or repr(error)
                if jax.process_count() > 1:  # the others may have read it, or wait for this one
                    break
                continue
            self._set_aside(unreadable)
            return found
        if unreadable:
            raise ValueError(self._unreadable(unreadable))
        return None

    def close(self) -> None:
        """Waits for open writes and releases the folder."""
        self._manager.close()

    def _read(self, moment: int, like: Any) -> tuple[Any, dict[str, Any]]:
        items = ocp.args.Composite(run=ocp.args.JsonRestore())
        run = self._manager.restore(moment, args=items).run
        if run != _sealed(run["identity"], run["progress"], run["arrays"]):
            raise ValueError("its JSON is not what was written")
        self._check_identity(run["identity"])
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(template))
        arrays = self._manager.restore(moment, args=items).state
        if _arrays_digest(arrays) != run["arrays"]:
            raise ValueError("its arrays are not what was written")
        return arrays, run["progress"]

    def _check_identity(self, found: dict[str, Any]) -> None:
        differences = _differences(found, self.identity)
        if differences:
            raise OtherRunError(
                f"{self.folder} holds the checkpoint of another run: "
                + "; ".join(differences[:5])
                + ". Use another work directory, or the settings and data it was started with."
            )

    def _check_room(self, arrays: Any) -> None:
        """Refuses what will not fit before Orbax begins to write it."""
        needed = _ROOM * sum(leaf.nbytes for leaf in jax.tree.leaves(arrays)) + _ROOM_BYTES
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            shortage = f"{needed / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free"
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}, {shortage}")

    def _set_aside(self, unreadable: dict[int, str]) -> None:
        """Makes place for the checkpoints that will be written at these moments again."""
        aside = self.folder.with_name(f"{self.folder.name}-unreadable")
        for moment, reason in unreadable.items():
            aside.mkdir(exist_ok=True)
            shutil.rmtree(aside / str(moment), ignore_errors=True)
            (self.folder / str(moment)).rename(aside / str(moment))
            warnings.warn(
                f"the checkpoint {self.folder / str(moment)} cannot be read ({reason}); it was "
                f"moved to {aside} and the run goes on from the one before it",
                RuntimeWarning,
                stacklevel=2,
            )
        if unreadable:
            self._manager.reload()

    def _unreadable(self, moments: dict[int, str]) -> str:
        reasons = "; ".join(f"{moment}: {reason}" for moment, reason in moments.items())
        if jax.process_count() > 1:
            return (
                f"a checkpoint in {self.folder} cannot be read ({reasons}). Remove it, and the run "
                "goes on from the one before."
            )
        return (
            f"none of the checkpoints in {self.folder} can be read ({reasons}). Put a copy of one "
            "back if there is one; to begin the run anew, remove that folder or use another work "
            "directory."
        )


def _sealed(identity: Any, progress: Any, arrays: str) -> dict[str, Any]:
    """The JSON of a checkpoint, with a digest of all of it."""
    content = {"identity": identity, "progress": progress, "arrays": arrays}
    return {**content, "sha256": digest([], text=json.dumps(content, sort_keys=True))}


def _arrays_digest(arrays: Any) -> str:
    return digest(jax.device_get(jax.tree.leaves(local_copy(arrays))))


def _remove_unfinished(folder: Path) -> None:
    """Removes what a write left that was cut off; the owner of the work directory is alone here.

    After a write that failed, Orbax's threads may still add files: then it is removed again.
    """
    if jax.process_index() == 0:
        end = time.monotonic() + _PATIENCE
        while (left := list(folder.glob("*.orbax-checkpoint-tmp*"))) and time.monotonic() < end:
            for path in left:
                shutil.rmtree(path, ignore_errors=True)
            time.sleep(0.05)


def _differences(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Returns one line per JSON leaf in which two values differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        lines = []
        for key in sorted(set(found) | set(wanted)):
            inner = f"{path}.{key}" if path else str(key)
            lines += _differences(found.get(key), wanted.get(key), inner)
        return lines
    return [] if found == wanted else [f"{path} was {found!r}, is now {wanted!r}"]
