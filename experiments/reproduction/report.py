"""The folder of the report: page, tables, pictures, and copies of the records they lead to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.reproduction import exports, figures, further_tables, page, paper_tables
from experiments.reproduction.cells import Table
from experiments.reproduction.results import Results

RECORDS = "records"


def write(results: Results, folder: Path) -> Path:
    """Writes `index.html`, the tables, the pictures and the records.

    The folder holds all that its links lead to, so that it can be moved as a whole.

    Args:
        results: What was measured.
        folder: Where to; made when missing.

    Returns:
        The page.

    Raises:
        OSError: If it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = [*paper_tables.tables(results), *further_tables.tables(results)]
    pictures = {"fronts": figures.fronts(results), "curves": figures.curves(results)}
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture)
    for table in tables:
        (folder / f"{table.name}.tex").write_text(exports.latex(table, href))
        (folder / f"{table.name}.csv").write_text(exports.to_csv(table, href))
    _copy_records(results, tables, folder)
    path = folder / "index.html"
    path.write_text(page.html(results, tables, pictures, href))
    return path


def href(record: str) -> str:
    """Returns the address of a record on the page."""
    return f"{RECORDS}/{record}"


def _copy_records(results: Results, tables: Sequence[Table], folder: Path) -> None:
    """Copies the records of all trials and of the trainings that tables lead to, compactly."""
    named = {
        link.record for table in tables for row in table.rows for cell in row for link in cell.links
    }
    named |= {
        trial.record
        for found in results.found.values()
        for trials in found.trials.values()
        for trial in trials
    }
    for record in sorted(named):
        target = folder / href(record)
        target.parent.mkdir(parents=True, exist_ok=True)
        values = json.loads((results.workdir / record).read_text())
        target.write_text(json.dumps(values, separators=(",", ":")) + "\n")
