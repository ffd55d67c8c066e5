"""What a test problem is: a function with bounds, a reference point and results to compare with."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from samo_cobra.problems.results import Results
from samo_cobra.space import Integer, Parameter, Real, Space

Outputs = tuple[list[float], list[float]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A test problem, all objectives minimised, feasible where every constraint is <= 0.

    Attributes:
        name: name used in the papers.
        lower: lower bounds.
        upper: upper bounds.
        reference_point: upper corner of the hypervolume.
        function: maps a vector to objectives and constraints.
        n_constraints: number of constraints.
        budget: evaluations in the published runs.
        best_known_hypervolume: analytic maximum, or front of all known runs together, a lower
            bound of the maximum; ``None`` if not known.
        source: where the definition comes from, and the best known hypervolume.
        results: published results, if any.
        integer_axes: axes that take whole numbers only.
    """

    name: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    reference_point: tuple[float, ...]
    function: Callable[[Float[np.ndarray, " dims"]], Outputs]
    n_constraints: int
    budget: int
    best_known_hypervolume: float | None
    source: str
    results: Results | None = None
    integer_axes: tuple[int, ...] = ()

    @property
    def n_objectives(self) -> int:
        """Number of objectives."""
        return len(self.reference_point)

    @property
    def published_hypervolume(self) -> float | None:
        """Median final hypervolume of the authors' runs, one point at a time, if any."""
        return self.published_median(1)

    def published_median(self, batch: int) -> float | None:
        """Median final hypervolume of the authors' runs with ``batch`` points at a time, if any."""
        return None if self.results is None else self.results.hypervolumes.get(batch)

    def published_evaluations(self, share: float = 0.99) -> float | None:
        """Evaluations that the authors' runs needed, in the median.

        Args:
            share: 0.9, 0.95, 0.99 or 0.999 of :attr:`published_hypervolume`.

        Returns:
            The number; infinite if the budget was not enough, ``None`` if not published.
        """
        return None if self.results is None else self.results.evaluations.get(share)

    @functools.cached_property
    def space(self) -> Space:
        """Search space with parameters x1, x2, ..."""
        bounds = zip(self.lower, self.upper, strict=True)
        return Space([self._parameter(axis, *pair) for axis, pair in enumerate(bounds)])

    def _parameter(self, axis: int, low: float, high: float) -> Parameter:
        name = f"x{axis + 1}"
        if axis in self.integer_axes:
            return Integer(name, int(low), int(high))
        return Real(name, low, high)

    def evaluate(
        self, x: Mapping[str, float]
    ) -> tuple[Float[np.ndarray, " objectives"], Float[np.ndarray, " constraints"]]:
        """Objectives and constraints at named values."""
        vector = np.array([x[p.name] for p in self.space.parameters], dtype=float)
        objectives, constraints = self.function(vector)
        return np.array(objectives, dtype=float), np.array(constraints, dtype=float)
