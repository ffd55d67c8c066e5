"""Tables as LaTeX and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from experiments.reproduction.cells import Cell, Table

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "Å": r"\AA{}", "µ": r"$\mu$", "±": r"$\pm$",
    "<": "$<$", ">": "$>$",
}  # fmt: skip

_PREAMBLE = (
    "% Numbers that were measured are links to their records (package hyperref).\n"
    "\\providecommand{\\href}[2]{#2}\n"
)


def latex(table: Table, href: Callable[[str], str]) -> str:
    """Returns a table environment; published numbers are in italics, measured ones are links.

    Args:
        table: The table.
        href: Address of a record, from its name relative to the folder of the study.
    """
    columns = "l" * _labels(table) + "r" * (len(table.header) - _labels(table))
    lines = [" & ".join(_latex_cell(cell, href) for cell in row) + r" \\" for row in table.rows]
    head = " & ".join(map(_escaped, table.header)) + r" \\"
    body = "\n".join(lines)
    notes = " ".join(map(_escaped, table.notes))
    return (
        f"{_PREAMBLE}\\begin{{table}}\n\\caption{{{_escaped(table.title)}. {notes}}}\n"
        f"\\label{{tab:{table.name}}}\n\\begin{{tabular}}{{{columns}}}\n\\hline\n{head}\n\\hline\n"
        f"{body}\n\\hline\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def to_csv(table: Table, href: Callable[[str], str]) -> str:
    """Returns a line for every number: where it stands, where it comes from, all its digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = ["row", "column", "origin", "text", "value", "standard_deviation", "n", "records"]
    writer.writerow(header)
    first = ""
    for row in table.rows:
        first = row[0].text or first
        labels = [first, *(cell.text for cell in row[1 : _labels(table)])]
        for name, cell in zip(table.header, row, strict=True):
            if cell.origin == "label":
                continue
            records = " ".join(href(link.record) for link in cell.links)
            spread = "" if cell.spread is None else repr(cell.spread)
            numbers = [cell.text, "" if cell.value is None else repr(cell.value), spread, cell.n]
            writer.writerow([" | ".join(labels), name, cell.origin, *numbers, records])
    return file.getvalue()


def _labels(table: Table) -> int:
    """Returns how many columns of labels a table begins with."""
    if not table.rows:
        return 1
    columns: list[Sequence[Cell]] = list(zip(*table.rows, strict=True))
    kinds = [any(cell.origin != "label" for cell in column) for column in columns]
    return max(1, kinds.index(True) if True in kinds else len(kinds))


def _latex_cell(cell: Cell, href: Callable[[str], str]) -> str:
    text = _escaped(cell.text)
    if cell.origin in ("published", "derived"):
        return f"\\textit{{{text}}}"
    if len(cell.links) == 1:  # of a trial that the row names, or that the number is of
        return f"\\href{{{_address(href(cell.links[0].record))}}}{{{text}}}"
    several = [
        f"\\href{{{_address(href(link.record))}}}{{{_escaped(link.text)}}}" for link in cell.links
    ]
    return text + (f" [{', '.join(several)}]" if several else "")


def _address(text: str) -> str:
    return text.replace("#", r"\#").replace("%", r"\%")


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
