"""The result folder of a search: picture, page, table, best potentials, terminal summary."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from experiments import figures, page
from experiments.front import TimedTrial, candidates, copy_best, time_and_test
from experiments.progress import UNITS
from experiments.records import TrialRecord
from experiments.study import failures, records
from experiments.trial import error_name
from samo_cobra.pareto import hypervolume


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """All that the report shows.

    Attributes:
        config: Settings of the search.
        error: Name of the error that was minimised.
        records: Finished trials of each variant, by number.
        failures: Reasons of the failed trials of each variant, by number.
        timed: Trials at and near the fronts, timed side by side.
    """

    config: ConfigDict
    error: str
    records: Mapping[str, Sequence[TrialRecord]]
    failures: Mapping[str, Mapping[int, str]]
    timed: Sequence[TimedTrial]

    @property
    def front(self) -> list[TimedTrial]:
        """The trials on the fronts, variant by variant, most accurate first."""
        return [item for item in self.timed if item.on_front]

    @property
    def unit(self) -> str:
        """Unit in which errors are shown."""
        return UNITS[self.error][1]

    def shown(self, error: float) -> float:
        """Returns an error in the unit in which it is shown."""
        return UNITS[self.error][0] * error

    def points(self, variant: str) -> np.ndarray:
        """Returns shown error and time of every trial; the final time where there is one."""
        final = {item.record.number: item for item in self.timed if item.record.variant == variant}
        rows = []
        for record in self.records[variant]:
            error, seconds = record.objectives
            if record.number in final:
                seconds = final[record.number].latency.median_s
            rows.append((self.shown(error), seconds))
        return np.array(rows).reshape(-1, 2)

    def hypervolumes(self) -> dict[str, np.ndarray]:
        """Returns the hypervolume after every finished trial, as a share of the reference box.

        The box reaches from zero to the worst error and time of any finished trial, the same for
        all variants.
        """
        points = {variant: self.points(variant) for variant in self.records}
        worst = np.max(np.concatenate(list(points.values())), axis=0) * 1.01
        return {
            variant: np.array(
                [hypervolume(rows[: n + 1] / worst, np.ones(2)) for n in range(len(rows))]
            )
            for variant, rows in points.items()
        }


def write_report(
    studies: Mapping[str, optuna.Study], config: ConfigDict, splits: Splits, workdir: Path
) -> SearchResult | None:
    """Times the front and writes `front.png`, `report.html`, `trials.csv` and `best/`.

    Returns:
        What was written; None if no trial of any variant has finished.
    """
    kept = {variant: records(study, workdir) for variant, study in studies.items()}
    trials = candidates(kept)
    if not trials:
        return None
    print(f"timing {len(trials)} potentials at and near the fronts side by side")
    timed = time_and_test(trials, config, splits, workdir)
    reasons = {variant: failures(study) for variant, study in studies.items()}
    result = SearchResult(config, error_name(splits), kept, reasons, timed)
    (workdir / "trials.csv").write_text(trials_csv(result))
    (workdir / "front.png").write_bytes(figures.front(result))
    (workdir / "report.html").write_text(page.html(result))
    copy_best(result.front, workdir)
    return result


def trials_csv(result: SearchResult) -> str:
    """Returns every trial, finished or failed, as a line of CSV."""
    names = list(
        dict.fromkeys(
            name for trials in result.records.values() for trial in trials for name in trial.params
        )
    )
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    timed = {(i.record.variant, i.record.number): i for i in result.timed}
    columns = ["variant", "number", "state", f"valid_{result.error}_eV_A", "seconds_per_test_set"]
    columns += ["final_seconds", "flops", "bytes", "parameters", "train_s", "compile_s", "seed"]
    writer.writerow([*columns, *names, "failure"])
    for variant, trials in result.records.items():
        for trial in trials:
            final = timed.get((variant, trial.number))
            row = [variant, trial.number, "complete", *trial.objectives]
            row += [final.latency.median_s if final else "", trial.cost["flops"]]
            row += [trial.cost["bytes_accessed"], trial.n_parameters]
            row += [trial.seconds["training"], trial.seconds["compilation"], trial.seed]
            writer.writerow([*row, *(trial.params.get(name, "") for name in names), ""])
        for number, reason in result.failures[variant].items():
            blank = [""] * (len(columns) - 3 + len(names))
            writer.writerow([variant, number, "failed", *blank, reason])
    return file.getvalue()


def summary(result: SearchResult, workdir: Path) -> str:
    """Returns the table of the front for the terminal."""
    unit = result.unit
    lines = [
        f"{'variant':12} {'trial':>5} {'valid ' + unit:>14} {'test ' + unit:>14} "
        f"{'s / test set':>13} {'µs / atom':>10} {'parameters':>10}"
    ]
    for item in result.front:
        record, latency = item.record, item.latency
        lines.append(
            f"{record.variant:12} {record.number:5d} "
            f"{result.shown(record.objectives[0]):14.2f} "
            f"{result.shown(item.test[result.error]):14.2f} "
            f"{latency.median_s:13.4f} {latency.us_per_atom:10.2f} {record.n_parameters:10d}"
        )
    failed = sum(len(reasons) for reasons in result.failures.values())
    done = sum(len(trials) for trials in result.records.values())
    lines.append(f"{done} trials finished, {failed} failed. Open {workdir / 'report.html'}")
    return "\n".join(lines)
