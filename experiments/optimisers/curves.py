"""What the comparison keeps of a run: how the hypervolume grew, and what a suggestion cost."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence

from experiments.optimisers.runs import Job, Record


@dataclasses.dataclass(frozen=True)
class Curve:
    """A finished run of a method.

    Attributes:
        job: What was run.
        initial_points: Evaluations of the shared design.
        hypervolumes: After every evaluation.
        cpu_s: Median CPU seconds of a suggestion after the design; NaN without one.
    """

    job: Job
    initial_points: int
    hypervolumes: tuple[float, ...]
    cpu_s: float


def curve(record: Record) -> Curve:
    """Reduces the record of a run."""
    initial_points = record["initial_points"]
    late = record["cpu_seconds"][initial_points:]
    return Curve(
        job=Job(*(record[field.name] for field in dataclasses.fields(Job))),
        initial_points=initial_points,
        hypervolumes=tuple(record["hypervolumes"]),
        cpu_s=statistics.median(late) if late else float("nan"),
    )


def beyond(wanted: Sequence[Job], known: Iterable[Curve]) -> list[Job]:
    """The wanted runs that are not known yet."""
    done = {curve.job for curve in known}
    return [job for job in wanted if job not in done]


def steps(hypervolumes: Sequence[float]) -> str:
    """A curve as text: `evaluations:hypervolume` wherever it rises."""
    before = [0.0, *hypervolumes]
    return " ".join(
        f"{n}:{value:.8g}"
        for n, (last, value) in enumerate(zip(before, hypervolumes, strict=False), 1)
        if value != last
    )


def from_steps(text: str, budget: int) -> tuple[float, ...]:
    """The curve that :func:`steps` wrote, after every evaluation.

    Raises:
        ValueError: A step lies outside the budget.
    """
    values = [0.0] * budget
    for step in text.split():
        place, value = step.split(":")
        if not 1 <= int(place) <= budget:
            raise ValueError(f"expected steps from 1 to {budget}, got {step}")
        values[int(place) - 1 :] = [float(value)] * (budget - int(place) + 1)
    return tuple(values)
