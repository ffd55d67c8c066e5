"""Where structures come from, one at a time: files of any size, databases, iterables.

A source is read in order and never held in memory, so it may be larger than that.

=====================  ==========================================================================
`.db`, `.aselmdb`      ASE databases: SQLite (part of ASE), and LMDB as fairchem publishes it
                       (`pip install 'allegro-jax[lmdb]'`)
`.h5`, `.hdf5`         the arrays of `hdf5_files` (`pip install 'allegro-jax[hdf5]'`)
`.npz`                 any layout of `npz_files`; read whole
else                   what ASE reads: extended XYZ, `.traj`, OUTCAR, ...
=====================  ==========================================================================
"""

import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from allegro_jax.datasets.ase_databases import SUFFIXES as DATABASES
from allegro_jax.datasets.ase_databases import AseDatabase
from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.datasets.frames import AseFile, FrameReader, LabelKeys
from allegro_jax.datasets.hdf5_files import SUFFIXES as HDF5
from allegro_jax.datasets.hdf5_files import Hdf5File
from allegro_jax.datasets.npz_files import read_npz
from allegro_jax.datasets.registry import load, names


class Source(Protocol):
    """Structures in a fixed order.

    Attributes:
        name: What errors and reports call it.
        identity: JSON values by which another source of the same kind is told apart.
    """

    name: str
    identity: dict[str, Any]

    def frames(self, start: int = 0) -> Iterator[Structure]:
        """Yields the structures from number `start` on."""


def open_source(source: Any, labels: LabelKeys = LabelKeys()) -> Source:  # noqa: B008  # frozen
    """Opens what structures can be read from.

    Args:
        source: A `Dataset`; a registered name; a file, a folder of files, a pattern such as
            `"frames/*.extxyz"`, or a sequence of these, in order; or an iterable of `Structure` or
            `ase.Atoms`.
        labels: Where the labels of frames read by ASE are.

    Raises:
        ValueError: Nothing can be read from `source`.
        FileNotFoundError: A file does not exist, or a pattern matches none.
    """
    if isinstance(source, Dataset):
        return _InMemory(source)
    if isinstance(source, str | os.PathLike):
        return _opened([source], labels)
    is_list = isinstance(source, Sequence) and len(source) > 0
    if is_list and all(isinstance(item, str | os.PathLike) for item in source):
        return _opened(source, labels)
    if isinstance(source, Iterable) and not isinstance(source, Mapping):
        return _Items(source, labels)
    raise ValueError(
        "structures come from a Dataset, a registered name, files, or an iterable of Structure or "
        f"ase.Atoms; came {type(source).__name__}"
    )


class _InMemory:
    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.name = dataset, dataset.name
        self.identity = {"dataset": dataset.name, "structures": len(dataset)}

    def frames(self, start: int = 0) -> Iterator[Structure]:
        return (self.dataset[k] for k in range(start, len(self.dataset)))


class _Items:
    """An iterable; to start later, the first items are passed over."""

    def __init__(self, items: Iterable[Any], labels: LabelKeys) -> None:
        self._items, self._labels = items, labels
        self.name, self.identity = "structures", {"iterable": type(items).__name__}

    def frames(self, start: int = 0) -> Iterator[Structure]:
        reader = FrameReader(self._labels)
        for k, item in enumerate(self._items):
            if not isinstance(item, Structure):
                item = reader.read(item, self.name, f"item {k}")
            if k >= start:
                yield item


class _Files:
    """Files one after the other."""

    def __init__(self, files: Sequence[Any]) -> None:
        self._files = files
        self.name = files[0].name
        self.identity = {"files": [file.identity for file in files]}

    def frames(self, start: int = 0) -> Iterator[Structure]:
        for file in self._files:
            count = file.count()  # None where only reading would tell
            if count is not None and count <= start:
                start -= count
                next(file.frames(), None)  # the keys of labels are those of the first file
                continue
            if count is not None:
                yield from file.frames(start)
                start = 0
                continue
            passed = 0
            for passed, frame in enumerate(file.frames(), start=1):
                if passed > start:
                    yield frame
            start = max(start - passed, 0)


def _opened(places: Sequence[Any], labels: LabelKeys) -> Source:
    if len(places) == 1 and str(places[0]) in names():
        return _InMemory(load(str(places[0])))
    paths = list(itertools.chain.from_iterable(_paths(os.fspath(place)) for place in places))
    reader = FrameReader(labels)
    return _Files([_file(path, reader) for path in paths])


def _paths(place: str) -> list[Path]:
    path = Path(place)
    if path.is_file():
        return [path]
    pattern = str(path / "*") if path.is_dir() else place
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207
    # A folder of LMDB holds lock files and a README beside the data.
    files = [item for item in found if item.is_file() and not item.name.endswith(("-lock", ".md"))]
    if not files:
        raise FileNotFoundError(
            f"no file, folder or pattern {place!r} with files; registered names: {names()}"
        )
    return files


def _file(path: Path, reader: FrameReader) -> Any:
    suffix = path.suffix.lower()
    if suffix in DATABASES:
        return AseDatabase(path, reader)
    if suffix in HDF5:
        return Hdf5File(path)
    if suffix == ".npz":
        return _Npz(path)
    if suffix in (".lmdb", ".mdb"):
        raise ValueError(
            f"{path}: LMDB files of this kind hold pickled objects, which could run code when they "
            "are read; convert it to an ASE database (.aselmdb or .db) with the program that wrote "
            "it"
        )
    return AseFile(path, reader)


class _Npz:
    def __init__(self, path: Path) -> None:
        self.name, self._path = path.stem, path
        self.identity = {"file": path.name, "bytes": path.stat().st_size}
        self._source: _InMemory | None = None

    def count(self) -> int:
        return len(self._opened().dataset)

    def frames(self, start: int = 0) -> Iterator[Structure]:
        return self._opened().frames(start)

    def _opened(self) -> _InMemory:
        if self._source is None:
            self._source = _InMemory(read_npz(self._path, self.name))
        return self._source
