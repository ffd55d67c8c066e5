"""What the paper lacks, table by table, and what the searches were."""

from __future__ import annotations

from experiments.reproduction import published
from experiments.reproduction.cells import Cell, Table, label
from experiments.reproduction.comparisons import controls, differences
from experiments.reproduction.hypervolumes import hypervolumes
from experiments.reproduction.paper_tables import NAMES, main_error, trial_link, valid
from experiments.reproduction.published import TITLES, VARIANTS
from experiments.reproduction.results import Results
from experiments.reproduction.scales import ACCURATE, BALANCED
from experiments.reproduction.transfers import recipe, transfer


def tables(results: Results) -> list[Table]:
    """Returns the further tables."""
    made = [differences(results), hypervolumes(results), controls(results)]
    made += [transfer(results, variant) for variant in results.scale.transfers]
    made += [recipe(results)]
    if BALANCED in results.scale.picks:
        made.append(balanced(results))
    return [table for table in [*made, costs(results)] if table.rows]


def balanced(results: Results) -> Table:
    """Returns the trials at the knees of the fronts after long trainings."""
    rows = []
    for dataset in results.found:
        quantity, title = main_error(results, dataset)
        for variant in VARIANTS:
            knee = results.found[dataset].picked(variant, BALANCED)
            best = results.found[dataset].picked(variant, ACCURATE)
            if knee is None or best is None:
                continue
            ratio = knee.seconds / best.seconds
            rows.append(
                (
                    label(f"{TITLES[dataset]} ({title})"),
                    label(NAMES[variant]),
                    valid(results, results.promoted(dataset, variant), quantity),
                    valid(results, results.promoted(dataset, variant, BALANCED), quantity),
                    Cell(f"{ratio:.2f}", "measured", ratio, n=1, links=(trial_link(knee),)),
                )
            )
    return Table(
        name="balanced",
        title="The knee of each front",
        header=("data set", "variant", "most accurate", "knee", "time of the knee (share)"),
        rows=tuple(rows),
        notes=("Validation errors after long trainings; inference times of the searches.",),
    )


def costs(results: Results) -> Table:
    """Returns what the searches were: trials, failures, lengths, beside the paper's."""
    rows = []
    for dataset, found in results.found.items():
        length = results.scale.search[dataset]
        finished = sum(len(trials) for trials in found.trials.values())
        failed = sum(len(reasons) for reasons in found.failures.values())
        each = f"{length.seconds / 60:.2g} min" if length.seconds else f"{length.epochs} epochs"
        minutes = published.minutes_per_evaluation(dataset)
        rows.append(
            (
                label(TITLES[dataset]),
                Cell(str(finished), "measured", float(finished), n=1),
                Cell(str(failed), "measured", float(failed), n=1),
                label(each),
                label(f"{published.evaluations()} of each variant, {minutes} min on a T4"),
            )
        )
    return Table(
        name="costs",
        title="What was searched",
        header=("data set", "finished", "failed", "a trial trains", "paper"),
        rows=tuple(rows),
        notes=(
            f"All searches and long trainings took {results.elapsed_s / 3600:.2f} hours; "
            f"{len(results.trainings)} long trainings finished, {len(results.failed)} failed, "
            f"{len(results.left_out)} were left out for lack of time.",
        ),
    )
