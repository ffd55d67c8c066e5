"""Checks that configs make of their fields, and how mappings become configs."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

Nonlinearity = Literal["silu", "mish", "gelu"]


def require(condition: bool, owner: object, field: str, expected: str) -> None:
    """Raises a ValueError that names the field, what was expected and what came."""
    if not condition:
        value = getattr(owner, field)
        raise ValueError(f"{type(owner).__name__}.{field} must be {expected}; got {value!r}.")


def is_integer(value: object, low: int) -> bool:
    """Whether `value` is an integer, not a bool, and at least `low`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def is_number(value: object) -> bool:
    """Whether `value` is a finite real number."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]


def is_positive(value: object) -> bool:
    """Whether `value` is a finite number above zero."""
    return is_number(value) and value > 0  # type: ignore[operator]


def freeze(value: Any) -> Any:
    """Turns lists and numpy values into hashable Python ones, which JSON can hold."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(freeze(item) for item in value) if isinstance(value, list | tuple) else value


def require_nonlinearity(owner: object, field: str) -> None:
    """Raises a ValueError unless the field names a nonlinearity or is None."""
    choices = (*get_args(Nonlinearity), None)
    require(getattr(owner, field) in choices, owner, field, f"one of {choices}")


def require_widths(owner: object, field: str, at_least: int = 0) -> None:
    """Raises a ValueError unless the field is a tuple of positive integers."""
    widths = getattr(owner, field)
    ok = isinstance(widths, tuple) and all(is_integer(width, 1) for width in widths)
    require(
        ok and len(widths) >= at_least,
        owner,
        field,
        f"a tuple of {at_least} or more positive integers",
    )


def build(cls: type, fields: Mapping[str, Any]) -> Any:
    """Makes the dataclass `cls` from a mapping, naming the fields it does not know or lacks."""
    known = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise ValueError(f"{cls.__name__} has no fields {unknown}; it has {sorted(known)}.")
    required = {name for name, field in known.items() if field.default is dataclasses.MISSING}
    missing = sorted(required - set(fields))
    if missing:
        raise ValueError(f"{cls.__name__} needs the fields {missing}, which are missing.")
    return cls(**{name: freeze(value) for name, value in fields.items()})
