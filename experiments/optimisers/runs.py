"""One run of a method on a problem, and the folder in which finished runs are kept."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from allegro_jax.files import replace_file
from experiments.optimisers import method as method_module
from experiments.optimisers import methods, tasks
from experiments.optimisers.method import Method, Start
from experiments.optimisers.tasks import Outcome, Task

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True, order=True)
class Job:
    """A run to make: which method on which problem."""

    method: str
    problem: str
    seed: int
    budget: int

    @property
    def file(self) -> str:
        """Name of the file that keeps the run."""
        return f"{self.problem}_{self.method}_{self.seed}_{self.budget}.json"


def jobs(
    names: Sequence[str], problems: Sequence[str], seeds: Sequence[int], budget: int
) -> list[Job]:
    """All runs, a whole seed before the next one, so that partial results compare."""
    return [Job(m, p, s, budget) for s in seeds for m in names for p in problems]


def optimise(
    task: Task, make: Callable[[Task, Start], Method], seed: int, budget: int
) -> tuple[Method, list[Outcome], list[float]]:
    """Runs a method.

    Returns:
        The method, the outcomes, and the CPU seconds of every suggestion: `ask`, and the `tell`
        that follows.
    """
    method = make(task, method_module.start(task, seed, budget))
    outcomes: list[Outcome] = []
    seconds: list[float] = []
    for index in range(budget):
        began = time.process_time()
        x = method.ask()
        asked = time.process_time() - began
        outcome = task.evaluate(x, seed, index)
        began = time.process_time()
        method.tell(x, outcome)
        seconds.append(asked + time.process_time() - began)
        outcomes.append(outcome)
    return method, outcomes, seconds


def run(job: Job) -> Record:
    """Makes a run; its record is plain data."""
    task = tasks.get(job.problem)
    method, outcomes, seconds = optimise(task, methods.maker(job.method), job.seed, job.budget)
    exact = np.array([o.exact for o in outcomes])
    feasible = np.array([o.feasible for o in outcomes])
    return {
        **dataclasses.asdict(job),
        "reference_point": list(task.reference_point),
        "initial_points": method_module.design_size(len(task.space.parameters)),
        "hypervolumes": tasks.hypervolumes(exact, feasible, np.array(task.reference_point)),
        "objectives": exact.tolist(),
        "feasible": feasible.tolist(),
        "cpu_seconds": [round(s, 6) for s in seconds],
        "settings": dict(method.settings),
        "versions": versions(job.method),
    }


def versions(name: str) -> dict[str, str]:
    """Versions of the packages that a method stands on."""
    return {p: importlib.metadata.version(p) for p in methods.PACKAGES.get(name, ())}


def best_known(problem: str) -> float | None:
    """Hypervolume of the best known front; None also where the data are not installed."""
    try:
        return tasks.get(problem).best_known
    except ImportError:
        return None


class Named(Protocol):
    """A run to make that knows the name of its file."""

    @property
    def file(self) -> str:
        """Name of the file that keeps the run."""
        ...


JobT = TypeVar("JobT", bound=Named)


def load(folder: Path, pattern: str = "*.json") -> list[Record]:
    """All finished runs of a folder whose files match.

    Raises:
        ValueError: A file is damaged.
    """
    return [_read(path) for path in sorted(folder.glob(pattern))]


def _read(path: Path) -> Record:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}): remove it, and its run is made again"
        ) from error


def missing(folder: Path, wanted: Sequence[JobT]) -> Iterator[JobT]:
    """The wanted runs whose files do not exist, looked up one by one as they come."""
    return (job for job in wanted if not (folder / job.file).exists())


def save(folder: Path, job: Named, record: Record) -> Record:
    """Writes a run in one piece, so that a file that exists is a finished run; returns it."""
    replace_file(folder / job.file, (json.dumps(record) + "\n").encode())
    return record


def describe(record: Record) -> str:
    """One line of JSON about a run."""
    keys = ("method", "problem", "seed", "budget", "batch")
    line = {key: record[key] for key in keys if key in record}
    seconds = record["cpu_seconds"][record["initial_points"] :]
    line["hypervolume"] = record["hypervolumes"][-1]
    line["cpu_s_per_suggestion"] = statistics.median(seconds) if seconds else None
    return json.dumps(line)
