"""What has been done and how long it took, in a file that a killed run leaves whole."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.json_lines import append_line, whole_lines


@dataclasses.dataclass(frozen=True)
class Entry:
    """Some work that is done.

    Attributes:
        kind: "trial", "front" or "training".
        dataset: Name of the data set.
        units: Trials, fronts or trainings.
        seconds: Wall time of all of them.
    """

    kind: str
    dataset: str
    units: int
    seconds: float


class Ledger:
    """The entries of a study, one line of JSON each; the time a killed run had not booked is lost.

    Args:
        path: The file; made with the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries = [Entry(**values) for values in whole_lines(path)]

    @property
    def elapsed_s(self) -> float:
        """Seconds of everything that is done."""
        return sum(entry.seconds for entry in self.entries)

    def add(self, kind: str, dataset: str, units: int, seconds: float) -> None:
        """Books work; that without units counts towards the time only."""
        entry = Entry(kind, dataset, units, seconds)
        append_line(self._path, dataclasses.asdict(entry))
        self.entries.append(entry)

    @contextlib.contextmanager
    def timed(self, kind: str, dataset: str, units: int = 1) -> Iterator[None]:
        """Books the time of the `with` block; without units if it raises."""
        begin = time.monotonic()
        try:
            yield
        except BaseException:
            self.add(kind, dataset, 0, time.monotonic() - begin)
            raise
        self.add(kind, dataset, units, time.monotonic() - begin)

    def per_unit_s(self, kind: str, dataset: str) -> float | None:
        """Returns the mean seconds of a trial, front or training so far, None if there is none."""
        done = [e for e in self.entries if (e.kind, e.dataset) == (kind, dataset) and e.units]
        units = sum(entry.units for entry in done)
        return sum(entry.seconds for entry in done) / units if units else None
