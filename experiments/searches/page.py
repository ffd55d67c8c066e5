"""The report of a search as one self-contained HTML page."""

from __future__ import annotations

import base64
import html as markup
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from experiments.objectives import ERRORS, QUANTITIES, limits, shown
from experiments.searches import figures

if TYPE_CHECKING:
    from experiments.searches.report import SearchResult

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child, .text td { text-align: left; }
.text td { white-space: normal; overflow-wrap: anywhere; } th { background: #f5f5f5; }
footer { margin-top: 3rem; color: #666; font-size: 0.85rem; }
"""


def html(result: SearchResult) -> str:
    """Returns the page: front, best trials, training curves, hypervolume, environment."""
    name = markup.escape(result.config.data.name)
    latency = result.front[0].latency
    sections = [
        f"<h1>{name}: {markup.escape(_objectives(result))}</h1>",
        f"<p>{_counts(result)} Each trial is one short training; its error is that of the best "
        "epoch on the validation set. Trials at and near the fronts were timed again, in turns in "
        f"one process: median of {latency.passes} passes over {latency.structures} test structures "
        f"in batches of {latency.batch_size}, energies and forces, compiled and warmed up, "
        "neighbour lists not included.</p>",
        _limits(result),
        _image(figures.front(result), "Fronts of the variants"),
        "<h2>Trials on the fronts</h2>",
        _front_table(result),
        "<h2>Training curves</h2><p>The first trial of each variant's front is drawn strong.</p>",
        _image(figures.curves(result), "Validation error against training time"),
        "<h2>Hypervolume by evaluation</h2><p>Share of the box from zero to the worst value of any "
        "trial in every objective that the front dominates; larger is better.</p>",
        _image(figures.convergence(result), "Hypervolume against finished trials"),
        _failures(result),
        "<h2>Settings and environment</h2>",
        _environment(result),
        "<footer>Written by experiments/search.py. Errors of short trainings rank "
        "configurations; they are not the errors that long trainings reach.</footer>",
    ]
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}: {markup.escape(_objectives(result))}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def _objectives(result: SearchResult) -> str:
    titles = [QUANTITIES[name].title for name in result.objectives]
    return ", ".join(titles[:-1]) + " and " + titles[-1]


def _limits(result: SearchResult) -> str:
    """Says which limits trials had to keep, and how many do not."""
    parts = [f"{QUANTITIES[n].title}: {shown(n, v)}" for n, v in limits(result.config).items()]
    if not parts:
        return ""
    every = [record for trials in result.records.values() for record in trials]
    above = sum(not result.keeps_limits(record) for record in every)
    text = f"Upper limits: {', '.join(parts)}. {above} finished trials are above one of them."
    return f"<p>{markup.escape(text)}</p>"


def _counts(result: SearchResult) -> str:
    parts = [
        f"{figures.TITLES[variant]}: {len(trials)} finished, {len(result.failures[variant])} failed"
        for variant, trials in result.records.items()
    ]
    return markup.escape("; ".join(parts) + ".")


def _front_table(result: SearchResult) -> str:
    params = list(dict.fromkeys(name for item in result.front for name in item.record.params))
    more = [name for name in (*limits(result.config), "flops") if name not in result.objectives]
    columns = [*result.objectives, *dict.fromkeys(more)]
    header = ["variant", "trial"]
    for name in columns:
        header += [QUANTITIES[name].axis] + ([f"test ({_unit(name)})"] if name in ERRORS else [])
    header += ["quartiles of the time (s)", "µs / atom", "parameters", "training (s)"]
    header += [name.replace("_", " ") for name in params]
    rows = []
    for item in result.front:
        record, latency, test = item.record, item.latency, item.test or {}
        row: list[Any] = [figures.TITLES[record.variant], record.number]
        for name in columns:
            row.append(_scaled(name, item.measured[name]))
            row += [_scaled(name, test[name])] if name in ERRORS else []
        row += [f"{latency.low_s:.4f} to {latency.high_s:.4f}", f"{latency.us_per_atom:.2f}"]
        row += [record.n_parameters, f"{record.seconds['training']:.1f}"]
        row += [_value(record.params.get(name)) for name in params]
        rows.append(row)
    return _table(header, rows)


def _unit(name: str) -> str:
    return QUANTITIES[name].shown[1]


def _scaled(name: str, value: float) -> str:
    return f"{QUANTITIES[name].shown[0] * value:.4g}"


def _failures(result: SearchResult) -> str:
    rows = [
        [figures.TITLES[variant], number, reason]
        for variant, reasons in result.failures.items()
        for number, reason in reasons.items()
    ]
    return (
        "<h2>Trials that failed or were not trained</h2>"
        + _table(["variant", "trial", "reason"], rows, "text")
        if rows
        else ""
    )


def _environment(result: SearchResult) -> str:
    record = result.front[0].record
    rows = [[name, value] for name, value in record.environment.items()]
    rows += [["data", str(result.config.data.to_dict())]]
    rows += [["model", str(result.config.model.to_dict())]]
    rows += [["training", str(result.config.training.to_dict())]]
    rows += [["ranges", str(result.config.ranges.to_dict())]]
    rows += [["sampler", result.config.sampler], ["seed", result.config.seed]]
    return _table(["what", "value"], rows, "text")


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]], kind: str = "numbers") -> str:
    head = "".join(f"<th>{markup.escape(str(cell))}</th>" for cell in header)
    lines = [
        "<tr>" + "".join(f"<td>{markup.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    ]
    body = "\n".join(lines)
    table = f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _image(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<p><img alt="{markup.escape(text)}" src="data:image/png;base64,{data}"></p>'


def _value(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
