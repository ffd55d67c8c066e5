"""Our runs on the 18 published problems at the authors' budgets, beside the authors' results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from experiments.optimisers.runs import Record
from samo_cobra import benchmark, problems


@dataclasses.dataclass(frozen=True)
class PublishedJob:
    """A run of ours: 40 evaluations per variable unless a budget is given."""

    problem: str
    seed: int
    batch: int
    budget: int

    @property
    def file(self) -> str:
        """Name of the file that keeps the run."""
        return f"{self.problem}_batch{self.batch}_{self.seed}_{self.budget}.json"


def jobs(
    names: Sequence[str], seeds: Sequence[int], batch: int, budget: int | None
) -> list[PublishedJob]:
    """All runs, a whole seed before the next one."""
    return [
        PublishedJob(name, seed, batch, budget or problems.get(name).budget)
        for seed in seeds
        for name in names
    ]


def run(job: PublishedJob) -> Record:
    """Makes a run with our own initial design."""
    return benchmark.measure(problems.get(job.problem), job.budget, job.seed, job.batch)
