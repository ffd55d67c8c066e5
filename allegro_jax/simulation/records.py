"""The folder of a simulation, from which a killed one goes on.

    simulation.json   what the simulation is; a folder of another one is refused
    trajectory.traj   frames (or trajectory.extxyz)
    log.csv           quantities of the frames
    state.npz         a state in full precision, and how long the other files were then

What was written after the last state is cut off when the run goes on, and computed again.
"""

import csv
import dataclasses
import io
import itertools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.io
import numpy as np
from ase.io.trajectory import Trajectory

from allegro_jax.files import replace_file, write_json
from allegro_jax.simulation.engine import Sizes
from allegro_jax.simulation.state import State
from allegro_jax.simulation.trajectory import COLUMNS

if TYPE_CHECKING:
    import ase

FORMATS = ("traj", "extxyz")


@dataclasses.dataclass
class Record:
    """Log and frames of a run: in a folder, or in memory without one.

    Attributes:
        folder: or None.
        file_format: of the frames, "traj" or "extxyz".
        rows: of the log.
        frames: without a folder, all of them.
    """

    folder: Path | None
    file_format: str
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    frames: "list[ase.Atoms]" = dataclasses.field(default_factory=list)

    @property
    def path(self) -> Path | None:
        """File of the frames."""
        return self.folder and self.folder / f"trajectory.{self.file_format}"

    def begun(self, description: dict[str, Any]) -> tuple[State, Sizes] | None:
        """Prepares the folder; returns where an earlier run ended, if there was one.

        Raises:
            ValueError: the folder holds another simulation.
        """
        if self.folder is None:
            return None
        header = self.folder / "simulation.json"
        if header.exists():
            _check_same(json.loads(header.read_text()), description, self.folder)
        else:
            write_json(header, description)
        if (self.folder / "state.npz").exists():
            return self._restored()
        for path in (self._log, self.path):
            path.unlink(missing_ok=True)  # type: ignore[union-attr]
        self._log.write_text(",".join(COLUMNS) + "\n")
        return None

    def append(self, atoms: "ase.Atoms", row: dict[str, float]) -> None:
        """Adds a frame."""
        if self.folder is None:
            self.frames.append(atoms)
        else:
            self._write(atoms, row)
        self.rows.append(row)  # last: a row means that its frame is whole

    def _write(self, atoms: "ase.Atoms", row: dict[str, float]) -> None:
        if self.file_format == "traj":
            _append_to_traj(self.path, [atoms])  # type: ignore[arg-type]
        else:
            ase.io.write(self.path, atoms, format=self.file_format, append=True)  # type: ignore[arg-type]
        with self._log.open("a") as file:
            file.write(",".join(repr(row[name]) for name in COLUMNS) + "\n")

    def save(self, state: State, sizes: Sizes) -> None:
        """Writes a state, from which a later run goes on, if its frame was the last one written."""
        if self.folder is None or not self.rows or self.rows[-1]["step"] != int(state.step):
            return
        arrays: dict[str, Any] = {k: np.asarray(value) for k, value in state._asdict().items()}
        arrays |= {name: np.asarray(value) for name, value in dataclasses.asdict(sizes).items()}
        arrays["n_frames"] = np.asarray(len(self.rows))
        arrays["log_bytes"] = np.asarray(self._log.stat().st_size)
        arrays["frames_bytes"] = np.asarray(self.path.stat().st_size)  # type: ignore[union-attr]
        content = io.BytesIO()
        np.savez(content, **arrays)
        replace_file(self.folder / "state.npz", content.getvalue())

    @property
    def _log(self) -> Path:
        return self.folder / "log.csv"  # type: ignore[operator]

    def _restored(self) -> tuple[State, Sizes]:
        """Reads the state and cuts off what was written after it."""
        with np.load(self.folder / "state.npz") as file:  # type: ignore[operator]
            arrays = {name: file[name] for name in file.files}
        os.truncate(self._log, int(arrays["log_bytes"]))
        with self._log.open() as file:
            self.rows = [{k: _number(k, v) for k, v in row.items()} for row in csv.DictReader(file)]
        self._cut_frames(int(arrays["n_frames"]), int(arrays["frames_bytes"]))
        sizes = Sizes(*(int(arrays[field.name]) for field in dataclasses.fields(Sizes)))
        return State(*(arrays[name] for name in State._fields)), sizes

    def _cut_frames(self, number: int, size: int) -> None:
        path: Path = self.path  # type: ignore[assignment]
        if path.stat().st_size == size:
            return
        if self.file_format == "extxyz":
            os.truncate(path, size)
            return
        # The index within a .traj file rules out cutting: its first frames are written anew.
        frames = itertools.islice(ase.io.iread(path, index=":"), number)
        shorter = path.with_suffix(".part")
        shorter.unlink(missing_ok=True)
        _append_to_traj(shorter, frames)
        shorter.replace(path)


def _append_to_traj(path: Path, frames: "Iterable[ase.Atoms]") -> None:
    """`ase.io.write` opens files in a way in which this format cannot be appended to."""
    with Trajectory(path, "a") as file:
        for atoms in frames:
            file.write(atoms)


def _number(name: str, text: str) -> float:
    return int(text) if name == "step" else float(text)


def _check_same(there: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    now = json.loads(json.dumps(now))
    differing = sorted(key for key in there.keys() | now.keys() if there.get(key) != now.get(key))
    if not differing:
        return
    words = "; ".join(f"{key} was {there.get(key)}, came {now.get(key)}" for key in differing)
    raise ValueError(
        f"{folder} holds another simulation ({words}). Give another folder, or the settings of "
        "that one to go on with it"
    )
