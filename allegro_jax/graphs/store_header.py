"""What is known of a store without reading its arrays: the file `store.json`."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

FORMAT = 1
HEADER = "store.json"


@dataclasses.dataclass(frozen=True)
class StoreHeader:
    """What is known of a store without reading its arrays.

    Attributes:
        plan: What it was written from: name, cutoff, species asked for, source.
        units: Of every quantity, for readers of the file.
        rows: Structures, atoms and edges.
        columns: Names of the arrays.
        species: Atomic numbers.
        statistics: Of the whole store: atomic energies by least squares (normal equations in
            float64), spread of the energies, force rms, average number of neighbours.
        groups: Labels that the numbers in the array `group` stand for, or None.
        splits: Official splits, as rows.
        content: Hash of all arrays.
    """

    plan: dict[str, Any]
    units: dict[str, str]
    rows: dict[str, int]
    columns: list[str]
    species: list[int]
    statistics: dict[str, Any]
    groups: list[str] | None
    splits: dict[str, list[int]]
    content: str


def is_store(folder: str | os.PathLike[str]) -> bool:
    """Whether a finished store lies in a folder."""
    return (Path(folder) / HEADER).is_file()


def read_header(folder: Path) -> StoreHeader:
    """Reads the header of a finished store.

    Raises:
        FileNotFoundError: There is no store, or it is not finished.
        ValueError: It has another format.
    """
    if not is_store(folder):
        state = "is not finished: call write_store again" if folder.is_dir() else "does not exist"
        raise FileNotFoundError(f"the store {folder} {state}")
    values = json.loads((folder / HEADER).read_text())
    if values["plan"]["format"] != FORMAT:
        raise ValueError(
            f"{folder} is a store of format {values['plan']['format']}; this version reads "
            f"{FORMAT}: write it again"
        )
    return StoreHeader(**values)
