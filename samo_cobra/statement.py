"""What is to be optimised: space, outputs, directions, reference point, and what is known."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from samo_cobra import choice
from samo_cobra.exact import ExactOutputs, Function
from samo_cobra.history import History
from samo_cobra.space import Restriction, Restrictions, Space

Direction: TypeAlias = Literal["minimize", "maximize"]

_MINIMIZE: Direction = "minimize"
_MAXIMIZE: Direction = "maximize"
_UNLIMITED = 1e300


@dataclasses.dataclass(frozen=True)
class Statement:
    """The problem, checked; arguments as in :class:`~samo_cobra.Optimizer`."""

    space: Space
    n_objectives: int
    n_constraints: int
    directions: tuple[Direction, ...]
    given_reference: tuple[float, ...] | None
    restrictions: Restrictions
    inexpensive_objectives: Mapping[int, Function]
    inexpensive_constraints: Mapping[int, Function]
    initial_points: int

    @classmethod
    def of(
        cls,
        space: Space,
        n_objectives: int,
        n_constraints: int,
        directions: Sequence[Direction] | None,
        reference_point: Sequence[float] | None,
        known_constraints: Sequence[Restriction],
        inexpensive_objectives: Mapping[int, Function] | None,
        inexpensive_constraints: Mapping[int, Function] | None,
        initial_points: int | None,
    ) -> "Statement":
        """Checks the arguments and fills in the defaults.

        Raises:
            ValueError: if a count, a direction, a place or the reference point does not fit.
        """
        if n_objectives < 1 or n_constraints < 0:
            raise ValueError(
                "need n_objectives >= 1 and n_constraints >= 0, "
                f"got {n_objectives} and {n_constraints}"
            )
        if initial_points is not None and initial_points < 1:
            raise ValueError(f"initial_points must be at least 1, got {initial_points}")
        return cls(
            space,
            n_objectives,
            n_constraints,
            _check_directions(directions, n_objectives),
            _check_reference(reference_point, n_objectives),
            Restrictions(space, known_constraints),
            _check_places("objectives", inexpensive_objectives, n_objectives),
            _check_places("constraints", inexpensive_constraints, n_constraints),
            space.dims + 1 if initial_points is None else initial_points,
        )

    @property
    def signs(self) -> Float[np.ndarray, " objectives"]:
        """-1 for objectives to maximise, 1 for the others."""
        return np.array([-1.0 if d == _MAXIMIZE else 1.0 for d in self.directions])

    @property
    def output_signs(self) -> Float[np.ndarray, " outputs"]:
        """The same for all outputs."""
        return np.concatenate([self.signs, np.ones(self.n_constraints)])

    @property
    def exact(self) -> ExactOutputs:
        """The outputs that need no model."""
        functions = dict(self.inexpensive_objectives)
        k = self.n_objectives
        functions.update({k + i: f for i, f in self.inexpensive_constraints.items()})
        return ExactOutputs(self.space, functions, self.output_signs, self.restrictions)

    def reference(self, history: History) -> Float[np.ndarray, " objectives"] | None:
        """The reference point, objectives minimised; None while there are no data for it."""
        if self.given_reference is not None:
            return self.signs * np.array(self.given_reference)
        first = history.objectives[: self.initial_points]
        if len(first) == 0:
            return None
        spread = np.ptp(first, axis=0)
        tenth = 0.1 * np.where(spread > 0.0, spread, 1.0)
        corner = first.max(axis=0) + tenth
        # It follows points that were on the front when they came, so it never shrinks.
        unlimited = np.full(self.n_objectives, _UNLIMITED)
        joined = choice.improving(history.objectives, history.feasible, unlimited)
        furthest = np.max(history.objectives[joined], axis=0, initial=-np.inf)
        return np.where(furthest >= corner, furthest + tenth, corner)


def _check_directions(directions: Sequence[str] | None, n_objectives: int) -> tuple[Direction, ...]:
    if directions is None:
        return (_MINIMIZE,) * n_objectives
    if len(directions) != n_objectives or any(d not in (_MINIMIZE, _MAXIMIZE) for d in directions):
        raise ValueError(
            f"directions must be {n_objectives} of 'minimize' or 'maximize', got {directions!r}"
        )
    return tuple(_MAXIMIZE if d == _MAXIMIZE else _MINIMIZE for d in directions)


def _check_places(
    kind: str, functions: Mapping[int, Function] | None, n: int
) -> dict[int, Function]:
    given = dict(functions or {})
    for place, function in given.items():
        if not 0 <= place < n or not callable(function):
            raise ValueError(
                f"inexpensive {kind} must be functions at places 0 to {n - 1}, "
                f"got {function!r} at {place}"
            )
    return dict(sorted(given.items()))


def _check_reference(
    reference: Sequence[float] | None, n_objectives: int
) -> tuple[float, ...] | None:
    if reference is None:
        return None
    point = np.array(reference, dtype=float)
    if point.shape != (n_objectives,) or not np.all(np.isfinite(point)):
        raise ValueError(
            f"reference_point must be {n_objectives} finite numbers, got {reference!r}"
        )
    return tuple(float(r) for r in point)
