"""One search by one sampler with one seed, from initial trials that all samplers share."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from ml_collections import ConfigDict

from allegro_jax.files import write_json
from experiments import spaces
from experiments.configs import demo
from experiments.configs import search as search_config
from experiments.search_loop import open_search, search
from experiments.searches.records import TrialRecord
from experiments.searches.study import trial_folder
from experiments.searches.trial import run_trial
from samo_cobra import design
from samo_cobra.optuna_values import OptunaSpace

DESIGN = "design"
"""User attribute of a study: how many initial trials were queued."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """What every sampler searches.

    Attributes:
        dataset: Registered name of the data set.
        variant: Which readout.
        objectives: Names of what is minimised.
        trials: Evaluations of a search.
        initial_trials: Of them, the initial design, the same for all samplers of a seed.
        epochs: Passes over the training set; the same hyperparameters and seed then give the same
            errors, however busy the machine is. 0 for a limit of seconds alone.
        seconds: Limit of a training, s; 0 for none.
        train: Training structures; 0 takes the official split.
    """

    dataset: str = "rmd17-aspirin"
    variant: str = "allegro"
    objectives: tuple[str, ...] = ("forces_mae", "inference_time")
    trials: int = 40
    initial_trials: int = 8
    epochs: int = 8
    seconds: float = 0.0
    train: int = 500

    def __post_init__(self) -> None:
        """Checks the sizes."""
        if not 1 <= self.initial_trials < self.trials:
            raise ValueError(
                f"initial trials must be fewer than trials, got {self.initial_trials} of "
                f"{self.trials}"
            )
        if not self.epochs and not self.seconds:
            raise ValueError("a training needs a length: give epochs, seconds, or both")

    def config(self, sampler: str, seed: int) -> ConfigDict:
        """Returns the settings of a search; models and ranges are those of the demonstration."""
        config = demo.get_config()
        config.data = search_config.data_config(self.dataset)
        if self.train:
            config.data.update({"train": self.train, "test": 500})
        config.update({"variants": (self.variant,), "objectives": self.objectives})
        config.update({"trials": self.trials, "initial_trials": self.initial_trials})
        config.update({"sampler": sampler, "seed": seed})
        with config.training.unlocked():
            config.training.time_limit_s = self.seconds or None
            config.training.max_epochs = self.epochs or 100_000
        return config


def folder(workdir: Path, sampler: str, seed: int) -> Path:
    """Returns the folder of a search."""
    return workdir / f"{sampler}_{seed}"


def initial_params(problem: Problem, seed: int) -> list[dict[str, Any]]:
    """Returns the initial trials: the default one, then points of a scrambled Sobol sequence."""
    config = problem.config("random", seed)
    space = OptunaSpace(spaces.search_space(problem.variant, config.ranges))
    constants = {n: config.ranges[n][0] for n, d in space.distributions.items() if d.single()}
    units = design.low_discrepancy(problem.initial_trials - 1, space.space.dims, seed)
    points = [space.params(space.space.from_unit(unit)) for unit in units]
    first = spaces.default_trial(problem.variant, config.ranges)
    return [first, *({**constants, **point} for point in points)]


def run(
    problem: Problem,
    sampler: str,
    seed: int,
    workdir: Path,
    samplers: Sequence[str],
    *,
    evaluate: Callable[..., TrialRecord] = run_trial,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Runs or continues a search.

    Args:
        problem: What is searched.
        sampler: Name of the sampler.
        seed: Of the sampler, the initial design, and the trainings.
        workdir: Folder of the comparison.
        samplers: Those compared: initial trials that one of them has made are taken over, so that
            all start from the same measurements.
        evaluate: Runs a trial.
        should_stop: Asked about once a second; True ends the search, which can be continued.

    Raises:
        ValueError: If the folder holds another search.
        SearchStoppedError: If `should_stop` said so.
    """
    config, place = problem.config(sampler, seed), folder(workdir, sampler, seed)
    opened = open_search(config, place)
    _queue(opened.studies[problem.variant], initial_params(problem, seed))
    others = [folder(workdir, name, seed) for name in samplers if name != sampler]
    taken = _Shared(others, problem.initial_trials, evaluate)
    search(config, place, evaluate=taken, should_stop=should_stop, report=False)


def _queue(study: optuna.Study, initial: Sequence[Mapping[str, Any]]) -> None:
    """Queues the initial trials that are not queued yet, as after a kill."""
    if study.user_attrs.get(DESIGN) == len(initial):
        return
    trials = study.get_trials(deepcopy=False)
    queued = [trial.system_attrs.get("fixed_params") for trial in trials]
    for params in initial:
        if params not in queued:
            study.enqueue_trial(dict(params))
    study.set_user_attr(DESIGN, len(initial))


class _Shared:
    """Runs a trial, or takes it over where another sampler began with the same one."""

    def __init__(
        self, others: Sequence[Path], initial: int, evaluate: Callable[..., TrialRecord]
    ) -> None:
        self._others, self._initial, self._evaluate = others, initial, evaluate

    def __call__(
        self,
        config: ConfigDict,
        splits: Any,
        variant: str,
        number: int,
        params: Mapping[str, Any],
        place: Path,
        **callbacks: Any,
    ) -> TrialRecord:
        for other in self._others if number < self._initial else ():
            source = trial_folder(other, variant, number)
            if not (source / "record.json").exists():
                continue
            record = TrialRecord.load(source / "record.json")
            if record.params == dict(params):
                shutil.copytree(source, place, dirs_exist_ok=True)
                return record
        return self._evaluate(config, splits, variant, number, params, place, **callbacks)


def points(problem: Problem, sampler: str, seed: int, workdir: Path) -> list[list[float]]:
    """Returns the objectives of the finished trials of a search, by number."""
    trials = folder(workdir, sampler, seed) / "trials" / problem.variant
    records = [TrialRecord.load(path) for path in sorted(trials.glob("*/record.json"))]
    return [[record.measured[name] for name in problem.objectives] for record in records]


def seconds_per_trial(problem: Problem, workdir: Path) -> float | None:
    """Returns the mean wall time of the trials so far; None without any."""
    paths = workdir.glob(f"*/trials/{problem.variant}/*/record.json")
    seconds = [TrialRecord.load(path).seconds["trial"] for path in paths]
    return sum(seconds) / len(seconds) if seconds else None


def claim(workdir: Path, problem: Problem) -> None:
    """Makes `workdir` the folder of this comparison.

    Raises:
        ValueError: If it holds another one.
    """
    path, wanted = workdir / "problem.json", json.loads(json.dumps(dataclasses.asdict(problem)))
    if path.exists():
        before = json.loads(path.read_text())
        keys = [key for key in wanted if key != "trials" and before.get(key) != wanted[key]]
        if keys:
            lines = [f"{key} was {before.get(key)}, is now {wanted[key]}" for key in keys]
            raise ValueError(
                f"{workdir} holds another comparison: {'; '.join(lines)}; choose another --workdir"
            )
        return
    write_json(path, wanted)
