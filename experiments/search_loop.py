"""The search: open its studies, work on them beside other workers, report the front."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
from ml_collections import ConfigDict

from allegro_jax.datasets import Splits
from experiments import objectives, spaces, timing_lock
from experiments.data import load_splits
from experiments.models import model_config, training_config
from experiments.searches import samplers
from experiments.searches.known import KnownQuantities
from experiments.searches.progress import SearchProgress
from experiments.searches.report import SearchResult, summary, write_report
from experiments.searches.storage import open_storage, reason
from experiments.searches.study import claim_workdir, open_study
from experiments.searches.trial import run_trial
from experiments.searches.worker import Evaluate, Search, Worker

NOTHING = "no trial that keeps the limits has finished, nothing to report"

REPORT_WAIT_S = 3600.0
"""How long a worker waits for another one that writes the report."""


def search(
    config: ConfigDict,
    workdir: Path,
    *,
    evaluate: Evaluate | None = None,
    should_stop: Callable[[], bool] | None = None,
    wait: bool = True,
    report: bool = True,
) -> SearchResult | None:
    """Runs or continues a search until every variant has its trials, then writes the report.

    Args:
        config: See `experiments/configs/search.py`.
        workdir: Folder of the search.
        evaluate: Runs a trial in place of `run_trial`, as tests do.
        should_stop: Asked about once a second; True ends this worker, its trial queued again.
        wait: Whether to wait for the trials of other workers when none is left to begin, take over
            what they lose, and report. Without it the worker ends, and reports only if no trial
            runs any more.
        report: Whether to write the report at all.

    Returns:
        What the report shows; None if no trial has finished, or nothing was reported.

    Raises:
        ValueError: If a setting, the data, the work directory or the storage does not fit.
        OSError: If the file system or the storage fails; what is recorded is kept.
        SearchStoppedError: If `should_stop` said so.
    """
    opened = open_search(config, workdir)
    worker = Worker(opened, evaluate or run_trial, should_stop or _no)
    names = opened.config.objectives
    try:
        with SearchProgress(opened.studies, config.trials, workdir, names) as progress:
            settled = worker.run(progress, wait)
    except optuna.exceptions.StorageInternalError as error:
        raise OSError(f"the storage failed: {reason(error)}; the same command continues") from error
    if not settled or not report:
        return None
    return _report(opened)


def open_search(config: ConfigDict, workdir: Path) -> Search:
    """Checks the settings, claims the work directory and opens the studies; trains nothing.

    Raises:
        ValueError: If a setting, the data, the work directory or the storage does not fit.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    splits = load_splits(config.data)
    config = objectives.resolved(config, splits)
    known = check(config, splits)
    claim_workdir(workdir, config)
    storage = open_storage(config, workdir)
    studies = {v: open_study(storage, v, config, known[v]) for v in config.variants}
    return Search(config, splits, workdir, studies, known)


def check(config: ConfigDict, splits: Splits) -> dict[str, KnownQuantities]:
    """Builds the first trial of every variant without training it, so that a wrong setting shows.

    Returns:
        What is known before a training, for each variant.

    Raises:
        ValueError: If a setting does not fit, a training would have no time, or no trial can keep
            a limit; nothing has been written by then.
    """
    if not config.variants or config.trials < 1:
        raise ValueError(
            "a search needs at least one variant and one trial, "
            f"got variants={config.variants} and trials={config.trials}"
        )
    if min(config.timing.passes, config.timing.final_passes) < 1:
        raise ValueError(f"config.timing needs at least one pass, got {config.timing.to_dict()}")
    samplers.check(config)
    known = {}
    for variant in config.variants:
        spaces.search_space(variant, config.ranges)
        params = spaces.default_trial(variant, config.ranges)
        model_config(variant, params, config.model, splits.train)
        training_config(params, config.training, config.seed)
        known[variant] = KnownQuantities(variant, config, splits)
        known[variant].check_reachable()
    return known


def _report(opened: Search) -> SearchResult | None:
    """Writes the report; of several workers one after another, from what the first measured."""
    with timing_lock.exclusive(opened.workdir / "report.lock", REPORT_WAIT_S):
        result = write_report(opened.studies, opened.config, opened.splits, opened.workdir)
    print(summary(result, opened.workdir) if result else NOTHING)
    return result


def _no() -> bool:
    return False
