"""Tables before they are HTML, LaTeX or CSV: every number knows where it comes from."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Literal

Origin = Literal["label", "published", "derived", "measured"]


@dataclasses.dataclass(frozen=True)
class Link:
    """The training that a number comes from.

    Attributes:
        text: Short name, such as "5" for a trial, or "5/s1" for its long training with seed 1; ""
            where the name stands elsewhere in the row.
        title: The whole name.
        record: Its record, relative to the folder of the study.
    """

    text: str
    title: str
    record: str


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What is shown.
        origin: Whether the text is a label, or a number that was published, derived from published
            ones, or measured.
        value: The number, a mean if there are several; None for labels.
        spread: Standard deviation over seeds; None with fewer than two.
        n: Trainings behind the number.
        links: These trainings.
    """

    text: str
    origin: Origin = "label"
    value: float | None = None
    spread: float | None = None
    n: int = 0
    links: tuple[Link, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: Of its files.
        title: Heading.
        header: Names of the columns.
        rows: The first cells are labels.
        notes: Sentences below it.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


EMPTY = Cell("-")


def label(text: str) -> Cell:
    """Returns a cell that is no number."""
    return Cell(text)


def published(text: str) -> Cell:
    """Returns a number of the paper as it is printed there; "" for none."""
    return Cell(text, "published", float(text), n=1) if text else EMPTY


def measured(values: Sequence[float], links: Sequence[Link], suffix: str = "") -> Cell:
    """Returns a measured number: mean ± standard deviation where there are several."""
    if not values:
        return EMPTY
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    digits = decimals(mean)
    text = f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}") + suffix
    return Cell(text, "measured", mean, spread, len(values), tuple(links))


def setting(value: float | None, link: Link | None = None) -> Cell:
    """Returns a hyperparameter: published without a link, else of the trial."""
    if value is None:
        return EMPTY
    if link is None:
        return Cell(plain(value), "published", float(value), n=1)
    return Cell(plain(value), "measured", float(value), n=1, links=(link,))


def plain(value: float) -> str:
    """Writes a number with three digits, more only where it is larger."""
    whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:.0f}" if whole else f"{value:.3g}"


def decimals(size: float) -> int:
    """Decimals of a number of this size: about as many as its error bars bear."""
    size = abs(size)
    return 0 if size >= 500 else 1 if size >= 10 else 2 if size >= 1 else 3
