"""The Optuna studies of a search: one per variant, in one storage."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from ml_collections import ConfigDict
from optuna.trial import FrozenTrial, TrialState

from allegro_jax.files import write_json
from experiments import objectives, spaces
from experiments.searches.records import TrialRecord
from experiments.searches.samplers import sampler

if TYPE_CHECKING:
    from experiments.searches.known import KnownQuantities

FAILURE = "failure"
"""User attribute: why a trial failed, or was not trained. One without it was interrupted."""

RETRY = "retry"
"""User attribute: whether the trial repeats one whose process died."""

SEARCH = "search"
"""User attribute of a study: what decides what its trials are."""

WORKER = "worker"
"""User attribute: host, process and its start time, of who runs a trial."""

DASHBOARD_CONSTRAINTS = "constraints"
"""System attribute where optuna-dashboard looks for constraints, as a list."""


def claim_workdir(workdir: Path, config: ConfigDict) -> None:
    """Makes `workdir` the folder of this search, or checks that it already is.

    The number of trials and of timing passes may change between runs; everything else that
    decides what a trial is may not.

    Raises:
        ValueError: If the folder belongs to another search, holds something else, or cannot be
            written.
    """
    definition = _definition(config)
    path = workdir / "search.json"
    if path.exists():
        _check_same(json.loads(path.read_text()), definition, f"{workdir} holds")
        return
    try:
        if workdir.exists() and any(workdir.iterdir()):
            raise ValueError(
                f"{workdir} is not empty and holds no search.json; choose a new or empty --workdir"
            )
        write_json(path, definition)
    except OSError as error:
        raise ValueError(
            f"the work directory {workdir} cannot be written: {error}; choose another --workdir"
        ) from error


def open_study(
    storage: optuna.storages.BaseStorage,
    variant: str,
    config: ConfigDict,
    known: KnownQuantities | None = None,
) -> optuna.Study:
    """Opens or creates the study of a variant.

    Of several processes that come at once one creates it, and queues the first trial.

    Args:
        storage: Where.
        variant: Also the name of the study, after `config.study` if that is set.
        config: Settings of the search, resolved.
        known: Of the variant's trials; None for none.

    Raises:
        ValueError: If the storage holds the study of another search under this name.
    """
    space = spaces.search_space(variant, config.ranges)
    name = f"{config.study}/{variant}" if config.study else variant
    options = {"study_name": name, "sampler": sampler(config, space, known)}
    definition = _definition(config)
    try:
        directions = ["minimize"] * len(config.objectives)
        study = optuna.create_study(storage=storage, directions=directions, **options)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, **options)
        if (found := study.user_attrs.get(SEARCH)) is None:  # who made it has died, or is about to
            study.set_user_attr(SEARCH, definition)
        else:
            _check_same(found, definition, f"the storage holds as the study {name!r}")
        return study
    study.set_user_attr(SEARCH, definition)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        quantities = objectives.QUANTITIES
        study.set_metric_names(
            [f"{quantities[n].title} ({quantities[n].unit})" for n in config.objectives]
        )
    first = spaces.default_trial(variant, config.ranges)
    if known is None or not objectives.broken(known.limits, known(first)):
        study.enqueue_trial(first)
    return study


def variant_of(study: optuna.Study) -> str:
    """Returns the variant that a study searches."""
    return study.study_name.rsplit("/", 1)[-1]


def set_constraints(study: optuna.Study, trial_id: int, measured: Mapping[str, float]) -> None:
    """Sets the constraints of a trial, as shares by which limits are exceeded.

    Where optuna-dashboard looks for them too, but not for Optuna's Gaussian process, which would
    model each of them twice.
    """
    search = study.user_attrs[SEARCH]
    excesses = objectives.excesses(search["constraints"], measured)
    trial = optuna.Trial(study, trial_id)
    for name, excess in excesses.items():
        trial.set_constraint(name, excess)
    if excesses and search["sampler"] != "gp":
        study._storage.set_trial_system_attr(
            trial_id, DASHBOARD_CONSTRAINTS, list(excesses.values())
        )


def trial_folder(workdir: Path, variant: str, number: int) -> Path:
    """Returns the folder of one trial."""
    return workdir / "trials" / variant / f"{number:04d}"


def n_finished(study: optuna.Study) -> int:
    """Returns how many trials count against the budget."""
    return sum(counts(trial) for trial in study.get_trials(deepcopy=False))


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial counts: done, not trained or failed for a reason, or running."""
    ended_for_a_reason = FAILURE in trial.user_attrs
    done = trial.state in (TrialState.COMPLETE, TrialState.RUNNING)
    return done or (trial.state in (TrialState.FAIL, TrialState.PRUNED) and ended_for_a_reason)


def n_running(study: optuna.Study) -> int:
    """Returns how many trials run."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def records(study: optuna.Study, workdir: Path) -> list[TrialRecord]:
    """Returns the records of the finished trials of a study, by number."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    paths = [trial_folder(workdir, variant_of(study), trial.number) for trial in done]
    return [TrialRecord.load(path / "record.json") for path in paths]


def failures(study: optuna.Study) -> dict[int, str]:
    """Returns why trials failed or were not trained, by number."""
    ended = (TrialState.FAIL, TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False, states=ended)
    return {t.number: t.user_attrs[FAILURE] for t in trials if FAILURE in t.user_attrs}


def _check_same(found: dict[str, Any], wanted: dict[str, Any], place: str) -> None:
    keys = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if keys:
        lines = [f"{key} was {found.get(key)}, is now {wanted.get(key)}" for key in keys]
        raise ValueError(
            f"{place} another search: " + "; ".join(lines) + ". Choose another --workdir and "
            "storage, or the settings it was started with."
        )


def _definition(config: ConfigDict) -> dict[str, Any]:
    keys = ("variants", "seed", "initial_trials", "data", "model", "ranges", "training")
    values = {key: config[key] for key in (*keys, "objectives", "sampler")}
    values["constraints"] = objectives.limits(config)
    plain = {k: v.to_dict() if isinstance(v, ConfigDict) else v for k, v in values.items()}
    return json.loads(json.dumps(plain))
