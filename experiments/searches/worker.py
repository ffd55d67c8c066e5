"""What a worker does: takes trials until the search has its number, and loses none."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from ml_collections import ConfigDict
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState
from tqdm import tqdm

from experiments import objectives, spaces, timing_lock
from experiments.searches.hopeless import HopelessError, Judge
from experiments.searches.lost import LostTrials, interrupt, this_worker
from experiments.searches.progress import COMPILATIONS, SearchProgress
from experiments.searches.records import TrialRecord
from experiments.searches.study import (
    FAILURE,
    WORKER,
    counts,
    n_finished,
    n_running,
    records,
    set_constraints,
    trial_folder,
    variant_of,
)

if TYPE_CHECKING:
    from allegro_jax.datasets import Splits
    from allegro_jax.training import Progress
    from experiments.searches.known import KnownQuantities

Evaluate = Callable[..., TrialRecord]
"""Runs a trial; called as `experiments.searches.trial.run_trial` is."""


class SearchStoppedError(Exception):
    """A worker stopped because it was asked to; its trial is queued again."""


@dataclasses.dataclass(frozen=True)
class Search:
    """A search that is open.

    Attributes:
        config: Its settings, resolved.
        splits: Structures.
        workdir: Folder.
        studies: By variant.
        known: What is known of the trials of each variant.
    """

    config: ConfigDict
    splits: Splits
    workdir: Path
    studies: Mapping[str, optuna.Study]
    known: Mapping[str, KnownQuantities]


class Worker:
    """One process at work on a search.

    Args:
        search: The search.
        evaluate: Runs a trial.
        should_stop: Asked about once a second.
    """

    def __init__(self, search: Search, evaluate: Evaluate, should_stop: Callable[[], bool]) -> None:
        self._search, self._evaluate, self._should_stop = search, evaluate, should_stop
        self._lost = LostTrials(search.workdir)
        self._lock = timing_lock.path_of(search.config)

    def run(self, progress: SearchProgress, wait: bool = True) -> bool:
        """Runs trials until every variant has its number.

        Args:
            progress: What a person sees.
            wait: Whether to wait for trials of other workers, to take over what they lose.

        Returns:
            Whether no trial runs any more.

        Raises:
            SearchStoppedError: If `should_stop` said so.
        """
        self.settle()
        while True:
            if self._should_stop():
                raise SearchStoppedError("stopped as asked, between two trials")
            if (study := self._next()) is not None:
                self._run_trial(study, progress)
            elif not any(n_running(study) for study in self._search.studies.values()):
                return True
            elif not wait:
                return False
            else:
                progress.waits()
                time.sleep(min(2.0, 0.25 * self._search.config.heartbeat_s))
            self.settle()

    def settle(self) -> None:
        """Settles the trials whose process is gone."""
        for study in self._search.studies.values():
            for line in self._lost.settle(study):
                tqdm.write(line)

    def _next(self) -> optuna.Study | None:
        """Returns the study that is furthest from its number of trials, None when all have them."""
        done = {name: n_finished(study) for name, study in self._search.studies.items()}
        name = min(done, key=done.__getitem__)
        return self._search.studies[name] if done[name] < self._search.config.trials else None

    def _run_trial(self, study: optuna.Study, progress: SearchProgress) -> None:
        trial = ask(study)
        trial.set_user_attr(WORKER, this_worker())
        if self._is_surplus(study, trial.number):
            _interrupt(study, trial)
            return
        progress.trial_begins(variant_of(study), trial.number)
        try:
            with (
                timing_lock.shared(self._lock) as share,
                get_heartbeat_thread(trial._trial_id, study._storage),
            ):
                told = self._run(study, trial, progress, share)
        except (KeyboardInterrupt, SearchStoppedError, OSError, StorageInternalError):
            # A full disk says nothing about the trial, and would meet the next one alike.
            _interrupt(study, trial)
            raise
        if told:
            progress.trial_done(study)
        else:
            tqdm.write(f"{variant_of(study)} {trial.number}: was taken for lost; not counted")

    def _is_surplus(self, study: optuna.Study, number: int) -> bool:
        """Whether earlier trials use the whole budget: several workers may take the last one.

        Trials are created one after another, so all workers see the same order.
        """
        earlier = [t for t in study.get_trials(deepcopy=False) if t.number < number]
        return sum(counts(t) for t in earlier) >= self._search.config.trials

    def _run(
        self,
        study: optuna.Study,
        trial: optuna.Trial,
        progress: SearchProgress,
        share: timing_lock.Share,
    ) -> bool:
        """Runs and tells a trial; whatever it raises is the reason of its failure.

        Returns:
            Whether it could be told: nobody had taken it for lost.
        """
        try:
            params = suggest(trial, self._search.config, variant_of(study))
            known = self._search.known[variant_of(study)]
            measured = known(params)
            if reason := objectives.broken(known.limits, measured):
                set_constraints(study, trial._trial_id, measured)
                return _tell_reason(study, trial, f"not trained: {reason}", TrialState.PRUNED)
            record = self._trained(study, trial.number, params, progress, share)
            _check_finite(record)
        except (KeyboardInterrupt, SearchStoppedError, OSError, StorageInternalError):
            raise
        except UpdateFinishedTrialError:
            return False
        except Exception as error:
            reason = (
                str(error)
                if isinstance(error, HopelessError)
                else f"{type(error).__name__}: {error}"
            )
            return _tell_reason(study, trial, reason[:2000], TrialState.FAIL)
        return _tell(study, trial, record)

    def _trained(
        self,
        study: optuna.Study,
        number: int,
        params: Mapping[str, Any],
        progress: SearchProgress,
        share: timing_lock.Share,
    ) -> TrialRecord:
        search, variant = self._search, variant_of(study)
        judge = self._judge(study)

        def epoch_done(row: dict[str, float]) -> None:
            progress.epoch_done(row)
            if judge is not None:
                judge.epoch_done(row)

        def on_progress(_: Progress) -> None:
            share.pause()
            if self._should_stop():
                raise SearchStoppedError(f"stopped as asked, in {variant} {number}")

        folder = trial_folder(search.workdir, variant, number)
        what = search.config, search.splits, variant, number, params, folder
        return self._evaluate(*what, on_epoch=epoch_done, on_progress=on_progress)

    def _judge(self, study: optuna.Study) -> Judge | None:
        """Returns who stops hopeless trainings; None where that is not asked for."""
        config = self._search.config
        if not config.prune.factor or not objectives.leading_error(config.objectives):
            return None
        return Judge(config, [record.history for record in records(study, self._search.workdir)])


def ask(study: optuna.Study) -> optuna.Trial:
    """Takes the next trial; its heartbeat is the caller's to keep."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Heartbeat of storage", category=UserWarning)
        return study.ask()


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


