"""Finished runs as tables: errors with standard deviations, and paired tests."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.readouts import paired
from experiments.readouts.paired import Difference
from experiments.readouts.runs import Record

Table = tuple[list[str], list[list[str]]]

QUANTITIES = {"forces_mae": ("force MAE", "meV/Å"), "energy_mae": ("energy MAE", "meV")}
MILLI = 1e3

NOTE = """\
seeds: paired t-test over seeds; a seed is the same initial body and order of structures for all.
structures: paired bootstrap over test structures, errors averaged over seeds. It says nothing about
other seeds, and frames of one trajectory count as independent: its intervals are too narrow.
p (Holm): corrected for all readouts of one data set and quantity."""


def datasets_of(records: Sequence[Record]) -> list[str]:
    """Data sets in the order of the records."""
    return list(dict.fromkeys(record["dataset"] for record in records))


def readouts_of(records: Sequence[Record]) -> list[str]:
    """Readouts in the order of the records."""
    return list(dict.fromkeys(record["readout"] for record in records))


def quantities_of(records: Sequence[Record]) -> list[str]:
    """Errors that all records have: of forces and energies, or of energies alone."""
    return [name for name in QUANTITIES if all(name in record["test"] for record in records)]


def chosen(records: Sequence[Record], **values: Any) -> list[Record]:
    """Records with these values, by seed."""
    found = [r for r in records if all(r[key] == value for key, value in values.items())]
    return sorted(found, key=lambda record: record["seed"])


def errors(records: Sequence[Record], quantity: str) -> Float[np.ndarray, "records"]:
    """Test errors in milli-units."""
    return MILLI * np.array([record["test"][quantity] for record in records])


def pages(records: Sequence[Record], baseline: str) -> list[tuple[str, Table]]:
    """Returns two titled tables for every data set: errors and costs, and the paired tests.

    Args:
        records: Finished runs.
        baseline: Readout that the others are compared with; data sets without runs of it have no
            tests.
    """
    result = []
    for dataset in datasets_of(records):
        runs = chosen(records, dataset=dataset)
        result.append((_title(dataset, runs), errors_table(runs)))
        if baseline in readouts_of(runs) and len(readouts_of(runs)) > 1:
            title = f"{dataset}: differences from {baseline}, positive where {baseline} is better"
            result.append((title, tests_table(runs, baseline)))
    return result


def _title(dataset: str, runs: Sequence[Record]) -> str:
    settings = runs[0]["settings"]
    return (
        f"{dataset}: test errors after {runs[0]['steps']} steps of {settings['batch_size']} "
        "structures, mean ± standard deviation over seeds"
    )


def errors_table(runs: Sequence[Record]) -> Table:
    """Header and rows of one data set: a readout a row."""
    names = quantities_of(runs)
    header = ["readout", "seeds", "parameters of readout (trained)"]
    header += [f"{QUANTITIES[name][0]} ({QUANTITIES[name][1]})" for name in names]
    header += ["training CPU s", "inference CPU µs/atom"]
    rows = []
    for readout in readouts_of(runs):
        group = chosen(runs, readout=readout)
        first = group[0]
        row = [readout, str(len(group))]
        row += [f"{first['readout_parameters']} ({first['trained_readout']})"]
        row += [_spread(errors(group, name).tolist()) for name in names]
        row += [_median(group, "train_cpu_s"), _median(group, "inference_us_per_atom")]
        rows.append(row)
    return header, rows


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    digits = _digits(mean)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}"


def _digits(size: float) -> int:
    """Decimals of a number of this size: about as many as its error bars bear."""
    return 0 if size >= 500 else 1 if size >= 10 else 2


def _median(runs: Sequence[Record], key: str) -> str:
    """Median, which a busy moment of the machine does not move; runs of several parts may lack."""
    values = [run[key] for run in runs if run[key] is not None]
    return f"{statistics.median(values):.1f}" if values else "-"


def tests_table(runs: Sequence[Record], baseline: str) -> Table:
    """Header and rows of one data set: a readout and a quantity a row.

    The p-values of a column are corrected by Holm within the data set and the quantity.
    """
    header = ["readout", "error", "unit", "pairs", "difference, seeds [95 %]", "p (Holm)"]
    header += ["difference, structures [95 %]", "p (Holm)"]
    rows = []
    for quantity in quantities_of(runs):
        others = [name for name in readouts_of(runs) if name != baseline]
        pairs = [_paired(runs, name, baseline) for name in others]
        seeds = _cells([_over_seeds(*pair, quantity) for pair in pairs])
        structures = _cells([_over_structures(*pair, quantity) for pair in pairs])
        label, unit = QUANTITIES[quantity]
        for name, pair, ours, theirs in zip(others, pairs, seeds, structures, strict=True):
            rows.append([name, label, unit, str(len(pair[0])), *ours, *theirs])
    return header, rows


def _paired(runs: Sequence[Record], name: str, baseline: str) -> tuple[list[Record], list[Record]]:
    """Runs of two readouts with the seeds that both have."""
    ours, theirs = chosen(runs, readout=name), chosen(runs, readout=baseline)
    common = {run["seed"] for run in ours} & {run["seed"] for run in theirs}
    first, second = ([run for run in group if run["seed"] in common] for group in (ours, theirs))
    return first, second


def _over_seeds(ours: list[Record], theirs: list[Record], quantity: str) -> Difference | None:
    return paired.over_seeds(errors(ours, quantity), errors(theirs, quantity))


def _over_structures(ours: list[Record], theirs: list[Record], quantity: str) -> Difference | None:
    if not ours:
        return None  # no seed that both have
    mine, base = (
        MILLI * np.array([run["per_structure"][quantity] for run in group])
        for group in (ours, theirs)
    )
    return paired.over_structures(mine, base)


def _cells(differences: Sequence[Difference | None]) -> list[tuple[str, str]]:
    """Difference with its interval, and p-value corrected for the number of tests."""
    made = [difference for difference in differences if difference is not None]
    adjusted = iter(paired.holm([difference.p for difference in made]))
    return [
        ("-", "-") if d is None else (_interval(d), f"{next(adjusted):.2g}") for d in differences
    ]


def _interval(d: Difference) -> str:
    digits = _digits(max(abs(d.low), abs(d.high)))
    return f"{d.mean:+.{digits}f} [{d.low:+.{digits}f}, {d.high:+.{digits}f}]"
