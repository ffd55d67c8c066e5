"""Restrictions that are known before an evaluation: what must not be suggested at all."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Shaped

from samo_cobra.space.space import Space

# Rounding of sums that were meant to meet a bound, relative to their terms.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear restriction, ``lower <= sum of coefficient * value <= upper``.

    The values are the natural ones, also of logarithmic parameters. A parameter that does not
    exist at a point adds nothing there.

    Args:
        coefficients: coefficient of each numeric parameter that takes part, by name.
        upper: largest allowed sum; ``math.inf`` for none.
        lower: smallest allowed sum; ``-math.inf`` for none.

    Raises:
        ValueError: if a coefficient is not finite or the bounds allow everything or nothing.

    Example:
        >>> Linear({"layers": 1, "heads": 2}, upper=8).excess({"layers": 5, "heads": 2})
        1.0
    """

    coefficients: Mapping[str, float]
    upper: float
    lower: float = -math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", dict(self.coefficients))
        if not self.coefficients:
            raise ValueError("a linear restriction needs at least one coefficient, got none")
        for name, value in self.coefficients.items():
            if not _is_number(value) or not math.isfinite(value):
                raise ValueError(f"the coefficient of {name!r} must be finite, got {value!r}")
        bounds = (self.lower, self.upper)
        if not all(_is_number(b) for b in bounds) or not self.lower <= self.upper:
            raise ValueError(f"need numbers lower <= upper, got {self.lower!r}, {self.upper!r}")
        if not math.isfinite(self.lower) and not math.isfinite(self.upper):
            raise ValueError(f"need a finite bound, got lower={self.lower}, upper={self.upper}")

    def __hash__(self) -> int:
        return hash((frozenset(self.coefficients.items()), self.upper, self.lower))

    def excess(self, x: Mapping[str, Any]) -> float:
        """How far the sum is outside its bounds, negative inside."""
        present = {n: np.array([float(x[n])]) for n in self.coefficients if n in x}
        return float(self.excess_of_columns(present, 1)[0])

    def excess_of_columns(
        self, columns: Mapping[str, Float[np.ndarray, " rows"]], rows: int
    ) -> Float[np.ndarray, " rows"]:
        """The excess of many points, given the values of each parameter."""
        total, size = np.zeros(rows), np.zeros(rows)
        for name, coefficient in self.coefficients.items():
            if name in columns:
                term = coefficient * columns[name]
                total, size = total + term, size + np.abs(term)
        excess = np.maximum(total - self.upper, self.lower - total)
        return np.where(np.abs(excess) <= _ROUNDING * size, 0.0, excess)


