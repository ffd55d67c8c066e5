"""Finished runs as a CSV of one line each, small enough to commit."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from allegro_jax.files import replace_file
from experiments.optimisers.curves import Curve, from_steps, steps
from experiments.optimisers.runs import Job
from samo_cobra.benchmark import SHARES, Summary

RunT = TypeVar("RunT")


@dataclass(frozen=True)
class Results(Generic[RunT]):
    """Files of the finished runs of one suite.

    Attributes:
        columns: Of the file.
        key: What was run, by which lines are sorted and told apart.
        parse: A run from the cells of a line.
        cells: The cells of a run.
    """

    columns: tuple[str, ...]
    key: Callable[[RunT], tuple[Any, ...]]
    parse: Callable[[dict[str, str]], RunT]
    cells: Callable[[RunT], list[str]]

    def read(self, path: Path) -> list[RunT]:
        """Returns the runs of a file; none if there is no file.

        Raises:
            ValueError: The file is not one of these.
        """
        if not path.exists():
            return []
        text = path.read_text()
        lines = csv.DictReader(text.splitlines())
        if tuple(lines.fieldnames or ()) != self.columns:
            raise ValueError(
                f"{path} is not a file of results of this suite: expected the columns "
                f"{', '.join(self.columns)}, got {', '.join(lines.fieldnames or ())}; give "
                "another file"
            )
        if not text.endswith("\n"):  # a curve that was cut off would be a lower one
            raise ValueError(
                f"{path} ends within a line: remove the line, and its run is made again"
            )
        try:
            return [self.parse(line) for line in lines]
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {lines.line_num}: {error}") from error

    def merge(self, old: Iterable[RunT], new: Iterable[RunT]) -> list[RunT]:
        """Returns all runs in order; of the same run the new one."""
        runs = {self.key(run): run for run in (*old, *new)}
        return [runs[key] for key in sorted(runs)]

    def write(self, path: Path, runs: Iterable[RunT]) -> None:
        """Writes runs; a reader never sees half a file."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(self.columns)
        lines.writerows(self.cells(run) for run in runs)
        replace_file(path, text.getvalue().encode())


_EVALUATIONS = [f"to_{100 * share:g}" for share in SHARES]


def _summary(line: dict[str, str]) -> Summary:
    return Summary(
        problem=line["problem"],
        seed=int(line["seed"]),
        budget=int(line["budget"]),
        batch=int(line["batch"]),
        preset=line["preset"],
        hypervolume=float(line["hypervolume"]),
        evaluations=tuple(float(line[name]) for name in _EVALUATIONS),
        cpu_s=float(line["cpu_s"]),
    )


def _summary_key(s: Summary) -> tuple[Any, ...]:
    return s.problem, s.batch, s.budget, s.preset, s.seed


def _summary_cells(s: Summary) -> list[str]:
    evaluations = [f"{n:g}" for n in s.evaluations]
    return [*map(str, _summary_key(s)), f"{s.hypervolume:.10g}", *evaluations, f"{s.cpu_s:.3g}"]


PUBLISHED = Results(
    columns=(
        *("problem", "batch", "budget", "preset", "seed", "hypervolume"),
        *(*_EVALUATIONS, "cpu_s"),
    ),
    key=_summary_key,
    parse=_summary,
    cells=_summary_cells,
)
"""Of the published suite: what was run, final hypervolume, evaluations to shares (%) of the
authors' median ("inf" where the budget was not enough), CPU seconds per suggestion."""


def _curve(line: dict[str, str]) -> Curve:
    budget = int(line["budget"])
    return Curve(
        job=Job(line["method"], line["problem"], int(line["seed"]), budget),
        initial_points=int(line["initial_points"]),
        hypervolumes=from_steps(line["hypervolumes"], budget),
        cpu_s=float(line["cpu_s"]),
    )


def _curve_key(c: Curve) -> tuple[Any, ...]:
    return c.job.problem, c.job.method, c.job.budget, c.job.seed


def _curve_cells(c: Curve) -> list[str]:
    ends = str(c.initial_points), f"{c.cpu_s:.3g}", steps(c.hypervolumes)
    return [*map(str, _curve_key(c)), *ends]


COMPARISON = Results(
    columns=("problem", "method", "budget", "seed", "initial_points", "cpu_s", "hypervolumes"),
    key=_curve_key,
    parse=_curve,
    cells=_curve_cells,
)
"""Of the comparison: what was run, points of the shared design, CPU seconds per suggestion, and
`evaluations:hypervolume` wherever the hypervolume rises."""
