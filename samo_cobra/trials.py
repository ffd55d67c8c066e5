"""Suggestions and trials: what goes out of the optimiser and what comes back."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

Outputs: TypeAlias = Sequence[float | None] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A point to evaluate; the optimiser holds it as pending until its outcome is told."""

    id: int
    x: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One evaluated point, in the user's own signs.

    Attributes:
        id: number of the trial.
        x: named parameter values.
        objectives: measured values, None where there is none.
        constraints: measured values, None where there is none.
        failed: whether the evaluation broke down at this point.
    """

    id: int
    x: dict[str, Any]
    objectives: tuple[float | None, ...]
    constraints: tuple[float | None, ...]
    failed: bool

    @property
    def complete(self) -> bool:
        """Whether every output was measured."""
        return not self.failed and None not in self.objectives + self.constraints


@dataclasses.dataclass(frozen=True)
class Front:
    """Feasible non-dominated trials, sorted by the first objective."""

    ids: list[int]
    points: list[dict[str, Any]]
    objectives: Float[np.ndarray, "front objectives"]
    constraints: Float[np.ndarray, "front constraints"]


def read_outputs(
    name: str, values: Outputs | None, expected: int
) -> tuple[tuple[float | None, ...], bool]:
    """Returns the measured values, and whether one of them says that the evaluation failed.

    Args:
        name: what they are, for the message.
        values: numbers; None for one that was not measured, NaN or infinity for a failure.
        expected: how many there should be; ``None`` in place of all stands for so many.

    Raises:
        ValueError: if the number of values is wrong or one is not a number.
    """
    if values is None:
        return (None,) * expected, False
    if isinstance(values, str | Mapping) or np.ndim(np.asarray(values, dtype=object)) == 0:
        raise ValueError(f"expected {expected} {name} in a sequence, got {values!r}")
    if len(values) != expected:
        raise ValueError(f"expected {expected} {name}, got {len(values)}")
    try:
        numbers = [None if v is None else float(v) for v in values]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers or None, got {values!r}") from error
    broken = any(v is not None and not math.isfinite(v) for v in numbers)
    return tuple(v if v is not None and math.isfinite(v) else None for v in numbers), broken
