"""Who searches: SAMO-COBRA, or a sampler of Optuna to compare it with."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import optuna
from ml_collections import ConfigDict
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments import objectives

if TYPE_CHECKING:
    from experiments.searches.known import KnownQuantities

SAMPLERS = ("samo", "tpe", "nsga2", "gp", "random")
"""SAMO-COBRA (de Winter et al., 2021); Optuna's TPE, NSGA-II, Gaussian process, and chance."""


def check(config: ConfigDict) -> None:
    """Checks that the sampler exists and can be used.

    Raises:
        ValueError: If not.
    """
    if config.sampler not in SAMPLERS:
        raise ValueError(f"unknown sampler {config.sampler!r}; known: {', '.join(SAMPLERS)}")
    if config.sampler == "gp" and importlib.util.find_spec("torch") is None:
        raise ValueError("the sampler 'gp' needs torch: pip install torch")


def sampler(
    config: ConfigDict, space: Mapping[str, BaseDistribution], known: KnownQuantities | None
) -> BaseSampler:
    """Returns the sampler that a config asks for.

    Args:
        config: Settings of the search.
        space: What is searched.
        known: Of the variant's trials; its limit of parameters is kept by every suggestion of
            SAMO-COBRA. None for none.
    """
    if config.sampler == "samo":
        from samo_cobra.optuna import SamoCobraSampler  # starts JAX

        keep = known is not None and "parameters" in known.limits
        return SamoCobraSampler(
            space,
            seed=config.seed,
            initial_trials=config.initial_trials,
            constraints=[n for n in objectives.limits(config) if not (keep and n == "parameters")],
            known_constraints=[known.excess] if keep else [],
        )
    first = config.initial_trials
    makers: dict[str, Callable[[int], BaseSampler]] = {
        "tpe": lambda seed: optuna.samplers.TPESampler(n_startup_trials=first, seed=seed),
        "nsga2": lambda seed: optuna.samplers.NSGAIISampler(
            population_size=max(first, 2), seed=seed
        ),
        "gp": lambda seed: optuna.samplers.GPSampler(n_startup_trials=first, seed=seed),
        "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    }
    return SeededByTrial(makers[config.sampler], config.seed)


class SeededByTrial(BaseSampler):
    """A sampler of Optuna whose random numbers depend on the trial.

    With a stream of random numbers, every worker would have the same one and suggest the same
    trials, and a search that goes on would repeat its first ones.

    Args:
        make: Returns the sampler with a seed.
        seed: Of the search.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._number, self._sampler = -1, make(seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns the parameters that are sampled together."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns their values."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns the value of one of the others."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Lets the sampler prepare."""
        self._of(trial).before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: list[float] | None
    ) -> None:
        """Lets the sampler conclude."""
        self._of(trial).after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number = trial.number
            self._sampler = self._make(zlib.crc32(f"{self._seed} {trial.number}".encode()))
        return self._sampler
