"""How large a study is: data, models, trials, lengths of trainings. All of it is data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from experiments import spaces
from experiments.configs import search as search_config
from experiments.reproduction.published import DATASETS, VARIANTS, minutes_per_evaluation

ACCURATE, BALANCED = "accurate", "balanced"
"""Trials of a front that are trained longer: its most accurate one, and the one at its knee."""

_MAY_CHANGE = frozenset(
    [
        *("trials", "least_trials", "trials_per_round", "seeds", "picks", "controls"),
        *("transfers", "minutes", "extra_s"),
    ]
)

Limits = Mapping[str, tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Length:
    """When a training ends: after seconds of training, after epochs, or whichever comes first."""

    seconds: float | None = None
    epochs: int = 100_000

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of `config.training`."""
        return {"time_limit_s": self.seconds, "max_epochs": self.epochs}


@dataclasses.dataclass(frozen=True)
class Scale:
    """One size of the study.

    Attributes:
        name: What the flag calls it.
        trials: Evaluations of each variant on each data set.
        initial_trials: How many of them are the initial design.
        least_trials: Searches are never cut below this for lack of time.
        trials_per_round: Searches take turns, so many trials of each variant at a time.
        search: Length of a trial by data set.
        long: Length of a long training by data set.
        seeds: Seeds of every long training.
        picks: Which trials of a front are trained longer.
        controls: Readouts trained with the hyperparameters of the most accurate QDI.
        transfers: Variants of which the most accurate trial of each set is trained on the others.
        minutes: What all of it may take; None for no limit.
        model: Fields of `config.model` that differ from those of a search.
        ranges: Ranges that differ, for all sets.
        dataset_ranges: Ranges that differ, by data set.
        data: Fields of `config.data` that differ, by data set.
        timing: Fields of `config.timing` that differ.
        extra_s: First guess of the seconds of a training beside the training itself, by data set:
            neighbour lists, compilation, timing, test. Measured as the study goes on.
    """

    name: str
    trials: int
    initial_trials: int
    least_trials: int
    trials_per_round: int
    search: Mapping[str, Length]
    long: Mapping[str, Length]
    seeds: int
    picks: tuple[str, ...]
    controls: tuple[str, ...]
    transfers: tuple[str, ...]
    minutes: float | None
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ranges: Limits = dataclasses.field(default_factory=dict)
    dataset_ranges: Mapping[str, Limits] = dataclasses.field(default_factory=dict)
    data: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    timing: Mapping[str, int] = dataclasses.field(default_factory=dict)
    extra_s: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def config(self, dataset: str) -> ConfigDict:
        """Returns the settings of the search on a data set."""
        config = search_config.get_config(dataset)
        config.variants = VARIANTS
        config.trials, config.initial_trials = self.trials, self.initial_trials
        config.model.update(self.model)
        config.ranges.update({**self.ranges, **self.dataset_ranges.get(dataset, {})})
        config.data.update(self.data.get(dataset, {}))
        config.timing.update(self.timing)
        config.training.update(self.search[dataset].fields)
        return config

    @property
    def definition(self) -> dict[str, Any]:
        """What decides what the trainings of a study are; the rest may change between runs."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in _MAY_CHANGE}


def everywhere(value: Any) -> dict[str, Any]:
    """Returns the same value for every data set."""
    return dict.fromkeys(DATASETS, value)


SMOKE = Scale(
    name="smoke",
    trials=2,
    initial_trials=2,
    least_trials=1,
    trials_per_round=1,
    search=everywhere(Length(epochs=1)),
    long=everywhere(Length(epochs=2)),
    seeds=1,
    picks=(ACCURATE, BALANCED),
    controls=("control-mlp",),
    transfers=("allegro-qdi",),
    minutes=30.0,
    model={
        "l_max": 1,
        "num_scalar_features": 8,
        "num_tensor_features": 2,
        "mlp_width": 8,
        "n_qubits": 2,
    },
    ranges={
        "cutoff": (2.5, 3.5),
        "batch_size": (4, 5),
        "num_layers": (1, 1),
        "edge_mlp_width": (4, 8),
        "mlp_features": (2, 4),
        "mlp_width_1": (4, 8),
        "mlp_width_2": (4, 8),
        "qdi_encodings": (1, 1),
        "qdi_depth": (1, 1),
        "qdi_final_width": (4, 8),
    },
    data=everywhere({"train": 30, "valid": 10, "test": 10}),
    timing={"passes": 1, "final_passes": 2},
    extra_s=everywhere(6.0),
)
"""All parts of the study on tiny data: a few minutes, for tests. Its numbers mean nothing."""

LAPTOP = Scale(
    name="laptop",
    trials=8,
    initial_trials=5,
    least_trials=5,
    trials_per_round=1,
    search=everywhere(Length(15.0)),
    long=everywhere(Length(45.0)),
    seeds=3,
    picks=(ACCURATE,),
    controls=("control-mlp",),
    transfers=("allegro-qdi",),
    minutes=150.0,
    model={
        "l_max": 1,
        "num_scalar_features": 32,
        "num_tensor_features": 8,
        "mlp_width": 32,
    },
    ranges={
        "cutoff": (3.0, 7.0),
        "batch_size": (2, 6),
        "num_layers": (1, 2),
        "mlp_width_1": (4, 128),
        "mlp_width_2": (4, 128),
        "qdi_encodings": (1, 3),
        "qdi_depth": (1, 3),
    },
    dataset_ranges={"culi": {"cutoff": (3.5, 5.0), "batch_size": (1, 4)}},
    timing={"passes": 3, "final_passes": 7},
    extra_s={"rmd17-aspirin": 12.0, "rmd17-benzene": 12.0, "qm9": 14.0, "culi": 20.0},
)
"""Two cores, at most 2.5 hours: small models, trainings of 15 s and 45 s."""

GPU = Scale(
    name="gpu",
    trials=27,
    initial_trials=10,
    least_trials=12,
    trials_per_round=3,
    search=everywhere(Length(60.0)),
    long=everywhere(Length(240.0)),
    seeds=3,
    picks=(ACCURATE, BALANCED),
    controls=spaces.CONTROLS,
    transfers=VARIANTS,
    minutes=24 * 60.0,
    model={"l_max": 2, "num_scalar_features": 64, "num_tensor_features": 32},
    ranges={"cutoff": (3.0, 10.0)},
    dataset_ranges={"culi": {"cutoff": (3.5, 7.0)}},
    extra_s=everywhere(25.0),
)
"""One GPU for a day: models of the size of `configs/search.py`, trainings of 1 and 4 minutes."""

PAPER = Scale(
    name="paper",
    trials=1200,
    initial_trials=120,
    least_trials=1200,
    trials_per_round=12,
    search={name: Length(60.0 * minutes_per_evaluation(name)) for name in DATASETS},
    long={
        "rmd17-aspirin": Length(epochs=3000),
        "rmd17-benzene": Length(epochs=3000),
        "qm9": Length(epochs=300),
        "culi": Length(epochs=100),
    },
    seeds=3,
    picks=(ACCURATE, BALANCED),
    controls=spaces.CONTROLS,
    transfers=VARIANTS,
    minutes=None,
    model={
        "architecture": "2023",
        "l_max": 2,
        "num_scalar_features": 1024,
        "num_tensor_features": 64,
        "mlp_depth": 2,
        "mlp_width": 1024,
    },
    extra_s=everywhere(60.0),
)
"""The paper's budget: 1,200 evaluations as long as its own on a T4, long trainings of its epochs.

The paper does not print the sizes of its models; these are near those of the example that comes
with the code of Allegro 0.2.
"""

SCALES = {scale.name: scale for scale in (SMOKE, LAPTOP, GPU, PAPER)}
