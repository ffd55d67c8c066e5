"""The study as one HTML page: no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from html import escape

from experiments.reproduction import cells, published
from experiments.reproduction.cells import EMPTY, Cell, Link, Table
from experiments.reproduction.paper_tables import MILLI, trial_link
from experiments.reproduction.published import TITLES
from experiments.reproduction.results import Results
from experiments.reproduction.scales import SCALES, Length, Scale
from experiments.searches.page import STYLE

Href = Callable[[str], str]

OWN_STYLE = """
body { max-width: 72rem; }
caption { text-align: left; font-weight: 600; font-size: 1.05rem; padding: 0 0 0.4rem; }
.published { color: #5b3a8c; font-style: italic; }
.measured { font-weight: 600; }
.measured a, .links a { color: #0b57a4; }
.links { font-size: 0.75rem; font-weight: 400; }
td.text { text-align: left; white-space: normal; }
.links { white-space: normal; display: inline-block; max-width: 10rem; }
th:nth-child(2) { text-align: left; }
.note { font-size: 0.86rem; color: #444; margin: 0.3rem 0; max-width: 52rem; }
.files { margin-bottom: 2rem; }
.scroll img { min-width: 46rem; }
nav ul { columns: 2 16rem; padding-left: 1.2rem; }
details { margin: 1rem 0; } summary { cursor: pointer; }
pre { background: #f5f5f5; padding: 0.6rem; overflow-x: auto; font-size: 0.8rem; }
img { border: 0; }
@media (max-width: 46rem) { body { margin: 1rem auto; } th, td { padding: 0.2rem 0.45rem; } }
"""

DIFFERENCES = (
    "Hardware and lengths: the paper gives each evaluation minutes on an NVIDIA T4 and trains up "
    "to 3,000 epochs in the end; the lengths here are those of the scale, stated below. Errors of "
    "short trainings do not compare with those of long ones; orders of variants may.",
    "Model sizes that are not searched (l_max, channels, widths) are not printed in the paper. "
    "Here they are those of the scale, in the architecture of nequip-allegro 0.8 unless stated.",
    "Ranges of the search are not printed in the paper; here they are in the notes of Tables 1 to "
    "3.",
    "Sizes of training, validation and test sets are not printed in the paper.",
    "The paper's Cu-Li data are not public. The set here follows its recipe and is labelled by a "
    "machine-learned potential, not by DFT.",
    "The QDI readout here is multiplied by the envelope, so that energies are smooth at the "
    "cutoff; the paper says nothing of that.",
    "Energies that the paper labels meV/atom are almost surely meV per structure, and are treated "
    "as such.",
    "The paper searched QDI on Cu-Li alone, by force error alone; here it is searched on all sets, "
    "by error and time, as the others.",
    "The paper's numbers are of single runs.",
)


def html(results: Results, tables: Sequence[Table], pictures: dict[str, bytes], href: Href) -> str:
    """Returns the page.

    Args:
        results: What was measured.
        tables: Tables in their order.
        pictures: PNG of "fronts" and "curves".
        href: Address of a record on the page, from its name relative to the folder of the study.
    """
    title = f"The study of Laskaris et al. (2026), scale {results.scale.name}"
    paper = published.paper()
    sections = [
        f"<h1>{escape(title)}</h1>",
        _introduction(results, paper["citation"], paper["doi"]),
        _contents(tables),
        '<h2 id="differences-of-settings">What is not as in the paper</h2>',
        "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in DIFFERENCES) + "</ul>",
        '<h2 id="fronts">Figure 2: fronts of error against inference time</h2>',
        _image(pictures["fronts"], _describe_fronts(results)),
        '<p class="note">Above: read off the plot of the paper, to about 2 %. Below: found here; '
        "faint points are dominated. Different hardware, models and lengths of training: compare "
        "the shapes and the order of the variants.</p>",
        '<h2 id="tables">Tables</h2>',
        *(_table(table, href) for table in tables),
        '<h2 id="curves">Learning curves of the long trainings</h2>',
        _image(pictures["curves"], "Validation error against training time, by data set"),
        '<p class="note">A line per seed of the most accurate trial of each front.</p>',
        _failures(results),
        _left_out(results),
        _trials(results, href),
        _settings(results),
        "<footer>Written by experiments/reproduce.py. Published numbers: "
        f"{escape(paper['citation'])}, doi {escape(paper['doi'])}, {escape(paper['licence'])}."
        "</footer>",
    ]
    body = "\n".join(section for section in sections if section)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{OWN_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _introduction(results: Results, citation: str, doi: str) -> str:
    link = f'<a href="https://doi.org/{escape(doi)}">{escape(citation)}</a>'
    finished = sum(len(t) for found in results.found.values() for t in found.trials.values())
    return (
        f"<p>Counterparts of the tables and of Figure 2 of {link}. "
        '<span class="published">Published numbers are in italics</span>; '
        '<span class="measured">measured ones are bold</span> and lead to the records of their '
        "trainings.</p>"
        f"<p>{finished} trials of the searches and {len(results.trainings)} long trainings in "
        f"{results.elapsed_s / 3600:.2f} hours:</p>"
        f"<pre>{escape(_command(results.scale))}</pre>"
    )


def _command(scale: Scale) -> str:
    """Returns the command with all that is not as the scale has it."""
    preset = SCALES[scale.name]
    options = [
        f" --{name}={getattr(scale, name):g}"
        for name in ("minutes", "trials", "seeds")
        if getattr(scale, name) != getattr(preset, name)
    ]
    return f"python -m experiments.reproduce --scale={scale.name}{''.join(options)} --workdir=DIR"


def _contents(tables: Sequence[Table]) -> str:
    places = [("differences-of-settings", "What is not as in the paper"), ("fronts", "Figure 2")]
    places += [(table.name, table.title) for table in tables]
    places += [("curves", "Learning curves"), ("trials", "All trials"), ("settings", "Settings")]
    items = "".join(f'<li><a href="#{name}">{escape(text)}</a></li>' for name, text in places)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def _table(table: Table, href: Href) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = "\n".join(
        "<tr>" + "".join(_cell(cell, href) for cell in row) + "</tr>" for row in table.rows
    )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    files = f'<a href="{table.name}.csv">CSV</a>, <a href="{table.name}.tex">LaTeX</a>'
    return (
        f'<div class="scroll" tabindex="0" id="{table.name}"><table><caption>'
        f"{escape(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f'</div>{notes}<p class="note files">{files}</p>'
    )


def _cell(cell: Cell, href: Href) -> str:
    if cell is EMPTY:
        return f"<td>{escape(cell.text)}</td>"
    if cell.origin == "label":
        return f'<td class="text">{escape(cell.text)}</td>'
    if cell.origin in ("published", "derived"):
        return f'<td><span class="published">{escape(cell.text)}</span></td>'
    if len(cell.links) == 1:
        inside = _anchor(cell.links[0], href, cell.text)
        name = cell.links[0].text
        named = name and name != cell.text
        shown = f' <span class="links">{escape(name)}</span>' if named else ""
        return f'<td><span class="measured">{inside}</span>{shown}</td>'
    links = " ".join(_anchor(link, href, link.text) for link in cell.links)
    shown = f'<br><span class="links">{links}</span>' if links else ""
    return f'<td><span class="measured">{escape(cell.text)}</span>{shown}</td>'


def _anchor(link: Link, href: Href, text: str) -> str:
    return f'<a href="{escape(href(link.record))}" title="{escape(link.title)}">{escape(text)}</a>'


def _image(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode()
    image = f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'
    return f'<div class="scroll" tabindex="0">{image}</div>'


def _describe_fronts(results: Results) -> str:
    """Says in words what the picture shows, for those who cannot see it."""
    parts = []
    for name, found in results.found.items():
        best = [found.front(variant) for variant in found.trials]
        values = [
            f"{front[0].variant} {cells.plain(MILLI * front[0].error)} in {front[0].seconds:.2g} s"
            for front in best
            if front
        ]
        parts.append(f"{TITLES[name]}: most accurate {', '.join(values)}")
    return "Fronts of validation error (milli-units) and inference time. " + "; ".join(parts)


def _failures(results: Results) -> str:
    rows = [
        (f"search: {TITLES[name]}, {variant}, trial {number}", reason)
        for name, found in results.found.items()
        for variant, reasons in found.failures.items()
        for number, reason in reasons.items()
    ]
    rows += [(job.title, reason) for job, reason in results.failed]
    if not rows:
        return '<h2 id="failures">Failures</h2><p>None.</p>'
    return '<h2 id="failures">Failures</h2>' + _plain_table(("training", "reason"), rows)


def _left_out(results: Results) -> str:
    if not results.left_out:
        return ""
    items = "".join(f"<li>{escape(job.title)}</li>" for job in results.left_out)
    return (
        '<h2 id="left-out">Left out for lack of time</h2>'
        "<p>The same command with a larger <code>--minutes</code> makes these long trainings.</p>"
        f"<ul>{items}</ul>"
    )


def _trials(results: Results, href: Href) -> str:
    rows = []
    for name, found in results.found.items():
        for variant, trials in found.trials.items():
            for trial in trials:
                unit = "meV" if found.error == "energy_mae" else "meV/Å"
                link = _anchor(trial_link(trial), href, str(trial.number))
                values = [escape(TITLES[name]), escape(variant), link]
                values += [f"{cells.plain(MILLI * trial.error)} {unit}", f"{trial.seconds:.4f}"]
                values += [str(trial.n_parameters), "yes" if trial.on_front else ""]
                rows.append("<tr>" + "".join(f"<td>{value}</td>" for value in values) + "</tr>")
    names = ("data set", "variant", "trial", "valid. error", "time (s)", "parameters", "on front")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        '<h2 id="trials">All trials</h2><details><summary>'
        f"{len(rows)} finished trials</summary>"
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>'
        + "\n".join(rows)
        + "</tbody></table></div></details>"
    )


def _settings(results: Results) -> str:
    scale = results.scale
    rows = [
        ("trials of each variant, of them initial", f"{scale.trials}, {scale.initial_trials}"),
        ("seeds of a long training", str(scale.seeds)),
    ]
    for name in results.found:
        lengths = f"trial {_length(scale.search[name])}, long {_length(scale.long[name])}"
        rows.append((f"{TITLES[name]}: lengths", lengths))
    for name, settings in results.settings.items():
        parts = ("data", "model", "ranges", "training", "timing")
        rows += [(f"{TITLES[name]}: {part}", str(settings[part])) for part in parts]
    environment = next((f.environment for f in results.found.values() if f.environment), {})
    rows += list(environment.items())
    return (
        '<h2 id="settings">Settings and environment</h2><details><summary>'
        f"All settings</summary>{_plain_table(('what', 'value'), rows)}</details>"
    )


def _length(length: Length) -> str:
    return f"{length.seconds:g} s" if length.seconds else f"{length.epochs} epochs"


def _plain_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f'<table class="text"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll" tabindex="0">{table}</div>'
