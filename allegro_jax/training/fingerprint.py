"""SHA-256 of arrays: which data a run has seen, and whether a checkpoint is whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

_NOT_CONTENT = ("name", "splits", "config_type")  # nothing of them enters a training


def fingerprint(arrays: Iterable[Any], text: str = "") -> str:
    """Returns the SHA-256, in hexadecimal digits, of arrays with their types and shapes.

    Args:
        arrays: In an order that means something.
        text: Hashed in front of them.

    Example:
        >>> import numpy as np
        >>> from allegro_jax.training.fingerprint import fingerprint
        >>> fingerprint([np.zeros(2)]) == fingerprint([np.zeros(2, np.float32)])
        False
    """
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        array = np.asarray(array)
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def data_fingerprint(data: Any) -> str:
    """Returns the SHA-256 of structures and labels, whatever the set is called.

    Args:
        data: A `Dataset`, or an object that knows its own `fingerprint`, as a set on disk does.
    """
    if (known := getattr(data, "fingerprint", None)) is not None:
        return str(known)
    fields = [field.name for field in dataclasses.fields(data) if field.name not in _NOT_CONTENT]
    present = {name: getattr(data, name) for name in fields if getattr(data, name) is not None}
    return fingerprint(present.values(), text=",".join(present))
