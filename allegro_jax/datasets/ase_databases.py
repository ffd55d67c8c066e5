"""ASE databases row by row: SQLite, and LMDB as fairchem publishes its sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.datasets.dataset import Structure
from allegro_jax.datasets.frames import FrameReader
from allegro_jax.extras import imported

SUFFIXES = (".db", ".aselmdb")


class AseDatabase:
    """A database of `ase.db`.

    Labels are taken from the calculator of a row, its key-value pairs or its data.

    Args:
        path: The file.
        reader: Makes structures of rows.

    Raises:
        MissingExtraError: An `.aselmdb` file without the package `ase-db-backends`.
        ValueError: ASE cannot open the file.
    """

    def __init__(self, path: Path, reader: FrameReader) -> None:
        self.name, self._path, self._reader = path.stem, path, reader
        self.identity = {"file": path.name, "bytes": path.stat().st_size}
        self._database = _connected(path)
        self._ids: list[int] | None = None

    def count(self) -> int:
        """Returns the number of rows."""
        return len(self._numbers())

    def frames(self, start: int = 0) -> Iterator[Structure]:
        """Yields the rows from number `start` on, in the order of their ids."""
        numbers = self._numbers()
        if start:  # the keys are those of the first row, wherever reading begins
            self._read(numbers[0])
        yield from (self._read(number) for number in numbers[start:])

    def _read(self, number: int) -> Structure:
        return self._reader.read(_atoms(self._database.get(id=number)), self._path, f"row {number}")

    def _numbers(self) -> list[int]:
        if self._ids is None:
            self._ids = sorted(_ids(self._database))
        return self._ids


def _connected(path: Path) -> Any:
    import ase.db

    if path.suffix == ".aselmdb":
        imported("ase_db_backends", "lmdb", f"{path}, an ASE database in LMDB,")
    options = {"readonly": True, "use_lock_file": False} if path.suffix == ".aselmdb" else {}
    try:
        database = ase.db.connect(str(path), **options)
        database.count()
    # SQLite and LMDB each fail in their own way.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an ASE database ({type(error).__name__}: {error}); it has "
            f"{path.stat().st_size} bytes and may be truncated"
        ) from error
    return database


def _ids(database: Any) -> list[int]:
    if hasattr(database, "ids"):  # LMDB keeps a list
        return [int(k) for k in database.ids]
    with database.managed_connection() as connection:
        return [int(k) for (k,) in connection.execute("SELECT id FROM systems ORDER BY id")]


def _atoms(row: Any) -> Any:
    atoms = row.toatoms()
    for key, value in {**row.data, **row.key_value_pairs}.items():
        if isinstance(value, int | float | str | np.ndarray | list):
            atoms.info.setdefault(key, value)
    return atoms
