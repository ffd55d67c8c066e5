"""The files of a store: one `.npy` per ragged array, written by appending, read by mapping."""

import contextlib
import dataclasses
import io
import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int

Level = Literal["structures", "atoms", "edges"]

_NEAR = 65_536  # bytes; reading what lies between costs less than another request

MAX_ATOMS = 65_535
"""Atoms of a structure that fits into a store, whose edges count them in 16 bits."""

MAX_SHIFT = 127
"""Lattice translations of an edge that fit, along each direction, in 8 bits."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One array of a store.

    Attributes:
        level: What it has a row for.
        dtype: On disk, little-endian. Edges, which are most of a store, take 7 bytes each.
        shape: Of a row.
    """

    level: Level
    dtype: str
    shape: tuple[int, ...] = ()


COLUMNS = {
    "n_atoms": Column("structures", "<i4"),
    "n_edges": Column("structures", "<i4"),
    "max_neighbors": Column("structures", "<i4"),
    "cell": Column("structures", "<f8", (3, 3)),
    "pbc": Column("structures", "|b1", (3,)),
    "energy": Column("structures", "<f8"),
    "stress": Column("structures", "<f8", (3, 3)),
    "force_squares": Column("structures", "<f8"),
    "force_count": Column("structures", "<i4"),
    "group": Column("structures", "<i4"),
    "numbers": Column("atoms", "|u1"),
    "positions": Column("atoms", "<f8", (3,)),
    "forces": Column("atoms", "<f8", (3,)),
    "centres": Column("edges", "<u2"),
    "neighbors": Column("edges", "<u2"),
    "shifts": Column("edges", "|i1", (3,)),
}
"""Every array that a store may have; those of labels that do not exist are left out."""

OF_LABELS = {
    "forces": ("forces", "force_squares", "force_count"),
    "stress": ("stress",),
    "group": ("group",),
}
"""Columns that a store has only with the label."""


class ColumnFiles:
    """Arrays that grow by rows, in a folder.

    Args:
        folder: Where they lie.
        names: Of `COLUMNS`.
        rows: Rows that each level has already; what a file has beyond them, from an interrupted
            write, is cut off.
    """

    def __init__(self, folder: Path, names: list[str], rows: Mapping[str, int]) -> None:
        self._rows: dict[str, int] = {"structures": 0, "atoms": 0, "edges": 0, **rows}
        self._files = {name: (folder / f"{name}.npy").open("ab") for name in names}
        for name, file in self._files.items():
            held = self._rows[COLUMNS[name].level]
            size = _header_bytes(name) + held * _row_bytes(name)
            if held and os.fstat(file.fileno()).st_size < size:
                raise ValueError(
                    f"{file.name} is shorter than when the writing was interrupted; remove the "
                    "folder and write the store again"
                )
            file.truncate(size)
            file.seek(0, os.SEEK_END)

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each level so far."""
        return dict(self._rows)

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Adds rows to every file."""
        for name, file in self._files.items():
            file.write(np.ascontiguousarray(arrays[name], COLUMNS[name].dtype).data)
        for level, name in (("structures", "n_atoms"), ("atoms", "numbers"), ("edges", "centres")):
            self._rows[level] += len(arrays[name])

    def flush(self) -> None:
        """Brings everything to the disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            file.close()

    def finish(self) -> None:
        """Writes the headers, with which the files become arrays, and closes."""
        self.flush()
        self.close()
        for name, file in self._files.items():
            with Path(file.name).open("r+b") as again:
                again.write(_header(name, self._rows[COLUMNS[name].level]))
                os.fsync(again.fileno())


class MappedFile:
    """An array on disk, mapped into memory.

    Args:
        path: A `.npy` file.

    Attributes:
        array: Read-only; pages come from the disk as they are touched.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        size = offset + int(np.prod(shape)) * dtype.itemsize
        if len(self._map) < size:
            raise ValueError(
                f"{path} has {len(self._map)} bytes of {size}: the store is damaged, write it again"
            )
        if hasattr(mmap, "MADV_RANDOM"):
            # Structures are read here and there: reading ahead would fetch mostly others.
            self._map.madvise(mmap.MADV_RANDOM)
        self._offset = offset
        self.array: np.ndarray = np.ndarray(shape, dtype, self._map, offset)

    def fetch(self, starts: Int[np.ndarray, "runs"], stops: Int[np.ndarray, "runs"]) -> None:
        """Has the disk read runs of rows, ascending, without waiting; near ones in one piece."""
        if not hasattr(mmap, "MADV_WILLNEED") or self.array.size == 0:
            return
        width = self.array.strides[0]
        first = (self._offset + starts * width) // mmap.PAGESIZE * mmap.PAGESIZE
        last = self._offset + stops * width
        apart = np.flatnonzero(first[1:] - last[:-1] > _NEAR)
        first, last = first[np.append(0, apart + 1)], last[np.append(apart, len(last) - 1)]
        for start, stop in zip(first.tolist(), last.tolist(), strict=True):
            if stop > start:
                self._map.madvise(mmap.MADV_WILLNEED, start, stop - start)

    def release(self) -> None:
        """Takes the pages out of this process, where they count as its memory."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing into a folder; a killed process holds nothing.

    Raises:
        ValueError: Another process holds it.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # no such locks on Windows
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"another process is writing the store {folder}") from error
        yield


def _header(name: str, rows: int) -> bytes:
    """The `.npy` header, which NumPy pads so that its length does not depend on `rows`."""
    column, stream = COLUMNS[name], io.BytesIO()
    values = {"descr": column.dtype, "fortran_order": False, "shape": (rows, *column.shape)}
    np.lib.format.write_array_header_1_0(stream, values)
    return stream.getvalue()


def _header_bytes(name: str) -> int:
    return len(_header(name, 0))


def _row_bytes(name: str) -> int:
    column = COLUMNS[name]
    return np.dtype(column.dtype).itemsize * int(np.prod(column.shape))
