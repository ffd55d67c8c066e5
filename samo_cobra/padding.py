"""Capacities: the only place that knows how long padded arrays are.

Every jitted function sees the history padded to one of a few lengths, so that a new point
changes values and never shapes: a run of 400 evaluations compiles each function five times.
"""

import numpy as np
from jaxtyping import Float

# Factorisations cost the cube of the length, so the steps get smaller relative to it.
_CAPACITIES = (40, 80, 160, 280, 400)


def capacity(n: int) -> int:
    """Returns the padded length for ``n`` rows: 40, 80, 160, 280, 400, 600, 900, ..."""
    for size in _CAPACITIES:
        if n <= size:
            return size
    size = _CAPACITIES[-1]
    while size < n:
        size = size * 3 // 2
    return size


def pad_rows(
    array: Float[np.ndarray, "rows *rest"], length: int, fill: float = 0.0
) -> Float[np.ndarray, "length *rest"]:
    """Appends rows of ``fill`` until the array has ``length`` rows."""
    padded = np.full((length, *array.shape[1:]), fill, dtype=float)
    padded[: len(array)] = array
    return padded
