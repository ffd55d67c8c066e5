"""Values of parameters and conditions on them, as they stand in JSON."""

import math
from typing import Any, TypeAlias

import numpy as np

Value: TypeAlias = bool | int | float | str | None
# Name of the parent, and its values for which the child exists.
Condition: TypeAlias = tuple[str, tuple[Value, ...]]


def check_scalars(name: str, field: str, values: Any) -> None:
    """Raises a ``ValueError`` for a value that JSON cannot hold."""
    for value in values:
        if value is not None and not isinstance(value, bool | int | float | str):
            raise ValueError(f"{name!r}: {field} must be JSON scalars, got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name!r}: {field} must be finite, got {value!r}")


def plain(value: Any) -> Any:
    """Returns Python's number instead of numpy's, which JSON does not know."""
    return value.item() if isinstance(value, np.generic) else value


def condition(name: str, when: Any) -> Condition | None:
    """Returns ``when`` of the parameter ``name`` as plain tuples, once its form is checked."""
    if when is None:
        return None
    pair = tuple(when) if isinstance(when, tuple | list) else ()
    if len(pair) != 2 or not isinstance(pair[0], str) or isinstance(pair[1], str):
        raise ValueError(
            f"{name!r}: when must be (name of the parent, values of the parent), such as "
            f"('optimizer', ('sgd',)), got {when!r}"
        )
    try:
        values = tuple(plain(v) for v in pair[1])
    except TypeError:
        raise ValueError(
            f"{name!r}: when needs a tuple of values, ({pair[0]!r}, ({pair[1]!r},)), got {when!r}"
        ) from None
    if not values:
        raise ValueError(f"{name!r}: when needs at least one value of {pair[0]!r}, got none")
    check_scalars(name, "values of when", values)
    return pair[0], values
