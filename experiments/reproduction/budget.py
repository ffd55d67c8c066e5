"""Plans what fits into the time, from what trainings were seen to take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.benchmarks import table
from experiments.reproduction import jobs
from experiments.reproduction.ledger import Ledger
from experiments.reproduction.published import VARIANTS
from experiments.reproduction.scales import Scale

TRIAL, FRONT, TRAINING = "trial", "front", "training"

PLANNED_SHARE = 0.85
"""Of the time that the plan may fill; the rest is for what takes longer than it was seen to."""

REPORT_S = 60.0
"""Kept for the report."""

FRONT_GUESS_S = 120.0
"""First guess for the final timing and the tests of a data set's fronts."""


@dataclasses.dataclass(frozen=True)
class Work:
    """Something still to be done: so many trials, final timings or long trainings."""

    kind: str
    dataset: str
    units: int


class Budget:
    """The time of a study.

    Args:
        scale: Its scale.
        workdir: Its folder.
        ledger: What is done.
        minutes: What all of it may take; None for no limit.
        datasets: Data sets of the study.
    """

    def __init__(
        self,
        scale: Scale,
        workdir: Path,
        ledger: Ledger,
        minutes: float | None,
        datasets: Sequence[str],
    ) -> None:
        self._scale, self._workdir, self._ledger = scale, workdir, ledger
        self._limit_s = None if minutes is None else 60.0 * minutes
        self._datasets = list(datasets)

    @property
    def elapsed_s(self) -> float:
        """Seconds done so far, in all runs of the study."""
        return self._ledger.elapsed_s

    def each_s(self, kind: str, dataset: str) -> float:
        """Returns the seconds that one unit is expected to take: as seen so far, or a guess."""
        seen = self._ledger.per_unit_s(kind, dataset)
        if seen is not None:
            return seen
        if kind == FRONT:
            return FRONT_GUESS_S
        length = (self._scale.search if kind == TRIAL else self._scale.long)[dataset]
        return (length.seconds or 0.0) + self._scale.extra_s[dataset]

    def seconds(self, works: Iterable[Work]) -> float:
        """Returns the expected seconds of some work."""
        return sum(work.units * self.each_s(work.kind, work.dataset) for work in works)

    def fits(self, works: Iterable[Work], share: float = 1.0) -> bool:
        """Whether some work, and the report, end within a share of the time."""
        if self._limit_s is None:
            return True
        return self.elapsed_s + self.seconds(works) + REPORT_S <= share * self._limit_s

    def left(self, trials: int) -> list[Work]:
        """Returns all that is still to be done with so many trials of each variant."""
        return self.trials_left(trials) + self.fronts_left() + self.trainings_left()

    def trials_left(self, trials: int) -> list[Work]:
        """Returns the trials that are missing to so many of each variant on each data set."""
        wanted = trials * len(VARIANTS)
        return [
            Work(TRIAL, name, max(0, wanted - n_records(self._workdir / "searches" / name)))
            for name in self._datasets
        ]

    def fronts_left(self) -> list[Work]:
        """Returns the fronts that are not timed yet."""
        folders = {name: self._workdir / "searches" / name for name in self._datasets}
        return [
            Work(FRONT, name, int(not (folder / "front.json").exists()))
            for name, folder in folders.items()
        ]

    def trainings_left(self) -> list[Work]:
        """Returns the long trainings that are not made yet."""
        wanted = jobs.count(self._scale, self._datasets)
        return [
            Work(TRAINING, name, max(0, number - n_records(self._workdir / "trainings" / name)))
            for name, number in wanted.items()
        ]

    def affordable_trials(self) -> int:
        """Returns how many trials of each variant fit, at least those that are never cut."""
        for trials in range(self._scale.trials, self._scale.least_trials, -1):
            if self.fits(self.left(trials), PLANNED_SHARE):
                return trials
        return min(self._scale.least_trials, self._scale.trials)

    def plan(self, trials: int) -> str:
        """Returns the plan as text: what is left, and the minutes it is expected to take."""
        rows = []
        for work in self.left(trials):
            each = self.each_s(work.kind, work.dataset)
            rows.append(
                [
                    *(work.kind, work.dataset, str(work.units)),
                    *(f"{each:.0f}", f"{work.units * each / 60:.1f}"),
                ]
            )
        lines = [table.text(["what", "data set", "left", "s each", "minutes"], rows)]
        left = self.seconds(self.left(trials)) + REPORT_S
        lines.append(
            f"{trials} trials of each variant; {minutes(self.elapsed_s)} done, "
            f"{minutes(left)} expected{self._of_limit()}"
        )
        if self._unknown():
            lines.append(
                "of trainings that last for epochs only what surrounds them is counted yet"
            )
        return "\n".join(lines)

    def _unknown(self) -> bool:
        """Whether trainings have no length in seconds, and none has been seen yet."""
        lengths = {TRIAL: self._scale.search, TRAINING: self._scale.long}
        return any(
            length[name].seconds is None and self._ledger.per_unit_s(kind, name) is None
            for kind, length in lengths.items()
            for name in self._datasets
        )

    def _of_limit(self) -> str:
        return "" if self._limit_s is None else f", of {minutes(self._limit_s)} at most"


def n_records(folder: Path) -> int:
    """Counts the finished and failed trainings in a folder."""
    names = ("record.json", "failure.json")
    return sum(1 for path in folder.rglob("*.json") if path.name in names)


def minutes(seconds: float) -> str:
    """Writes a length of time."""
    return f"{seconds / 3600:.1f} h" if seconds >= 5 * 3600 else f"{seconds / 60:.0f} min"
