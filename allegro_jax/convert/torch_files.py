"""Archives written by `torch.save` and `torch.package`, read with numpy alone.

Both are zip files of one pickle and many storages, uncompressed. The pickle is read as data (see
`allegro_jax.convert.pickles`), the Python sources in a package are never looked at.
"""

import math
import struct
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from allegro_jax.convert.pickles import Storage, Tensor, read_pickle

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}
# What zipfile raises for damaged, encrypted and otherwise unreadable archives.
_BAD_ZIP = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, struct.error)


class TorchArchive:
    """A torch archive, open for reading.

    Args:
        path: file.

    Raises:
        ValueError: no file, no zip archive, or entries that are compressed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"there is no file {self.path}.")
        try:
            self._zip = zipfile.ZipFile(self.path)
        except _BAD_ZIP as error:
            raise ValueError(
                "it is no zip archive, but damaged or no file of nequip 0.7 or newer."
            ) from error
        self._entries = {info.filename.partition("/")[2]: info for info in self._zip.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in self._entries.values()):
            self._zip.close()
            raise ValueError("it is compressed, which archives made by torch never are.")
        if "byteorder" in self and self.read("byteorder") != b"little":
            raise ValueError("it was written by a big-endian machine, which is not supported.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def __contains__(self, entry: str) -> bool:
        return entry in self._entries

    def read(self, entry: str) -> bytes:
        """Content of an entry, named without the folder that holds everything.

        Raises:
            ValueError: no such entry, or a damaged one.
        """
        if entry not in self._entries:
            raise ValueError(f"it is incomplete: there is no entry {entry!r}.")
        try:
            return self._zip.read(self._entries[entry])
        except _BAD_ZIP as error:
            raise ValueError(f"it is damaged at {entry!r}: {error}.") from error

    def unpickle(self, entry: str) -> Any:
        """The pickle in an entry, as plain data; see `read_pickle`."""
        return read_pickle(self.read(entry))

    def array(self, tensor: Tensor) -> np.ndarray:
        """The numbers of a tensor.

        Raises:
            ValueError: a type of number without a numpy equivalent, or a view that does not lie
                within its storage.
        """
        values = np.frombuffer(*self._storage(tensor.storage))
        steps = zip(tensor.shape, tensor.strides, strict=True)
        last = tensor.offset + sum((size - 1) * stride for size, stride in steps)
        count = math.prod(tensor.shape)
        if count == 0:
            return np.zeros(tensor.shape, values.dtype)
        if count > len(values) or last >= len(values):
            raise ValueError(
                f"it is damaged: a tensor of shape {tensor.shape} does not fit the {len(values)} "
                f"numbers of its storage {tensor.storage.key!r}."
            )
        strides = [stride * values.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides)
        return view.copy()

    def _storage(self, storage: Storage) -> tuple[bytes, np.dtype]:
        if storage.kind not in _DTYPES:
            raise ValueError(f"it holds numbers of the unsupported type {storage.kind}.")
        in_package = f".data/{storage.key}.storage"
        content = self.read(in_package if in_package in self else f"data/{storage.key}")
        dtype = np.dtype(_DTYPES[storage.kind])
        if len(content) % dtype.itemsize:
            raise ValueError(f"it is damaged: storage {storage.key!r} is cut off.")
        return content, dtype
