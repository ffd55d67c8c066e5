"""Parameters with listed choices: ordered ones on one axis, unordered ones on one axis each."""

import dataclasses
import functools
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from samo_cobra.space.values import Condition, Value, check_scalars, condition, plain


@dataclasses.dataclass(frozen=True, eq=False)
class _Choice:
    """What ordered and unordered choices share: listed values, told apart by type as in JSON."""

    name: str
    choices: tuple[Value, ...]
    when: Condition | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(plain(c) for c in self.choices))
        if len(self.choices) < 2:
            raise ValueError(f"{self.name!r}: need at least two choices, got {self.choices!r}")
        check_scalars(self.name, "choices", self.choices)
        if len(self._numbers) < len(self.choices):
            raise ValueError(f"{self.name!r}: choices must differ, got {self.choices!r}")
        object.__setattr__(self, "when", condition(self.name, self.when))

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
        wanted = plain(value)
        hashable = wanted is None or isinstance(wanted, bool | int | float | str)
        number = self._numbers.get((type(wanted), wanted)) if hashable else None
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
