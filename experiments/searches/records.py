"""What is kept of every trial: one JSON file, written once, whole."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import allegro_jax
from allegro_jax.files import write_json

PACKAGES = ("jax", "flax", "optax", "e3nn-jax", "pennylane", "optuna", "numpy")


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One finished trial.

    Attributes:
        variant: "allegro", "allegro-mlp" or "allegro-qdi".
        number: Number of the trial in the study of its variant.
        params: Searched hyperparameters.
        objectives: What was minimised, in the order of the search's objectives.
        valid: Validation errors of the kept parameters, eV and Å.
        history: Training curve, a row per epoch.
        latency: Fields of `allegro_jax.timing.Latency`.
        cost: FLOPs and bytes of one pass over the test set, by XLA.
        seconds: Wall seconds of training, compilation and the whole trial.
        compilations: Programs compiled.
        n_parameters: Trainable numbers.
        seed: Seed of the training.
        stopped_by: What ended the training.
        environment: Versions, platform and device.
        padding_waste: Expected share of padding among the edges of the training batches.
        measured: Every quantity of `experiments.objectives` that was measured, by name.
        timed_alone: Whether no training of this host ran during the timing.
    """

    variant: str
    number: int
    params: dict[str, Any]
    objectives: list[float]
    valid: dict[str, float]
    history: list[dict[str, float]]
    latency: dict[str, float]
    cost: dict[str, float]
    seconds: dict[str, float]
    compilations: int
    n_parameters: int
    seed: int
    stopped_by: str
    environment: dict[str, str]
    padding_waste: float = 0.0
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    timed_alone: bool = True

    def save(self, path: Path) -> None:
        """Writes the record; a crash leaves the whole record or none."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> TrialRecord:
        """Reads a record.

        Raises:
            ValueError: If the file is not a whole record.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(f"{path} is not the record of a trial: {error}") from error


def environment() -> dict[str, str]:
    """Returns the versions of what computes, the platform and the device."""
    import jax  # this module is read by programs that only report

    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "allegro_jax": allegro_jax.__version__,
        **versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": jax.devices()[0].device_kind,
        "backend": jax.default_backend(),
    }
