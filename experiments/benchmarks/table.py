"""Measurements as a readable table, with ratios to the peers of the same run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

OURS = "allegro_jax"
HEADER = (
    "case",
    "implementation",
    "edges (padded)",
    "parameters",
    "CPU ms min",
    "median ± spread",
    "wall ms",
    "µs/atom",
    "first call s",
    "compile CPU s",
    "peak MB",
    "XLA MB",
    "ours / this: min",
    "median",
)


def rows(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Returns one row per measurement, those of a case together."""
    ours = {_key(line): line for line in lines if line["implementation"] == OURS}
    order = {key: index for index, key in enumerate(dict.fromkeys(map(_key, lines)))}
    ordered = sorted(lines, key=lambda line: order[_key(line)])
    return [_row(line, ours.get(_key(line)), _plain(line, ours)) for line in ordered]


def ratio(
    ours: Mapping[str, Any] | None, other: Mapping[str, Any], which: str = "min"
) -> float | None:
    """Our time over the other's, of process CPU time, or of wall time off the CPU.

    Args:
        ours: Our measurement; None if there is none.
        other: What it is compared with.
        which: "min" or "median".
    """
    if ours is None:
        return None
    clock = "cpu_ms" if ours["platform"] == other["platform"] == "cpu" else "wall_ms"
    return ours[clock][which] / other[clock][which]


def _key(line: Mapping[str, Any]) -> tuple[str, ...]:
    """Measurements with the same key are compared: same run, same case."""
    return line["run"], json.dumps(line["case"], sort_keys=True)


def _plain(line: Mapping[str, Any], ours: Mapping[tuple, Any]) -> Mapping[str, Any] | None:
    """The same case of ours with the plain readout, for one with the quantum readout."""
    if line["implementation"] != OURS or line["case"].get("readout", "mlp") == "mlp":
        return None
    return ours.get(_key({**line, "case": {**line["case"], "readout": "mlp"}}))


def _row(
    line: Mapping[str, Any], ours: Mapping[str, Any] | None, plain: Mapping[str, Any] | None
) -> tuple[str, ...]:
    cpu, atoms = line["cpu_ms"], line.get("atoms")
    fastest = (cpu if line["platform"] == "cpu" else line["wall_ms"])["min"]
    peak = line.get("device_peak_mb") or line["peak_rss_mb"]
    return (
        line["name"],
        line["implementation"],
        f"{line['edges']} ({line['padded_edges']})",
        str(line["parameters"]),
        _number(cpu["min"]),
        f"{_number(cpu['median'])} ± {_number(cpu['spread'])}",
        _number(line["wall_ms"]["median"]),
        _number(1e3 * fastest / atoms) if atoms else "",
        _number(line["first_call_s"]),
        _number(line["compile_cpu_s"]),
        f"{peak:.0f}",
        f"{line['xla_mb']:.0f}" if line.get("xla_mb") else "",
        *(_ratio(line, ours, plain, which) for which in ("min", "median")),
    )


def _ratio(
    line: Mapping[str, Any],
    ours: Mapping[str, Any] | None,
    plain: Mapping[str, Any] | None,
    which: str,
) -> str:
    if plain is not None:
        return f"{ratio(line, plain, which):.3f} x plain"
    if line["implementation"] == OURS or ours is None:
        return ""
    return f"{ratio(ours, line, which):.3f}"


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def text(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table for the terminal."""
    table = [tuple(header), *body]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """The same as Markdown."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *body))
