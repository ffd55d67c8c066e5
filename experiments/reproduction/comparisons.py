"""What the paper concludes of its variants, and controls of QDI: differences with tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from experiments.readouts import paired
from experiments.readouts.paired import Difference
from experiments.reproduction import published
from experiments.reproduction.cells import EMPTY, Cell, Link, Origin, Table, decimals, label
from experiments.reproduction.jobs import CONTROL, QDI
from experiments.reproduction.paper_tables import (
    NAMES,
    links,
    main_error,
    test,
    valid,
    valid_by_seed,
)
from experiments.reproduction.published import TITLES, VARIANTS
from experiments.reproduction.results import Results
from experiments.reproduction.trainings import Training

CONTROL_NAMES = {
    "control-mlp": "MLP as large as QDI",
    "control-trigonometric": "trigonometric",
    "control-frozen": "frozen QDI",
    "control-linear": "linear",
}

SHORT = {"allegro": "Allegro", "allegro-mlp": "+MLP", "allegro-qdi": "+QDI"}

PAIRS = (
    ("allegro-qdi", "allegro-mlp"),
    ("allegro-qdi", "allegro"),
    ("allegro-mlp", "allegro"),
)

SIGNIFICANT = 0.05


def differences(results: Results) -> Table:
    """Returns what the paper says of its variants, beside what was measured."""
    rows = [row for dataset in results.found for row in _differences(results, dataset)]
    return Table(
        name="differences",
        title="What the paper concludes, and what was measured",
        header=("data set", "compared", "paper", "here", "difference [95 %]", "p (Holm)", ""),
        rows=tuple(rows),
        notes=(
            "Change of the validation error; negative where the first is better. The paper's are "
            "of single runs. Here: mean over seeds after the long trainings; paired t-test over "
            "seeds, corrected for the three comparisons of a data set. Told apart: "
            f"p < {SIGNIFICANT}; with two or three seeds only large differences can be.",
        ),
    )


def _differences(results: Results, dataset: str) -> list[tuple[Cell, ...]]:
    quantity, title = main_error(results, dataset)
    groups = {variant: results.promoted(dataset, variant) for variant in VARIANTS}
    found = [difference(groups[a], groups[b], quantity) for a, b in PAIRS]
    rows: list[tuple[Cell, ...]] = []
    for (a, b), each, p in zip(PAIRS, found, adjusted(found), strict=True):
        printed = _change(*(published.error(quantity, dataset, v) for v in (a, b)))
        ours = _change(*(_mean(groups[v], quantity) for v in (a, b)))
        origins = links(results, [*groups[a], *groups[b]])
        first = "" if rows else f"{TITLES[dataset]} ({title})"
        row = [label(first), label(f"{SHORT[a]} against {SHORT[b]}")]
        row += [_percent(printed, "derived"), _percent(ours, "measured", origins)]
        rows.append((*row, *interval(each, p), label(_verdict(printed, ours, p))))
    return rows


def _mean(trainings: Sequence[Training], quantity: str) -> float | None:
    values = list(valid_by_seed(trainings, quantity).values())
    return float(np.mean(values)) if values else None


def _change(ours: float | None, base: float | None) -> float | None:
    return None if ours is None or base is None else 100.0 * (ours / base - 1.0)


def _percent(change: float | None, origin: Origin, origins: Sequence[Link] = ()) -> Cell:
    if change is None:
        return EMPTY
    return Cell(f"{change:+.1f} %", origin, change, n=1, links=tuple(origins))


def _verdict(printed: float | None, ours: float | None, p: float | None) -> str:
    if printed is None or ours is None:
        return ""
    sign = "same sign" if printed * ours > 0 else "opposite sign"
    if p is None:
        return f"{sign}, one seed"
    return f"{sign}, {'told apart' if p < SIGNIFICANT else 'not told apart'}"


def controls(results: Results) -> Table:
    """Returns QDI beside readouts without a trained circuit, at the same hyperparameters."""
    rows = []
    for dataset in results.found:
        quantity, title = main_error(results, dataset)
        qdi = results.promoted(dataset, QDI)
        groups = {name: results.chosen(CONTROL, dataset, name) for name in results.scale.controls}
        groups = {name: group for name, group in groups.items() if group}
        if not qdi or not groups:
            continue
        found = [difference(group, qdi, quantity) for group in groups.values()]
        first = label(f"{TITLES[dataset]} ({title})")
        rows.append((first, label(NAMES[QDI]), *_control(results, qdi, quantity), EMPTY, EMPTY))
        for (name, group), each, p in zip(groups.items(), found, adjusted(found), strict=True):
            row = (label(""), label(CONTROL_NAMES[name]), *_control(results, group, quantity))
            rows.append((*row, *interval(each, p)))
    return Table(
        name="controls",
        title="Controls: the best QDI without its circuit",
        header=(
            *("data set", "readout", "parameters", "validation", "test"),
            *("difference from QDI [95 %]", "p (Holm)"),
        ),
        rows=tuple(rows),
        notes=(
            "Everything but the readout is that of the most accurate QDI of the data set: "
            "hyperparameters, seeds, length. They were found for QDI, which favours it. Positive "
            "differences: QDI is better. docs/readouts.md says what the controls are.",
        ),
    )


def _control(results: Results, trainings: Sequence[Training], quantity: str) -> tuple[Cell, ...]:
    size = trainings[0].n_parameters
    return (
        Cell(str(size), "measured", float(size), n=1, links=tuple(links(results, trainings[:1]))),
        valid(results, trainings, quantity),
        test(results, trainings, quantity),
    )


def difference(
    ours: Sequence[Training], base: Sequence[Training], quantity: str
) -> Difference | None:
    """Returns the paired difference of validation errors over the seeds that both have."""
    first, second = valid_by_seed(ours, quantity), valid_by_seed(base, quantity)
    seeds = sorted(first.keys() & second.keys())
    values = [np.array([errors[seed] for seed in seeds]) for errors in (first, second)]
    return paired.over_seeds(*values)


def interval(found: Difference | None, adjusted: float | None) -> tuple[Cell, Cell]:
    """Returns the cells of a difference with its interval, and of its corrected p-value."""
    if found is None or adjusted is None or not math.isfinite(found.low):
        return EMPTY, EMPTY
    digits = decimals(max(abs(found.low), abs(found.high)))
    text = f"{found.mean:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"
    return (
        Cell(text, "measured", found.mean, n=found.pairs),
        Cell(f"{adjusted:.2g}", "measured", adjusted, n=found.pairs),
    )


def adjusted(found: Sequence[Difference | None]) -> list[float | None]:
    """Returns the p-values of some differences, corrected by Holm for their number."""
    made = iter(paired.holm([each.p for each in found if each is not None]))
    return [None if each is None else next(made) for each in found]
