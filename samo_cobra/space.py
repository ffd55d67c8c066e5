"""Search spaces: named parameters and their image in the unit cube that the surrogates see."""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

Value: TypeAlias = bool | int | float | str | None


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


@dataclasses.dataclass(frozen=True)
class Real:
    """A real parameter on ``[low, high]``, uniform or logarithmic."""

    name: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.name, self.low, self.high, self.log)

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return 1

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

    def from_unit(self, u: Float[np.ndarray, " axes"]) -> float:
        """The value at position ``u``."""
        if self.log:
            value = self.low * (self.high / self.low) ** float(u[0])
        else:
            value = self.low + float(u[0]) * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def snap(self, u: Float[np.ndarray, "rows 1"]) -> Float[np.ndarray, "rows 1"]:
        """Positions of representable values: all of them."""
        return u


@dataclasses.dataclass(frozen=True)
class Integer:
    """An integer parameter from ``low`` to ``high``, both included."""

    name: str
    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.name, self.low, self.high, self.log)
        if int(self.low) != self.low or int(self.high) != self.high:
            raise ValueError(f"{self.name!r}: need whole low and high, got {self.low}, {self.high}")

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return 1

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return self.high - self.low + 1

    def to_unit(self, value: Any) -> list[float]:
        """Position of ``value`` on its axis, in [0, 1]."""
        number = _check_number(self.name, value, self.low, self.high)
        if number != round(number):
            raise ValueError(f"{self.name!r} must be a whole number, got {value!r}")
        return [float(self._positions(np.asarray(number)))]

    def from_unit(self, u: Float[np.ndarray, " axes"]) -> int:
        """The integer nearest to position ``u``."""
        return int(self._values(np.asarray(u[0])))

    def snap(self, u: Float[np.ndarray, "rows 1"]) -> Float[np.ndarray, "rows 1"]:
        """Positions of the nearest integers."""
        return self._positions(self._values(u))

    def _values(self, u: np.ndarray) -> np.ndarray:
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


@dataclasses.dataclass(frozen=True)
class Categorical:
    """An unordered choice; one axis per choice (one-hot), so no order is invented."""

    name: str
    choices: tuple[Value, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        if len(self.choices) < 2:
            raise ValueError(f"{self.name!r}: need at least two choices, got {self.choices!r}")
        for choice in self.choices:
            if choice is not None and not isinstance(choice, bool | int | float | str):
                raise ValueError(f"{self.name!r}: choices must be JSON scalars, got {choice!r}")
        if len({(type(c), c) for c in self.choices}) < len(self.choices):
            raise ValueError(f"{self.name!r}: choices must differ, got {self.choices!r}")

    @property
    def dims(self) -> int:
        """Axes of the unit cube that the parameter takes."""
        return len(self.choices)

    @property
    def size(self) -> float:
        """Number of distinct values."""
        return len(self.choices)

    def to_unit(self, value: Any) -> list[float]:
        """One-hot vertex of ``value``."""
        same = [type(c) is type(value) and c == value for c in self.choices]
        if not any(same):
            raise ValueError(f"{self.name!r} must be one of {self.choices!r}, got {value!r}")
        return [float(s) for s in same]

    def from_unit(self, u: Float[np.ndarray, " axes"]) -> Value:
        """The choice whose axis is largest."""
        return self.choices[int(np.argmax(u))]

    def snap(self, u: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows dims"]:
        """Nearest one-hot vertices."""
        return np.eye(self.dims)[np.argmax(u, axis=1)]


Parameter: TypeAlias = Real | Integer | Categorical
_KINDS: dict[str, type[Parameter]] = {
    "real": Real,
    "integer": Integer,
    "categorical": Categorical,
}


class Space:
    """An ordered set of parameters and the map to the unit cube.

    Example:
        >>> space = Space([Real("lr", 1e-4, 1e-1, log=True), Integer("layers", 1, 4)])
        >>> space.from_unit(space.to_unit({"lr": 1e-2, "layers": 3}))["layers"]
        3
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = tuple(parameters)
        if not self.parameters:
            raise ValueError("a space needs at least one parameter, got none")
        names = [p.name for p in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError(f"parameter names must differ, got {names}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash(self.parameters)

    def __repr__(self) -> str:
        return f"Space({list(self.parameters)!r})"

    @functools.cached_property
    def dims(self) -> int:
        """Dimension of the unit cube."""
        return sum(p.dims for p in self.parameters)

    @functools.cached_property
    def size(self) -> float:
        """Number of distinct points; infinite with a real parameter."""
        return math.prod(p.size for p in self.parameters)

    @functools.cached_property
    def discrete_axes(self) -> np.ndarray:
        """True for the axes of integer and categorical parameters."""
        flags = [[not isinstance(p, Real)] * p.dims for p in self.parameters]
        return np.array([flag for group in flags for flag in group])

    def _slices(self) -> list[slice]:
        ends = np.cumsum([p.dims for p in self.parameters])
        return [slice(int(e) - p.dims, int(e)) for p, e in zip(self.parameters, ends, strict=True)]

    def to_unit(self, x: Mapping[str, Any]) -> Float[np.ndarray, " dims"]:
        """Maps named values to the unit cube.

        Raises:
            ValueError: if names do not match or a value is outside its parameter.
        """
        names = [p.name for p in self.parameters]
        if set(x) != set(names):
            raise ValueError(f"expected values for {names}, got {sorted(map(str, x))}")
        return np.array([u for p in self.parameters for u in p.to_unit(x[p.name])])

    def from_unit(self, u: Float[np.ndarray, " dims"]) -> dict[str, Any]:
        """Maps a point of the unit cube to named values; integers and categories are snapped."""
        slices = self._slices()
        return {p.name: p.from_unit(u[s]) for p, s in zip(self.parameters, slices, strict=True)}

    def snap(self, u: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows dims"]:
        """Moves points to the nearest representable ones."""
        clipped = np.clip(u, 0.0, 1.0)
        slices = self._slices()
        parts = [p.snap(clipped[:, s]) for p, s in zip(self.parameters, slices, strict=True)]
        return np.concatenate(parts, axis=1)

    def grid(self) -> Float[np.ndarray, "size dims"]:
        """All points of a discrete space, in the unit cube."""
        columns = []
        for p in self.parameters:
            if isinstance(p, Real):
                raise ValueError(f"a grid needs a discrete space, but {p.name!r} is real")
            values = p.choices if isinstance(p, Categorical) else range(p.low, p.high + 1)
            columns.append(np.array([p.to_unit(v) for v in values]))
        index = np.meshgrid(*[np.arange(len(c)) for c in columns], indexing="ij")
        return np.concatenate([c[i.ravel()] for c, i in zip(columns, index, strict=True)], axis=1)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data from which :meth:`from_json` rebuilds the space."""
        kinds = {cls: kind for kind, cls in _KINDS.items()}
        return [{"kind": kinds[type(p)], **dataclasses.asdict(p)} for p in self.parameters]

    @classmethod
    def from_json(cls, data: Iterable[Mapping[str, Any]]) -> "Space":
        """Rebuilds a space from :meth:`to_json`."""
        parameters = []
        for entry in data:
            fields = dict(entry)
            kind = fields.pop("kind", None)
            if kind not in _KINDS:
                raise ValueError(f"parameter kind must be one of {sorted(_KINDS)}, got {kind!r}")
            parameters.append(_KINDS[kind](**fields))
        return cls(parameters)
