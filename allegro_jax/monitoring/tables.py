"""Tables that grow row by row in a CSV file and go on where a run is taken up."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path


class GrowingTable:
    """A CSV file whose rows ascend in one column.

    Nothing is written before the first row. That row drops what the file holds from its place on:
    rows that an interrupted run wrote after the checkpoint from which it is taken up. Rows with
    other columns than the file's widen it. Every row is in the file when `append` returns, unless
    it cannot be written, on a full disk for instance: then there is a warning, and the next call
    writes it too.

    Args:
        path: The file; its folder is made when missing.
        key: The column in which rows ascend.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._columns: list[str] | None = None
        self._waiting: list[Mapping[str, float]] = []

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row; where there are rows from its place on, these go."""
        self._waiting.append(row)
        try:
            self._write()
        except OSError as error:
            self._columns = None  # the next call cuts off what was written of a row
            if len(self._waiting) == 1:
                message = f"{self._path} cannot be written and is made up for later: {error}"
                warnings.warn(message, RuntimeWarning, stacklevel=2)
        else:
            self._waiting = []

    def _write(self) -> None:
        names = [name for row in self._waiting for name in row]
        if self._columns is None or not set(names) <= set(self._columns):
            place = self._waiting[0][self._key]
            before = [old for old in read_table(self._path) if old[self._key] < place]
            self._rewrite(before, names)
        assert self._columns is not None
        with self._path.open("a", newline="") as file:
            file.write(_text(self._waiting, self._columns))

    def _rewrite(self, rows: list[dict[str, float]], names: list[str]) -> None:
        columns = list(dict.fromkeys([*(rows[0] if rows else ()), *names]))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(",".join(columns) + "\n" + _text(rows, columns))
        temporary.replace(self._path)
        self._columns = columns


def read_table(path: Path) -> list[dict[str, float]]:
    """Returns the rows of a file of numbers; a last line that was cut off is left out.

    A missing file has no rows, empty places are left out of their row.
    """
    if not path.is_file():
        return []
    lines = path.read_text().splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    rows = csv.DictReader(lines)
    return [{name: float(value) for name, value in row.items() if value} for row in rows]


def _text(rows: Sequence[Mapping[str, float]], columns: list[str]) -> str:
    buffer = io.StringIO()
    csv.DictWriter(buffer, columns, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
