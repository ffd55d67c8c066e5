"""What a search on one data set has found, and which of its trials deserve a long training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.reproduction.scales import ACCURATE

if TYPE_CHECKING:
    from experiments.searches.report import SearchResult


@dataclasses.dataclass(frozen=True)
class Trial:
    """A finished trial of a search.

    Attributes:
        dataset: Name of the data set.
        variant: Name of the variant.
        number: Number of the trial in the search of its variant.
        params: Hyperparameters.
        error: Validation error, eV/Å, or eV where the set has no forces.
        seconds: Inference time of the test set; the final one, where it was timed again.
        n_parameters: Trained numbers.
        on_front: Whether no other trial of the variant is as accurate and as fast.
        record: Its record, relative to the folder of the study.
    """

    dataset: str
    variant: str
    number: int
    params: Mapping[str, Any]
    error: float
    seconds: float
    n_parameters: int
    on_front: bool
    record: str

    @property
    def name(self) -> str:
        """What the page calls it."""
        return f"{self.dataset} {self.variant} {self.number}"


@dataclasses.dataclass(frozen=True)
class Found:
    """The search on one data set.

    Attributes:
        dataset: Name of the data set.
        error: Name of the error that was minimised.
        structures: Structures of the test set, which the times are for.
        trials: Finished trials of each variant, by number.
        failures: Reasons of the failed trials of each variant, by number.
        environment: Versions and device.
    """

    dataset: str
    error: str
    structures: int
    trials: Mapping[str, Sequence[Trial]]
    failures: Mapping[str, Mapping[int, str]]
    environment: Mapping[str, str]

    @classmethod
    def nothing(cls, dataset: str, error: str, failures: Mapping[str, Mapping[int, str]]) -> Found:
        """Returns the search of which no trial has finished."""
        return cls(dataset, error, 0, dict.fromkeys(failures, ()), failures, {})

    def front(self, variant: str) -> list[Trial]:
        """Returns the front of a variant, most accurate first."""
        on_front = [trial for trial in self.trials[variant] if trial.on_front]
        return sorted(on_front, key=lambda trial: (trial.error, trial.seconds))

    def picked(self, variant: str, pick: str) -> Trial | None:
        """Returns the trial of a front that is asked for; None if there is no such trial."""
        front = self.front(variant)
        if not front:
            return None
        return front[0] if pick == ACCURATE else balanced(front)


def balanced(front: Sequence[Trial]) -> Trial | None:
    """Returns the trial at the knee of a front.

    It is the closest to the corner of the lowest error and the lowest time, both as logarithms and
    as shares of what the front spans. None if that is the most accurate trial, or the front has one
    only.
    """
    if len(front) < 2:
        return None
    rows = [(math.log(trial.error), math.log(trial.seconds)) for trial in front]
    low = [min(column) for column in zip(*rows, strict=True)]
    span = [max(max(column) - min(column), 1e-12) for column in zip(*rows, strict=True)]

    def distance(place: int) -> float:
        return math.hypot(*((rows[place][k] - low[k]) / span[k] for k in range(2)))

    knee = min(range(len(front)), key=distance)
    return front[knee] if knee else None


def found(dataset: str, result: SearchResult, searched: Path, workdir: Path) -> Found:
    """Takes what the study needs out of the result of a search.

    Args:
        dataset: Name of the data set.
        result: Of the search.
        searched: Folder of the search.
        workdir: Folder of the study, in which it lies.
    """
    from experiments.objectives import leading_error
    from experiments.searches.study import trial_folder

    name = leading_error(result.objectives)
    timed = {(item.record.variant, item.record.number): item for item in result.timed}
    trials: dict[str, list[Trial]] = {}
    for variant, records in result.records.items():
        trials[variant] = []
        for record in records:
            item = timed.get((variant, record.number))
            seconds = record.measured["inference_time"]
            path = trial_folder(searched, variant, record.number) / "record.json"
            trials[variant].append(
                Trial(
                    dataset=dataset,
                    variant=variant,
                    number=record.number,
                    params=record.params,
                    error=record.measured[name],
                    seconds=seconds if item is None else item.latency.median_s,
                    n_parameters=record.n_parameters,
                    on_front=item is not None and item.on_front,
                    record=path.relative_to(workdir).as_posix(),
                )
            )
    some = next(record for records in result.records.values() for record in records)
    structures = int(some.latency["structures"])
    return Found(dataset, name, structures, trials, result.failures, some.environment)
