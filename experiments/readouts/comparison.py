"""Makes the runs of a comparison of readouts, and reports them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from allegro_jax.training import TrainingDivergedError
from experiments.benchmarks import table
from experiments.readouts import choices, pictures, runs, tables
from experiments.readouts.runs import Record
from experiments.readouts.settings import settings


def compare(
    datasets: Sequence[str],
    readouts: Sequence[str],
    seeds: int,
    workdir: Path,
    *,
    make: bool = True,
    **changes: Any,
) -> list[Record]:
    """Makes the missing runs and returns the records of all that are finished.

    Args:
        datasets: Registered names, or files.
        readouts: Names, or ["all"].
        seeds: How many.
        workdir: Folder that keeps the runs.
        make: Make missing runs.
        **changes: Fields of `Settings` that are not as preset.

    Raises:
        ValueError: If a name, a setting or the folder does not fit.
    """
    names = choices.chosen(list(readouts))
    each = [settings(dataset, **changes) for dataset in datasets]
    wanted = runs.jobs(each, names, seeds)
    splits = {s: s.splits() for s in each} if make else {}
    for job in runs.missing(workdir, wanted) if make else ():
        try:
            print(runs.describe(runs.run(job, splits[job.settings], workdir)), flush=True)
        except TrainingDivergedError as error:  # the others are still worth comparing
            print(f"{job.name} has no result: {error}", file=sys.stderr, flush=True)
    return runs.finished(workdir, wanted)


def report(
    records: Sequence[Record], baseline: str, markdown: str | None = None, figure: str | None = None
) -> None:
    """Prints the tables, and writes them and the picture where asked for.

    Raises:
        ValueError: If there is no run of the baseline.
    """
    names = tables.readouts_of(records)
    if baseline not in names:
        raise ValueError(f"no run of the baseline {baseline!r}; there are {', '.join(names)}")
    pages = tables.pages(records, baseline)
    for title, parts in pages:
        print(f"\n{title}\n{table.text(*parts)}")
    print(f"\n{tables.NOTE}")
    if markdown:
        text = "\n\n".join(f"{title}\n\n{table.markdown(*parts)}" for title, parts in pages)
        Path(markdown).write_text(text + "\n")
    if figure:
        pictures.draw(Path(figure), records, baseline)
