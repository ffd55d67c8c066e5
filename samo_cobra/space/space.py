"""The search space: parameters in order, and the map between their values and the unit cube."""

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from samo_cobra.space.parameters import (
    Parameter,
    parameter_from_json,
    parameter_to_json,
    resolve_condition,
)
from samo_cobra.space.ranges import Real


class Space:
    """An ordered set of parameters and the map to the unit cube.

    A parameter with a condition, ``when=(parent, values)``, exists only in points where its parent
    exists and takes one of those values. Where it does not exist it is left out of the named
    values, and its axes rest at a neutral place, the middle of the axis or of the one-hot
    simplex, so that points which differ only in parameters that do not exist are one point.

    Args:
        parameters: the parameters, parents before the parameters that depend on them.

    Raises:
        ValueError: if there is no parameter, names repeat, or a condition cannot be met.

    Example:
        >>> from samo_cobra import Categorical, Integer, Real, Space
        >>> space = Space([Real("lr", 1e-4, 1e-1, log=True), Integer("layers", 1, 4)])
        >>> space.from_unit(space.to_unit({"lr": 1e-2, "layers": 3}))["layers"]
        3
        >>> space = Space([
        ...     Categorical("optimizer", ("adam", "sgd")),
        ...     Real("momentum", 0.0, 1.0, when=("optimizer", ("sgd",))),
        ... ])
        >>> space.from_unit([1.0, 0.0, 0.9])
        {'optimizer': 'adam'}
        >>> space.from_unit([0.0, 1.0, 0.9])
        {'optimizer': 'sgd', 'momentum': 0.9}
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = tuple(parameters)
        if not self.parameters:
            raise ValueError("a space needs at least one parameter, got none")
        names = [p.name for p in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError(f"parameter names must differ, got {names}")
        self._links = tuple(resolve_condition(i, self.parameters) for i in range(len(names)))
        self._conditional = any(link is not None for link in self._links)

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
        # Points of the subtree below each parameter, from the leaves up.
        sizes: list[float] = [0.0] * len(self.parameters)
        for i in reversed(range(len(self.parameters))):
            children = [
                (j, link) for j, link in enumerate(self._links) if link and link.parent == i
            ]
            below: dict[int, float] = {}
            for j, link in children:
                for value in link.allowed.tolist():
                    below[value] = below.get(value, 1) * sizes[j]
            sizes[i] = self.parameters[i].size - len(below) + sum(below.values())
        roots = [s for s, link in zip(sizes, self._links, strict=True) if link is None]
        return math.prod(roots)

    @functools.cached_property
    def discrete_axes(self) -> Bool[np.ndarray, " dims"]:
        """True for the axes of integer, ordinal and categorical parameters."""
        discrete = [not isinstance(p, Real) for p in self.parameters]
        return np.repeat(discrete, self._widths)

    @functools.cached_property
    def _widths(self) -> list[int]:
        return [p.dims for p in self.parameters]

    @functools.cached_property
    def _slices(self) -> list[slice]:
        ends = np.cumsum(self._widths).tolist()
        return [slice(e - w, e) for e, w in zip(ends, self._widths, strict=True)]

    @functools.cached_property
    def _neutral(self) -> Float[np.ndarray, " dims"]:
        """Where the axes of parameters rest that do not exist: as far from every choice."""
        return np.concatenate([np.full(w, 1.0 / w if w > 1 else 0.5) for w in self._widths])

    def _rows(self, u: Any) -> Float[np.ndarray, "rows dims"]:
        rows = np.asarray(u, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != self.dims:
            raise ValueError(f"expected rows of {self.dims} positions, got shape {rows.shape}")
        return rows

    def to_unit(self, x: Mapping[str, Any]) -> Float[np.ndarray, " dims"]:
        """Maps named values to the unit cube.

        Args:
            x: a value for every parameter that exists at this point.

        Returns:
            The position, neutral in the axes of parameters that do not exist.

        Raises:
            ValueError: if names do not match, a value is outside its parameter, or a value is
                given for a parameter that does not exist at this point.
        """
        unknown = set(x) - {p.name for p in self.parameters}
        u = self._neutral.copy()
        numbers: list[int | None] = []
        missing = False
        for i, (p, axes) in enumerate(zip(self.parameters, self._slices, strict=True)):
            number = None
            if not self._exists(i, numbers):
                if p.name in x:
                    raise ValueError(self._why_absent(p, x))
            elif p.name in x:
                u[axes] = p.to_unit(x[p.name])
                number = 0 if isinstance(p, Real) else p.index_of(x[p.name])
            else:
                missing = True
            numbers.append(number)
        if unknown or missing:
            names = [p.name for p in self.parameters]
            where = "; inactive parameters are left out" if self._conditional else ""
            raise ValueError(f"expected values for {names}, got {sorted(map(str, x))}{where}")
        return u

    def _exists(self, i: int, numbers: list[int | None]) -> bool:
        """Whether parameter ``i`` exists, given the values of those before it by number."""
        link = self._links[i]
        return link is None or numbers[link.parent] in link.allowed.tolist()

    def _why_absent(self, p: Parameter, x: Mapping[str, Any]) -> str:
        assert p.when is not None
        parent, values = p.when
        state = f"is {x[parent]!r}" if parent in x else "has no value"
        return (
            f"{p.name!r} must be left out, got {x[p.name]!r}: it is active only when "
            f"{parent!r} is one of {values!r}, and {parent!r} {state}"
        )

    def from_unit(self, u: Float[np.ndarray, " dims"]) -> dict[str, Any]:
        """Maps a point of the unit cube to named values; integers and choices are snapped.

        Args:
            u: position in the unit cube.

        Returns:
            A value for every parameter that exists at this point, in the order of the space.
        """
        return self.from_unit_rows(np.asarray(u, dtype=float)[None])[0]

    def from_unit_rows(self, u: Float[np.ndarray, "rows dims"]) -> list[dict[str, Any]]:
        """Maps many points at once to what :meth:`from_unit` returns for each.

        Example:
            >>> from samo_cobra import Integer, Space
            >>> Space([Integer("n", 1, 2)]).from_unit_rows([[0.1], [0.8]])
            [{'n': 1}, {'n': 2}]
        """
        rows = self._rows(u)
        names = [p.name for p in self.parameters]
        table = zip(*[c.tolist() for c in self.columns(rows).values()], strict=True)
        points = [dict(zip(names, values, strict=True)) for values in table]
        if self._conditional:
            active = self.active(rows)
            for column in np.flatnonzero(~active.all(axis=0)).tolist():
                for row in np.flatnonzero(~active[:, column]).tolist():
                    del points[row][names[column]]
        return points

    def columns(self, u: Float[np.ndarray, "rows dims"]) -> dict[str, Shaped[np.ndarray, " rows"]]:
        """Returns the values of each parameter as an array.

        Numbers for real and integer parameters, objects for choices; what stands in rows where
        the parameter does not exist (see :meth:`active`) means nothing.
        """
        rows = np.clip(self._rows(u), 0.0, 1.0)
        pairs = zip(self.parameters, self._slices, strict=True)
        return {p.name: p.values(rows[:, axes]) for p, axes in pairs}

    def active(self, u: Float[np.ndarray, "rows dims"]) -> Bool[np.ndarray, "rows parameters"]:
        """Marks the parameters that exist at each point."""
        rows = np.clip(self._rows(u), 0.0, 1.0)
        active = np.ones((len(rows), len(self.parameters)), dtype=bool)
        for i, link in enumerate(self._links):
            if link is not None:
                parent = self.parameters[link.parent]
                assert not isinstance(parent, Real)
                number = parent.index(rows[:, self._slices[link.parent]])
                active[:, i] = active[:, link.parent] & np.isin(number, link.allowed)
        return active

    def active_axes(self, u: Float[np.ndarray, "rows dims"]) -> Bool[np.ndarray, "rows dims"]:
        """Marks the axes that matter at each point; moving another one changes nothing.

        Example:
            >>> from samo_cobra import Ordinal, Real, Space
            >>> space = Space([
            ...     Ordinal("depth", (1, 2)), Real("dropout", 0.0, 1.0, when=("depth", (2,)))
            ... ])
            >>> space.active_axes([[0.2, 0.9], [0.8, 0.9]]).tolist()
            [[True, False], [True, True]]
        """
        return np.repeat(self.active(u), self._widths, axis=1)

    def snap(self, u: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows dims"]:
        """Moves points to the nearest representable ones, axes that do not matter to neutral."""
        rows = np.clip(self._rows(u), 0.0, 1.0)
        pairs = zip(self.parameters, self._slices, strict=True)
        snapped = np.concatenate([p.snap(rows[:, axes]) for p, axes in pairs], axis=1)
        if not self._conditional:
            return snapped
        return np.where(self.active_axes(rows), snapped, self._neutral)

    def grid(self) -> Float[np.ndarray, "size dims"]:
        """All points of a discrete space, in the unit cube.

        Raises:
            ValueError: if a parameter is real.
        """
        numbers: list[Int[np.ndarray, " points"]] = []
        tables = []
        for p, link, axes in zip(self.parameters, self._links, self._slices, strict=True):
            if isinstance(p, Real):
                raise ValueError(f"a grid needs a discrete space, but {p.name!r} is real")
            tables.append(np.concatenate([p.vertices(), self._neutral[None, axes]]))
            absent = len(tables[-1]) - 1
            exists = np.ones(len(numbers[0]) if numbers else 1, dtype=bool)
            if link is not None:
                exists = np.isin(numbers[link.parent], link.allowed)
            # Every point so far goes on with all values, or once with none.
            counts = np.where(exists, absent, 1)
            first = np.repeat(np.cumsum(counts) - counts, counts)
            number = np.where(np.repeat(exists, counts), np.arange(len(first)) - first, absent)
            numbers = [*(np.repeat(n, counts) for n in numbers), number]
        return np.concatenate([t[n] for t, n in zip(tables, numbers, strict=True)], axis=1)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data from which :meth:`from_json` rebuilds the space."""
        return [parameter_to_json(p) for p in self.parameters]

    @classmethod
    def from_json(cls, data: Iterable[Mapping[str, Any]]) -> "Space":
        """Rebuilds a space from :meth:`to_json`.

        Raises:
            ValueError: if a kind or a field of a parameter is unknown.
        """
        return cls(parameter_from_json(entry) for entry in data)
