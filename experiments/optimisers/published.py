"""Our runs on the 18 published problems at the authors' budgets, beside the authors' results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from experiments.optimisers.runs import Record
from samo_cobra import benchmark, problems
from samo_cobra.benchmark import Summary


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


def _run_of(run: PublishedJob | Summary) -> tuple[str, int, int, int]:
    return run.problem, run.seed, run.batch, run.budget


def _ours(summaries: Sequence[Summary]) -> list[Summary]:
    return [s for s in summaries if s.preset == "recommended"]


def beyond(wanted: Sequence[PublishedJob], known: Sequence[Summary]) -> list[PublishedJob]:
    """The wanted runs that are not known yet."""
    done = {_run_of(s) for s in _ours(known)}
    return [job for job in wanted if _run_of(job) not in done]


def among(summaries: Sequence[Summary], wanted: Sequence[PublishedJob]) -> list[Summary]:
    """Those of the wanted runs that are finished, in the order of the jobs."""
    order = {_run_of(job): place for place, job in enumerate(wanted)}
    found = [s for s in _ours(summaries) if _run_of(s) in order]
    return sorted(found, key=lambda s: order[_run_of(s)])
