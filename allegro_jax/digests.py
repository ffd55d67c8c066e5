"""SHA-256 of arrays: which data a run has seen, and whether a checkpoint is whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from allegro_jax.datasets import Dataset

_NOT_CONTENT = ("name", "splits", "config_type")  # nothing of them enters a training


def digest(arrays: Iterable[Any], text: str = "") -> str:
    """Returns the SHA-256, in hexadecimal digits, of arrays with their types and shapes.

    Args:
        arrays: In an order that means something.
        text: Hashed in front of them.

    Example:
        >>> import numpy as np
        >>> from allegro_jax.digests import digest
        >>> digest([np.zeros(2)]) == digest([np.zeros(2, np.float32)])
        False
    """
    content = hashlib.sha256(text.encode())
    for array in arrays:
        array = np.asarray(array)
        content.update(f"{array.dtype.name}{array.shape}".encode())
        content.update(array.tobytes())
    return content.hexdigest()


def data_digest(data: Any) -> str:
    """Returns the SHA-256 of structures and labels, whatever the set is called.

    Args:
        data: A `Dataset`, or an object that knows its own `digest`, as a set on disk does.
    """
    if not isinstance(data, Dataset):
        return str(data.digest)
    fields = [field.name for field in dataclasses.fields(data) if field.name not in _NOT_CONTENT]
    present = {name: getattr(data, name) for name in fields if getattr(data, name) is not None}
    return digest(present.values(), text=",".join(present))
