"""Validation errors of one or several sets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphDataset, GraphStore, ordered_batches
from allegro_jax.models.build import build_model
from allegro_jax.programs import Program
from allegro_jax.sharding.data import agreed
from allegro_jax.training.config import Metric
from allegro_jax.training.members import evaluation_of
from allegro_jax.training.metrics import summarise
from allegro_jax.training.step import Params

VALIDATION_BATCH = 25


class Validation:
    """The validation sets of a run, on the first device of the process.

    Args:
        config: Model.
        sets: By name. The errors of the first have the names of the metrics; those of another
            begin with its name and a slash.
        members: How many potentials are trained together.

    Attributes:
        program: One batch, compiled.
    """

    def __init__(
        self, config: ModelConfig, sets: Mapping[str, GraphDataset], members: int = 1
    ) -> None:
        evaluation = functools.partial(evaluation_of(members), build_model(config))
        self.program = Program(evaluation, graph_argument=1)
        prefixes = ["", *(f"{name}/" for name in list(sets)[1:])]
        device = jax.local_devices()[0]
        self._batches: dict[str, Any] = {
            prefix: jax.device_put(ordered_batches(graphs, VALIDATION_BATCH), device)
            for prefix, graphs in zip(prefixes, sets.values(), strict=True)
        }

    def errors(self, params: Params) -> dict[str, float]:
        """Returns the errors of all sets, the same in all processes."""
        return {
            f"{prefix}{name}": agreed(error)
            for prefix, batches in self._batches.items()
            for name, error in summarise(self.program(params, graph) for graph in batches).items()
        }


def named_sets(
    valid: Dataset | GraphStore | Mapping[str, Dataset | GraphStore],
) -> dict[str, Dataset | GraphStore]:
    """Returns validation sets by name; a single one is called "valid".

    Raises:
        ValueError: If there is none, or a name cannot be the beginning of a column's name.
    """
    if not isinstance(valid, Mapping):
        return {"valid": valid}
    if not valid:
        raise ValueError("valid_set is empty: give at least one validation set, which decides")
    for name in valid:
        if not isinstance(name, str) or not name or "/" in name or name == "train":
            raise ValueError(
                "validation sets need names that are not empty, without '/' and other than "
                f"'train'; got {name!r}"
            )
    return dict(valid)


def deciding_metric(
    asked_for: Metric | None, train: Dataset | GraphStore, valid: Dataset | GraphStore
) -> Metric:
    """Returns the validation metric that decides which parameters are kept.

    Args:
        asked_for: `TrainingConfig.metric`.
        train: Training structures.
        valid: Validation structures.

    Raises:
        ValueError: If the validation structures have no label of that kind.
    """
    metric = asked_for or ("energy_mae" if train.forces is None else "forces_mae")
    if not valid.labelled["energy" if metric == "energy_mae" else "forces"]:
        raise ValueError(
            f"{metric} decides which parameters are kept, but none of the {len(valid)} structures "
            f"of the validation set {valid.name!r} has a label for it; label some, or set "
            "TrainingConfig.metric"
        )
    return metric
