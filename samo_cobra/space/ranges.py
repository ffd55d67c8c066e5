"""Parameters on a range of numbers: real and integer, uniform and logarithmic."""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from samo_cobra.space.values import Condition, condition, plain

# Positions are doubles, which hold whole numbers up to here.
_LARGEST_INTEGER = 2**53


def _check_range(name: str, low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{name!r}: need finite low < high, got low={low!r}, high={high!r}")
    if log and low <= 0:
        raise ValueError(f"{name!r}: a log parameter needs low > 0, got {low!r}; use log=False")


def _check_number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{name!r} must be a number, got {value!r}")
    # Half a rounding error of slack: values may have been through a text file.
    slack = 1e-9 * (high - low)
    if not low - slack <= value <= high + slack:
        raise ValueError(f"{name!r} must lie in [{low}, {high}], got {value!r}")
    return min(max(float(value), low), high)


class _Number:
    """A number on one axis."""

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return 1

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return True


@dataclasses.dataclass(frozen=True)
class Real(_Number):
    """A real parameter on ``[low, high]``, uniform or logarithmic.

    Args:
        name: name, unique in its space.
        low: smallest value.
        high: largest value.
        log: whether equal steps of the axis are equal factors of the value.
        when: ``(parent, values)`` under which the parameter exists; ``None`` for always.

    Raises:
        ValueError: if the range or the condition makes no sense.

    Example:
        >>> Real("momentum", 0.0, 0.99, when=("optimizer", ("sgd",))).when
        ('optimizer', ('sgd',))
    """

    name: str
    low: float
    high: float
    log: bool = False
    when: Condition | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_range(self.name, self.low, self.high, self.log)
        object.__setattr__(self, "low", plain(self.low))
        object.__setattr__(self, "high", plain(self.high))
        object.__setattr__(self, "when", condition(self.name, self.when))

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return math.inf

    def to_unit(self, value: Any) -> list[float]:
        """Position of ``value`` on its axis, in [0, 1]."""
        number = _check_number(self.name, value, self.low, self.high)
        if self.log:
            return [math.log(number / self.low) / math.log(self.high / self.low)]
        return [(number - self.low) / (self.high - self.low)]

    def values(self, u: Float[np.ndarray, "rows 1"]) -> Float[np.ndarray, " rows"]:
        """The values at positions ``u``."""
        if self.log:
            raw = self.low * (self.high / self.low) ** u[:, 0]
        else:
            raw = self.low + u[:, 0] * (self.high - self.low)
        return np.clip(raw, self.low, self.high)

    def snap(self, u: Float[np.ndarray, "rows 1"]) -> Float[np.ndarray, "rows 1"]:
        """Positions of representable values: all of them."""
        return u


@dataclasses.dataclass(frozen=True)
class Integer(_Number):
    """An integer parameter from ``low`` to ``high``, both included.

    For a step other than 1 use ``Ordinal(name, range(low, high + 1, step))``.

    Args:
        name: name, unique in its space.
        low: smallest value.
        high: largest value.
        log: whether equal steps of the axis are equal factors of the value.
        when: ``(parent, values)`` under which the parameter exists; ``None`` for always.

    Raises:
        ValueError: if the range or the condition makes no sense.

    Example:
        >>> Integer("layers", 1, 4).size
        4
    """

    name: str
    low: int
    high: int
    log: bool = False
    when: Condition | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_range(self.name, self.low, self.high, self.log)
        if int(self.low) != self.low or int(self.high) != self.high:
            raise ValueError(f"{self.name!r}: need whole low and high, got {self.low}, {self.high}")
        if max(abs(self.low), abs(self.high)) > _LARGEST_INTEGER:
            raise ValueError(f"{self.name!r}: need values within ±2**53; use Real for larger ones")
        object.__setattr__(self, "low", int(self.low))
        object.__setattr__(self, "high", int(self.high))
        object.__setattr__(self, "when", condition(self.name, self.when))

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return self.high - self.low + 1

    def to_unit(self, value: Any) -> list[float]:
        """Position of ``value`` on its axis, in [0, 1]."""
        return [float(self._positions(np.asarray(self.index_of(value) + float(self.low))))]

    def values(self, u: Float[np.ndarray, "rows 1"]) -> Int[np.ndarray, " rows"]:
        """The integers nearest to positions ``u``."""
        return self._nearest(u[:, 0]).astype(np.int64)

    def index(self, u: Float[np.ndarray, "rows 1"]) -> Int[np.ndarray, " rows"]:
        """Numbers, from 0, of the values at positions ``u``."""
        return self.values(u) - self.low

    def index_of(self, value: Any) -> int:
        """Number of ``value``, from 0."""
        number = _check_number(self.name, value, self.low, self.high)
        if number != round(number):
            raise ValueError(f"{self.name!r} must be a whole number, got {value!r}")
        return int(number) - self.low

    def vertices(self) -> Float[np.ndarray, "size 1"]:
        """Positions of all values in order."""
        return self._positions(np.arange(self.low, self.high + 1.0))[:, None]

    def snap(self, u: Float[np.ndarray, "rows 1"]) -> Float[np.ndarray, "rows 1"]:
        """Positions of the nearest integers."""
        return self._positions(self._nearest(u))

    def _nearest(self, u: np.ndarray) -> np.ndarray:
        if self.log:
            raw = self.low * (self.high / self.low) ** u
        else:
            # Cells of equal width: the end points are as likely as the others.
            raw = self.low - 0.5 + u * (self.high - self.low + 1)
        return np.clip(np.rint(raw), self.low, self.high)

    def _positions(self, values: np.ndarray) -> np.ndarray:
        if self.log:
            return np.log(values / self.low) / math.log(self.high / self.low)
        return (values - self.low + 0.5) / (self.high - self.low + 1)
