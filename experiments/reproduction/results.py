"""All that a study has measured, as the tables and pictures take it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.reproduction.fronts import Found
from experiments.reproduction.jobs import PROMOTION, Job
from experiments.reproduction.scales import ACCURATE, Scale
from experiments.reproduction.trainings import Training


@dataclasses.dataclass(frozen=True)
class Results:
    """What a study has measured.

    Attributes:
        scale: Its scale.
        workdir: Its folder; records are named relative to it.
        found: What was searched, by data set.
        trainings: Finished long trainings.
        failed: Long trainings that failed, and why.
        left_out: Long trainings for which there was no time.
        elapsed_s: Wall seconds of all of it.
        settings: Settings of the searches, by data set.
    """

    scale: Scale
    workdir: Path
    found: Mapping[str, Found]
    trainings: Sequence[Training]
    failed: Sequence[tuple[Job, str]]
    left_out: Sequence[Job]
    elapsed_s: float
    settings: Mapping[str, Mapping[str, Any]]

    def chosen(
        self, kind: str, dataset: str, variant: str, pick: str | None = None
    ) -> list[Training]:
        """Returns the long trainings of a kind, by seed.

        Args:
            kind: Of the job.
            dataset: What was trained on.
            variant: What was trained.
            pick: Which trials of the front; None for all.
        """
        found = [
            each
            for each in self.trainings
            if (each.job.kind, each.job.dataset, each.job.variant) == (kind, dataset, variant)
            and pick in (None, each.job.pick)
        ]
        return sorted(found, key=lambda each: each.job.seed)

    def promoted(self, dataset: str, variant: str, pick: str = ACCURATE) -> list[Training]:
        """Returns the long trainings of a trial of a front, by seed."""
        return self.chosen(PROMOTION, dataset, variant, pick)

    def record(self, training: Training) -> str:
        """Returns the record of a long training, relative to the folder of the study."""
        folder = training.job.folder(self.workdir)
        return (folder / "record.json").relative_to(self.workdir).as_posix()