Restriction: TypeAlias = Linear | Callable[[dict[str, Any]], float | bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def function_name(function: Callable[..., Any]) -> str:
    """Returns the name by which a saved state refers to a function.

    Example:
        >>> import functools
        >>> function_name(functools.partial(max, 1))
        'max'
    """
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _call(function: Callable[..., Any], x: dict[str, Any]) -> float:
    """Calls one function; what it returns as a violation, feasible where <= 0."""
    try:
        # A copy: the function may do with it what it likes.
        result = function(dict(x))
    except Exception as error:
        error.add_note(f"raised by restriction {function_name(function)!r} at {x!r}")
        raise
    plain = result.item() if getattr(result, "ndim", None) == 0 else result
    if isinstance(plain, bool):
        return 0.0 if plain else 1.0
    if not _is_number(plain) or math.isnan(plain):
        raise ValueError(
            f"restriction {function_name(function)!r} must return a number, feasible where <= 0, "
            f"or True for allowed; at {x!r} it returned {result!r}"
        )
    return float(plain)


class Restrictions:
    """Restrictions on the points of one space.

    A restriction is a :class:`Linear`, or a function of the named values that returns either a
    number, feasible where <= 0, or a truth value, ``True`` for allowed. Parameters that do not
    exist at a point are absent from what the function gets. Functions must be pure: the same
    answer for the same values.

    Args:
        space: the space.
        items: the restrictions, all of which must hold.

    Raises:
        ValueError: if a name is unknown, a parameter of a :class:`Linear` is not numeric, or an
            item is neither a :class:`Linear` nor callable.

    Example:
        >>> from samo_cobra import Integer, Linear, Restrictions, Space
        >>> space = Space([Integer("layers", 1, 8), Integer("heads", 1, 8)])
        >>> few = Linear({"layers": 1, "heads": 1}, upper=8)
        >>> def even(x):
        ...     return x["layers"] % x["heads"] == 0
        >>> restrictions = Restrictions(space, [few, even])
        >>> restrictions.violation({"layers": 7, "heads": 3})
        [2.0, 1.0]
        >>> int(restrictions.allowed(space.grid()).sum())
        12
    """

    def __init__(self, space: Space, items: Iterable[Restriction] = ()) -> None:
        self.space = space
        self.items = tuple(items)
        for item in self.items:
            if isinstance(item, Linear):
                _check_names(item, space)
            elif not callable(item):
                raise ValueError(f"a restriction must be a Linear or a function, got {item!r}")

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Restrictions({self.names})"

    @property
    def names(self) -> list[str]:
        """Readable names of all restrictions, in order."""
        return [
            f"Linear({i.coefficients})" if isinstance(i, Linear) else function_name(i)
            for i in self.items
        ]

    @property
    def functions(self) -> list[Callable[[dict[str, Any]], float | bool]]:
        """The functions, which :meth:`to_json` cannot save, in order."""
        return [item for item in self.items if not isinstance(item, Linear)]

    def violation(self, x: Mapping[str, Any]) -> list[float]:
        """Violation of each restriction at a point, feasible where <= 0.

        Args:
            x: named values, as :meth:`Space.to_unit` takes them.

        Returns:
            One number per restriction; 0 or 1 for functions that return truth values.

        Raises:
            ValueError: if ``x`` is outside the space or a function returns NaN or no number.
        """
        self.space.to_unit(x)
        return self.violations([x])[0].tolist()

    def violations(self, points: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, "points items"]:
        """Violations, as :meth:`violation` returns them, at points known to be in the space.

        Raises:
            ValueError: if a function returns NaN or no number.
        """
        rows = [
            [i.excess(x) if isinstance(i, Linear) else _call(i, dict(x)) for i in self.items]
            for x in points
        ]
        return np.array(rows, dtype=float).reshape(len(points), len(self.items))

    def allowed(self, u: Float[np.ndarray, "rows dims"]) -> Bool[np.ndarray, " rows"]:
        """Marks points at which every restriction holds.

        Functions are called only where all restrictions before them, and all linear ones, hold.

        Args:
            u: positions in the unit cube; they stand for the points they snap to.

        Raises:
            ValueError: if a function returns NaN or no number.
        """
        rows = self.space.snap(u)
        allowed = np.ones(len(rows), dtype=bool)
        linear = [item for item in self.items if isinstance(item, Linear)]
        if linear:
            columns = self._columns(rows, {name for item in linear for name in item.coefficients})
            for item in linear:
                allowed &= item.excess_of_columns(columns, len(rows)) <= 0.0
        functions = self.functions
        if functions:
            places = np.flatnonzero(allowed)
            points = self.space.from_unit_rows(rows[places])
            allowed[places] = [all(_call(f, x) <= 0.0 for f in functions) for x in points]
        return allowed

    def _columns(
        self, rows: Float[np.ndarray, "rows dims"], names: set[str]
    ) -> dict[str, Shaped[np.ndarray, " rows"]]:
        """Values of some numeric parameters, 0 where they do not exist."""
        columns = self.space.columns(rows)
        pairs = zip(self.space.parameters, self.space.active(rows).T, strict=True)
        return {
            p.name: np.where(active, columns[p.name], 0).astype(float)
            for p, active in pairs
            if p.name in names
        }

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data from which :meth:`from_json` rebuilds the restrictions.

        Functions cannot be saved: only their names are, so that a reader knows what is missing.
        """
        return [_to_json(item) for item in self.items]

    @classmethod
    def from_json(
        cls,
        space: Space,
        data: Iterable[Mapping[str, Any]],
        functions: Sequence[Callable[[dict[str, Any]], float | bool]] = (),
    ) -> "Restrictions":
        """Rebuilds restrictions from :meth:`to_json`.

        Args:
            space: the space they are for.
            data: what :meth:`to_json` returned.
            functions: the functions among them, again, in their order.

        Raises:
            ValueError: if the functions are not those that were saved, by name and order.
        """
        entries = list(data)
        for entry in entries:
            if entry.get("kind") not in ("linear", "function"):
                raise ValueError(
                    f"restriction kind must be 'linear' or 'function', got {entry.get('kind')!r}"
                )
        saved = [entry["name"] for entry in entries if entry["kind"] == "function"]
        given = [function_name(f) for f in functions]
        if saved != given:
            raise ValueError(
                f"functions cannot be saved: give those named {saved} again, in this order, "
                f"got {given}"
            )
        rest = iter(functions)
        return cls(space, [_linear(e) if e["kind"] == "linear" else next(rest) for e in entries])


def _check_names(item: Linear, space: Space) -> None:
    known = {p.name: p for p in space.parameters}
    for name in item.coefficients:
        if name not in known:
            raise ValueError(f"{item} names {name!r}, which is none of {list(known)}")
        if not known[name].numeric:
            raise ValueError(
                f"{item} names {name!r}, whose values are not numbers on an axis; "
                "write a function of the named values instead"
            )


def _to_json(item: Restriction) -> dict[str, Any]:
    if not isinstance(item, Linear):
        return {"kind": "function", "name": function_name(item)}
    bounds = {"upper": item.upper, "lower": item.lower}
    # JSON has no infinity.
    finite = {name: float(b) if math.isfinite(b) else None for name, b in bounds.items()}
    coefficients = {name: float(c) for name, c in item.coefficients.items()}
    return {"kind": "linear", "coefficients": coefficients, **finite}


def _linear(entry: Mapping[str, Any]) -> Linear:
    upper, lower = entry["upper"], entry["lower"]
    return Linear(
        entry["coefficients"],
        upper=math.inf if upper is None else upper,
        lower=-math.inf if lower is None else lower,
    )
