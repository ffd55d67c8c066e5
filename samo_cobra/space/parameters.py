"""Parameters of a search space, each with its own axes of the unit cube.

Every parameter may carry a condition, ``when=(parent, values)``: it then exists only in points
where the parameter called ``parent`` takes one of ``values``. :class:`~samo_cobra.space.Space`
checks conditions and applies them; a parameter on its own ignores its condition.
"""

import dataclasses
import functools
import math
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Shaped

Value: TypeAlias = bool | int | float | str | None
# Name of the parent, and its values for which the child exists.
Condition: TypeAlias = tuple[str, tuple[Value, ...]]

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


def _check_scalars(name: str, field: str, values: Any) -> None:
    for value in values:
        if value is not None and not isinstance(value, bool | int | float | str):
            raise ValueError(f"{name!r}: {field} must be JSON scalars, got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name!r}: {field} must be finite, got {value!r}")


def _plain(value: Any) -> Any:
    """Returns Python's number instead of numpy's, which JSON does not know."""
    return value.item() if isinstance(value, np.generic) else value


def _condition(name: str, when: Any) -> Condition | None:
    """Returns ``when`` as plain tuples."""
    if when is None:
        return None
    pair = tuple(when) if isinstance(when, tuple | list) else ()
    if len(pair) != 2 or not isinstance(pair[0], str) or isinstance(pair[1], str):
        raise ValueError(
            f"{name!r}: when must be (name of the parent, values of the parent), such as "
            f"('optimizer', ('sgd',)), got {when!r}"
        )
    try:
        values = tuple(_plain(v) for v in pair[1])
    except TypeError:
        raise ValueError(
            f"{name!r}: when needs a tuple of values, ({pair[0]!r}, ({pair[1]!r},)), got {when!r}"
        ) from None
    if not values:
        raise ValueError(f"{name!r}: when needs at least one value of {pair[0]!r}, got none")
    _check_scalars(name, "values of when", values)
    return pair[0], values


@dataclasses.dataclass(frozen=True)
class Real:
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
        object.__setattr__(self, "low", _plain(self.low))
        object.__setattr__(self, "high", _plain(self.high))
        object.__setattr__(self, "when", _condition(self.name, self.when))

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return 1

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return math.inf

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return True

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
class Integer:
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
        object.__setattr__(self, "when", _condition(self.name, self.when))

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return 1

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return self.high - self.low + 1

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return True

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


@dataclasses.dataclass(frozen=True, eq=False)
class _Choice:
    """What ordered and unordered choices share: listed values, told apart by type as in JSON."""

    name: str
    choices: tuple[Value, ...]
    when: Condition | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(_plain(c) for c in self.choices))
        if len(self.choices) < 2:
            raise ValueError(f"{self.name!r}: need at least two choices, got {self.choices!r}")
        _check_scalars(self.name, "choices", self.choices)
        if len(self._numbers) < len(self.choices):
            raise ValueError(f"{self.name!r}: choices must differ, got {self.choices!r}")
        object.__setattr__(self, "when", _condition(self.name, self.when))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Choice):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        # Plain tuples of True, 1 and 1.0 would be equal.
        return type(self), self.name, tuple(self._numbers), self.when

    @functools.cached_property
    def _numbers(self) -> dict[tuple[type, Value], int]:
        return {(type(choice), choice): i for i, choice in enumerate(self.choices)}

    @functools.cached_property
    def _array(self) -> Shaped[np.ndarray, " size"]:
        array = np.empty(len(self.choices), dtype=object)
        array[:] = self.choices
        return array

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return len(self.choices)

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(type(choice) in (int, float) for choice in self.choices)

    def index_of(self, value: Any) -> int:
        """Number of ``value``, from 0."""
        plain = _plain(value)
        hashable = plain is None or isinstance(plain, bool | int | float | str)
        number = self._numbers.get((type(plain), plain)) if hashable else None
        if number is None:
            raise ValueError(f"{self.name!r} must be one of {self.choices!r}, got {value!r}")
        return number


@dataclasses.dataclass(frozen=True, eq=False)
class Categorical(_Choice):
    """An unordered choice; one axis per choice (one-hot), so no order is invented.

    Args:
        name: name, unique in its space.
        choices: at least two different JSON scalars.
        when: ``(parent, values)`` under which the parameter exists; ``None`` for always.

    Raises:
        ValueError: if the choices or the condition make no sense.

    Example:
        >>> Categorical("optimizer", ("adam", "sgd")).to_unit("sgd")
        [0.0, 1.0]
    """

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return len(self.choices)

    def to_unit(self, value: Any) -> list[float]:
        """One-hot vertex of ``value``."""
        return self.vertices()[self.index_of(value)].tolist()

    def values(self, u: Float[np.ndarray, "rows dims"]) -> Shaped[np.ndarray, " rows"]:
        """The choices whose axes are largest."""
        return self._array[self.index(u)]

    def index(self, u: Float[np.ndarray, "rows dims"]) -> Int[np.ndarray, " rows"]:
        """Numbers, from 0, of the choices at positions ``u``."""
        return np.argmax(u, axis=1)

    def vertices(self) -> Float[np.ndarray, "size dims"]:
        """Positions of all choices in order."""
        return np.eye(self.dims)

    def snap(self, u: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows dims"]:
        """Nearest one-hot vertices."""
        return self.vertices()[self.index(u)]


@dataclasses.dataclass(frozen=True, eq=False)
class Ordinal(_Choice):
    """An ordered choice: one axis, on which neighbours are neighbours, in cells of equal width.

    Args:
        name: name, unique in its space.
        choices: at least two different JSON scalars, in their order.
        when: ``(parent, values)`` under which the parameter exists; ``None`` for always.

    Raises:
        ValueError: if the choices or the condition make no sense.

    Example:
        >>> Ordinal("batch", (16, 32, 64, 128)).to_unit(32)
        [0.375]
    """

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return 1

    def to_unit(self, value: Any) -> list[float]:
        """Centre of the cell of ``value``."""
        return self.vertices()[self.index_of(value)].tolist()

    def values(self, u: Float[np.ndarray, "rows 1"]) -> Shaped[np.ndarray, " rows"]:
        """The choices in whose cells positions ``u`` lie."""
        return self._array[self.index(u)]

    def index(self, u: Float[np.ndarray, "rows 1"]) -> Int[np.ndarray, " rows"]:
        """Numbers, from 0, of the choices at positions ``u``."""
        last = len(self.choices) - 1
        return np.clip(np.floor(u[:, 0] * (last + 1)), 0, last).astype(np.int64)

    def vertices(self) -> Float[np.ndarray, "size 1"]:
        """Positions of all choices in order."""
        return ((np.arange(len(self.choices)) + 0.5) / len(self.choices))[:, None]

    def snap(self, u: Float[np.ndarray, "rows 1"]) -> Float[np.ndarray, "rows 1"]:
        """Centres of the cells in which positions ``u`` lie."""
        return self.vertices()[self.index(u)]


Parameter: TypeAlias = Real | Integer | Ordinal | Categorical
KINDS: dict[str, type[Parameter]] = {
    "real": Real,
    "integer": Integer,
    "ordinal": Ordinal,
    "categorical": Categorical,
}
