"""The result folder of a search: picture, page, table, best potentials, terminal summary."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from jaxtyping import Float
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from experiments.objectives import ERRORS, QUANTITIES, broken, leading_error, limits
from experiments.searches import figures, page
from experiments.searches.dashboard import attach_hypervolumes
from experiments.searches.front import TimedTrial, candidates, copy_best, time_and_test
from experiments.searches.records import TrialRecord
from experiments.searches.study import failures, records
from samo_cobra.pareto import hypervolume


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """All that the report shows.

    Attributes:
        config: Settings of the search, resolved.
        records: Finished trials of each variant, by number.
        failures: Why trials of each variant failed or were not trained, by number.
        timed: Trials at and near the fronts, timed side by side.
    """

    config: ConfigDict
    records: Mapping[str, Sequence[TrialRecord]]
    failures: Mapping[str, Mapping[int, str]]
    timed: Sequence[TimedTrial]

    @property
    def front(self) -> list[TimedTrial]:
        """The trials on the fronts, variant by variant, least first objective first."""
        return [item for item in self.timed if item.on_front]

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of what was minimised."""
        return tuple(self.config.objectives)

    @property
    def error(self) -> str:
        """The validation error whose curves are drawn: the first that was minimised, or any."""
        curve = next(iter(self.front)).record.history[0]
        return leading_error(self.objectives) or next(name for name in ERRORS if name in curve)

    def measured(self, record: TrialRecord) -> dict[str, float]:
        """Returns every quantity of a trial; the final times where it was timed again."""
        key = record.variant, record.number
        timed = {(i.record.variant, i.record.number): i for i in self.timed}
        return timed[key].measured if key in timed else record.measured

    def keeps_limits(self, record: TrialRecord) -> bool:
        """Whether a trial keeps all limits."""
        return not broken(limits(self.config), self.measured(record))

    def points(self, variant: str) -> Float[np.ndarray, "trials objectives"]:
        """Returns the objectives of the trials that keep all limits, in the units shown."""
        factors = [QUANTITIES[name].shown[0] for name in self.objectives]
        kept = [self.measured(r) for r in self.records[variant] if self.keeps_limits(r)]
        rows = [[values[name] for name in self.objectives] for values in kept]
        return np.array(rows).reshape(-1, len(factors)) * factors

    def hypervolumes(self) -> dict[str, Float[np.ndarray, " trials"]]:
        """Returns the hypervolume after every trial, as a share of the reference box.

        The box reaches from zero to the worst value of any trial in every objective, the same for
        all variants.
        """
        points = {variant: self.points(variant) for variant in self.records}
        worst = np.max(np.concatenate(list(points.values())), axis=0) * 1.01
        ones = np.ones(len(worst))
        return {
            variant: np.array([hypervolume(rows[: n + 1] / worst, ones) for n in range(len(rows))])
            for variant, rows in points.items()
        }


def write_report(
    studies: Mapping[str, optuna.Study], config: ConfigDict, splits: Splits, workdir: Path
) -> SearchResult | None:
    """Times the front and writes `front.png`, `report.html`, `trials.csv` and `best/`.

    Returns:
        What was written; None if no trial of any variant has finished and keeps the limits.
    """
    kept = {variant: records(study, workdir) for variant, study in studies.items()}
    trials = candidates(kept, config)
    if not trials:
        return None
    print(f"timing {len(trials)} potentials at and near the fronts side by side")
    timed = time_and_test(trials, config, splits, workdir)
    reasons = {variant: failures(study) for variant, study in studies.items()}
    result = SearchResult(config, kept, reasons, timed)
    (workdir / "trials.csv").write_text(trials_csv(result))
    if not result.front:
        return None
    (workdir / "front.png").write_bytes(figures.front(result))
    (workdir / "report.html").write_text(page.html(result))
    copy_best(result.front, workdir)
    attach_hypervolumes(studies, result.hypervolumes())
    return result


def trials_csv(result: SearchResult) -> str:
    """Returns every trial, finished or not, as a line of CSV; quantities in their own units."""
    everything = [trial for trials in result.records.values() for trial in trials]
    params = list(dict.fromkeys(name for trial in everything for name in trial.params))
    quantities = [n for n in QUANTITIES if any(n in t.measured for t in everything)]
    timed = {(i.record.variant, i.record.number): i for i in result.timed}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    first = ["variant", "number", "state", "keeps_limits", "on_front"]
    last = ["final_inference_time", "compilation", "seed", *params, "reason"]
    writer.writerow([*first, *quantities, *last])
    for variant, trials in result.records.items():
        for trial in trials:
            again = timed.get((variant, trial.number))
            row = [variant, trial.number, "complete", int(result.keeps_limits(trial))]
            row += [int(again is not None and again.on_front)]
            row += [trial.measured.get(name, "") for name in quantities]
            row += [again.latency.median_s if again else "", trial.seconds["compilation"]]
            row += [trial.seed, *(trial.params.get(name, "") for name in params), ""]
            writer.writerow(row)
        for number, reason in result.failures[variant].items():
            blank = [""] * (len(first) - 3 + len(quantities) + len(last) - 1)
            writer.writerow([variant, number, "failed", *blank, reason])
    return file.getvalue()


def summary(result: SearchResult, workdir: Path) -> str:
    """Returns the table of the front for the terminal."""
    header = f"{'variant':12} {'trial':>5}"
    for name in result.objectives:
        short = name.removesuffix("_mae") if name in ERRORS else name
        unit = QUANTITIES[name].shown[1]
        header += f" {f'valid {short} {unit}' if name in ERRORS else f'{short} {unit}':>22}"
        header += f" {f'test {unit}':>12}" if name in ERRORS else ""
    lines = [f"{header} {'µs / atom':>10} {'parameters':>10}"]
    for item in result.front:
        line = f"{item.record.variant:12} {item.record.number:5d}"
        for name in result.objectives:
            factor = QUANTITIES[name].shown[0]
            line += f" {factor * item.measured[name]:22.4g}"
            line += f" {factor * item.test[name]:12.4g}" if name in ERRORS else ""
        latency = item.latency
        lines.append(f"{line} {latency.us_per_atom:10.2f} {item.record.n_parameters:10d}")
    failed = sum(len(reasons) for reasons in result.failures.values())
    done = sum(len(trials) for trials in result.records.values())
    lines.append(f"{done} trials finished, {failed} failed. Open {workdir / 'report.html'}")
    return "\n".join(lines)