def _tell(study: optuna.Study, trial: optuna.Trial, record: TrialRecord) -> bool:
    shown = {**record.measured, **record.valid, **record.cost, **record.seconds}
    with _unless_lost(study, trial) as told:
        for name, value in {**shown, COMPILATIONS: record.compilations}.items():
            trial.set_user_attr(name, value)
        set_constraints(study, trial._trial_id, record.measured)
        study.tell(trial, record.objectives)
        told.append(True)
    return bool(told)


def _tell_reason(study: optuna.Study, trial: optuna.Trial, reason: str, state: TrialState) -> bool:
    with _unless_lost(study, trial) as told:
        trial.set_user_attr(FAILURE, reason)
        study.tell(trial, state=state)
        told.append(True)
    return bool(told)


@contextlib.contextmanager
def _unless_lost(study: optuna.Study, trial: optuna.Trial) -> Iterator[list[bool]]:
    """Lets a trial be told, which another worker may have ended as lost in the meantime."""
    try:
        yield []
    except (UpdateFinishedTrialError, ValueError):
        if not study._storage.get_trial(trial._trial_id).state.is_finished():
            raise


def _interrupt(study: optuna.Study, trial: optuna.Trial) -> None:
    """Gives a trial back; what the storage then lacks is settled by the next look at it."""
    with contextlib.suppress(StorageInternalError, UpdateFinishedTrialError, ValueError):
        interrupt(study, study._storage.get_trial(trial._trial_id), retry=False)


def _check_finite(record: TrialRecord) -> None:
    infinite = [name for name, value in record.measured.items() if not math.isfinite(value)]
    if infinite or not all(math.isfinite(value) for value in record.objectives):
        values = {name: record.measured[name] for name in infinite} or record.objectives
        raise FloatingPointError(f"measured values must be finite, got {values}")
