"""The search: ask a variant's study, run the trial, keep it, next variant; then report."""

from __future__ import annotations

import contextlib
from pathlib import Path

import optuna
from ml_collections import ConfigDict
from tqdm import tqdm

from allegro_jax.datasets import Splits
from experiments import spaces
from experiments.data import load_splits
from experiments.models import model_config, training_config
from experiments.progress import COMPILATIONS, SearchProgress
from experiments.report import SearchResult, summary, write_report
from experiments.study import (
    FAILURE,
    WORKER,
    claim_workdir,
    n_finished,
    open_storage,
    open_study,
    recover,
    this_worker,
    trial_folder,
)
from experiments.trial import error_name, run_trial
from samo_cobra.optuna import INTERRUPTED


class TrialFailedError(Exception):
    """A trial failed for a reason that is recorded; the search goes on."""


def search(config: ConfigDict, workdir: Path) -> SearchResult | None:
    """Runs or continues a search until every variant has its trials, then writes the report.

    Args:
        config: See `experiments/configs/search.py`.
        workdir: Folder of the search.

    Returns:
        What the report shows; None if no trial has finished.

    Raises:
        ValueError: If a setting, the data, the work directory or the storage does not fit.
        OSError: If the file system or the storage fails; what is recorded is kept.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    splits = load_splits(config.data)
    check(config, splits)
    claim_workdir(workdir, config)
    storage = open_storage(config, workdir)
    studies = {variant: open_study(storage, variant, config) for variant in config.variants}
    for study in studies.values():
        for line in recover(study, workdir):
            tqdm.write(line)
    try:
        _run_trials(studies, config, splits, workdir)
    except optuna.exceptions.StorageInternalError as error:
        raise OSError(f"the storage failed: {error}; the same command continues") from error
    result = write_report(studies, config, splits, workdir)
    print(summary(result, workdir) if result else "no trial has finished; nothing to report")
    return result


def _run_trials(
    studies: dict[str, optuna.Study], config: ConfigDict, splits: Splits, workdir: Path
) -> None:
    with SearchProgress(studies, config.trials, workdir, error_name(splits)) as progress:
        while (study := _next(studies, config.trials)) is not None:
            study.optimize(
                lambda trial, study=study: _objective(
                    trial, study.study_name, config, splits, workdir, progress
                ),
                n_trials=1,
                catch=(TrialFailedError,),
            )
            progress.trial_done(study)


def check(config: ConfigDict, splits: Splits) -> None:
    """Builds the first trial of every variant without training it, so that a wrong setting shows.

    Raises:
        ValueError: If a setting does not fit; nothing has been written by then.
    """
    if not config.variants or config.trials < 1:
        raise ValueError(
            "a search needs at least one variant and one trial, "
            f"got variants={config.variants} and trials={config.trials}"
        )
    for variant in config.variants:
        spaces.search_space(variant, config.ranges)
        params = spaces.default_trial(variant, config.ranges)
        model_config(variant, params, config.model, splits.train)
        training_config(params, config.training, config.seed)


def _next(studies: dict[str, optuna.Study], trials: int) -> optuna.Study | None:
    """Returns the study that is furthest from its number of trials, None when all have them."""
    done = {name: n_finished(study) for name, study in studies.items()}
    name = min(done, key=done.__getitem__)
    return studies[name] if done[name] < trials else None


def _objective(
    trial: optuna.Trial,
    variant: str,
    config: ConfigDict,
    splits: Splits,
    workdir: Path,
    progress: SearchProgress,
) -> list[float]:
    """Runs a trial; whatever it raises is recorded as the reason of its failure."""
    trial.set_user_attr(WORKER, this_worker())
    progress.trial_begins(variant, trial.number)
    folder = trial_folder(workdir, variant, trial.number)
    try:
        params = suggest(trial, config, variant)
        record = run_trial(
            config, splits, variant, trial.number, params, folder, progress.epoch_done
        )
    except (KeyboardInterrupt, OSError):
        # A full disk says nothing about the trial, and would meet the next one alike.
        with contextlib.suppress(optuna.exceptions.StorageInternalError):
            trial.set_user_attr(INTERRUPTED, True)
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:2000]
        trial.set_user_attr(FAILURE, reason)
        raise TrialFailedError(reason) from error
    counts = {COMPILATIONS: record.compilations}
    for name, value in {**record.valid, **record.cost, **record.seconds, **counts}.items():
        trial.set_user_attr(name, value)
    return record.objectives


def suggest(trial: optuna.Trial, config: ConfigDict, variant: str) -> dict[str, float]:
    """Asks the sampler for every hyperparameter of a variant."""
    params: dict[str, float] = {}
    for name, distribution in spaces.search_space(variant, config.ranges).items():
        if isinstance(distribution, optuna.distributions.IntDistribution):
            params[name] = trial.suggest_int(
                name, distribution.low, distribution.high, log=distribution.log
            )
        else:
            params[name] = trial.suggest_float(
                name, distribution.low, distribution.high, log=distribution.log
            )
    return params
