"""Between Optuna's values and the optimiser's: distributions, points and functions.

In the optimiser a number with a step is the count of its steps, and a choice is its own number.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from samo_cobra.space import (
    Categorical,
    Integer,
    Linear,
    Ordinal,
    Parameter,
    Real,
    Restriction,
    Space,
)
from samo_cobra.space.restrictions import function_name


class OptunaSpace:
    """Distributions of Optuna as a space of the optimiser.

    Args:
        distributions: Distribution of every parameter; those of one value are constants.
        ordered: Names of the categorical parameters whose choices are in order.

    Raises:
        ValueError: If a distribution cannot be mapped, or nothing is left to search.

    Example:
        >>> space = OptunaSpace({"width": IntDistribution(8, 64, step=8)})
        >>> space.params({"width": 2})
        {'width': 24}
        >>> space.point({"width": 24})
        {'width': 2}
        >>> space.point({"width": 25})
    """

    def __init__(
        self, distributions: Mapping[str, BaseDistribution], ordered: Sequence[str] = ()
    ) -> None:
        for name in ordered:
            if not isinstance(distributions.get(name), CategoricalDistribution):
                raise ValueError(
                    f"ordered parameters must be categorical, got {name!r} with "
                    f"{distributions.get(name)!r}"
                )
        self.distributions = dict(distributions)
        self.free = {n: d for n, d in self.distributions.items() if not d.single()}
        if not self.free:
            raise ValueError(f"no parameter has more than one value: {self.distributions}")
        self.space = Space([_parameter(n, d, n in ordered) for n, d in self.free.items()])
        constants = {n: d for n, d in self.distributions.items() if d.single()}
        self._constants = {n: _only_value(d) for n, d in constants.items()}

    def params(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns Optuna's values of a point."""
        return {n: _value(d, point[n]) for n, d in self.free.items()}

    def point(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the point of Optuna's values; None if one is missing or outside the space."""
        try:
            point = {n: _number(d, params[n]) for n, d in self.free.items()}
            self.space.to_unit(point)
        except (KeyError, ValueError):
            return None
        return point

    def encode(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Returns Optuna's values as numbers, as its storages keep them."""
        return {n: d.to_internal_repr(params[n]) for n, d in self.free.items() if n in params}

    def decode(self, numbers: Mapping[str, float]) -> dict[str, Any]:
        """Returns Optuna's values of what :meth:`encode` returned, as far as they exist."""
        known = {n: d for n, d in self.free.items() if n in numbers and d._contains(numbers[n])}
        return {n: d.to_external_repr(numbers[n]) for n, d in known.items()}

    def function(self, function: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
        """Returns a function of Optuna's values as one of points."""
        return _OfPoints(function, function_name(function), self)

    def restriction(self, item: Restriction) -> Restriction:
        """Returns a restriction on Optuna's values as one on points.

        Raises:
            ValueError: If a :class:`Linear` names a parameter that has no numbers.
        """
        if not isinstance(item, Linear):
            return self.function(item) if callable(item) else item
        for name in item.coefficients:
            if not _is_numeric(self.distributions.get(name)):
                raise ValueError(
                    f"{item} names {name!r}, which must be a number, "
                    f"got {self.distributions.get(name)!r}"
                )
        if all(name in self.free and _is_same(self.free[name]) for name in item.coefficients):
            return item
        return _OfPoints(item.excess, f"Linear({dict(item.coefficients)})", self)

    def values(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns Optuna's values of a point, constants included."""
        return {**self._constants, **self.params(point)}


class _OfPoints:
    """A function of Optuna's values, called with a point."""

    def __init__(self, function: Callable[..., Any], name: str, space: OptunaSpace) -> None:
        self._function = function
        self._space = space
        self.__name__ = name

    def __call__(self, point: dict[str, Any]) -> Any:
        return self._function(self._space.values(point))


def _parameter(name: str, distribution: BaseDistribution, ordered: bool) -> Parameter:
    if isinstance(distribution, CategoricalDistribution):
        numbers = tuple(range(len(distribution.choices)))
        return Ordinal(name, numbers) if ordered else Categorical(name, numbers)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise ValueError(
            f"{name!r}: expected a float, int or categorical distribution, got {distribution!r}"
        )
    low, high, step = distribution.low, distribution.high, _step(distribution)
    if step is not None:
        return Integer(name, 0, round((high - low) / step))
    if isinstance(distribution, IntDistribution):
        return Integer(name, distribution.low, distribution.high, log=distribution.log)
    return Real(name, low, high, log=distribution.log)


def _step(distribution: BaseDistribution) -> float | None:
    """Returns the step of a number whose values are counted in steps, else None."""
    if isinstance(distribution, IntDistribution):
        return None if distribution.step == 1 else distribution.step
    return distribution.step if isinstance(distribution, FloatDistribution) else None


def _is_same(distribution: BaseDistribution) -> bool:
    """Whether the optimiser has the values of Optuna."""
    return not isinstance(distribution, CategoricalDistribution) and _step(distribution) is None


def _is_numeric(distribution: BaseDistribution | None) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return all(type(choice) in (int, float) for choice in distribution.choices)
    return distribution is not None


def _only_value(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low


def _value(distribution: BaseDistribution, number: Any) -> Any:
    """Returns Optuna's value of the optimiser's."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[number]
    step = _step(distribution)
    if step is None:
        return number
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    # Sums of steps may pass the end by a rounding error, and would then be refused.
    return type(distribution.low)(min(distribution.low + number * step, distribution.high))


def _number(distribution: BaseDistribution, value: Any) -> Any:
    """Returns the optimiser's value of Optuna's.

    Raises:
        ValueError: If the value is outside the distribution.
    """
    internal = distribution.to_internal_repr(value)
    if not distribution._contains(internal):
        raise ValueError(f"{value!r} is not in {distribution!r}")
    if isinstance(distribution, CategoricalDistribution):
        return int(internal)
    step = _step(distribution)
    if step is None:
        return value
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return round((value - distribution.low) / step)
