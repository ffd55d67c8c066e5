"""Finished runs on the published problems as a CSV of one line each, small enough to commit."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samo_cobra.benchmark import SHARES, Summary

_EVALUATIONS = [f"to_{100 * share:g}" for share in SHARES]
_RUN = ("problem", "batch", "budget", "preset", "seed")
COLUMNS = (*_RUN, "hypervolume", *_EVALUATIONS, "cpu_s")
"""What was run, final hypervolume, evaluations to shares (%) of the authors' median ("inf" where
the budget was not enough), CPU seconds per suggestion."""


def key(summary: Summary) -> tuple[Any, ...]:
    """What was run, by which lines are sorted and told apart."""
    return tuple(getattr(summary, name) for name in _RUN)


def read(path: Path) -> list[Summary]:
    """Returns the runs of a file; none if there is no file.

    Raises:
        ValueError: The file is not one of these.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        lines = csv.DictReader(file)
        if tuple(lines.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"{path} is not a file of results: expected the columns {', '.join(COLUMNS)}, "
                f"got {', '.join(lines.fieldnames or ())}; give another file"
            )
        try:
            return [_summary(line) for line in lines]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {lines.line_num}: {error}") from error


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


def merge(old: Iterable[Summary], new: Iterable[Summary]) -> list[Summary]:
    """Returns all runs in order; of the same run the new one."""
    runs = {key(summary): summary for summary in (*old, *new)}
    return [runs[k] for k in sorted(runs)]


def write(path: Path, summaries: Iterable[Summary]) -> None:
    """Writes runs; a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    with temporary.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(_cells(summary) for summary in summaries)
    temporary.replace(path)


def _cells(summary: Summary) -> list[str]:
    plain = dataclasses.asdict(summary)
    evaluations = [f"{n:g}" for n in summary.evaluations]
    ends = f"{summary.hypervolume:.10g}", f"{summary.cpu_s:.3g}"
    return [*(str(plain[name]) for name in _RUN), ends[0], *evaluations, ends[1]]
