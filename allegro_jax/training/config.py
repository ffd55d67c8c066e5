"""What a training run is told: lengths, weights, optimiser, seed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

Schedule = Literal["constant", "cosine"]
Metric = Literal["forces_mae", "energy_mae"]
References = Literal["fit", "keep"]


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training run.

    The learning rate follows a schedule over the *progress* of the run: the share of its steps
    that are done, or of its time limit if that is further, so that a run cut by time still ends
    on the schedule's last value.

    Attributes:
        max_epochs: Passes over the training set, at most.
        time_limit_s: Seconds of training and validation, without compilation; None for no limit.
        batch_size: Structures per optimiser step.
        learning_rate: Peak learning rate of Adam.
        schedule: "cosine" decays to `final_learning_rate`, "constant" stays at the peak.
        warmup: Share of the run in which the rate rises linearly from zero.
        final_learning_rate: Last value of the cosine schedule, as a share of the peak.
        energy_weight: Weight of the mean squared error of the energy per atom (eV²).
        forces_weight: Weight of the mean squared error of the force components (eV²/Å²).
        stress_weight: Weight of the mean squared error of the stress components (eV²/Å⁶).
        ema_decay: Decay of the exponential moving average of the parameters; at step n it is
            min(ema_decay, (1 + n) / (10 + n)). Validation and the saved potential use the average.
        clip_norm: Global norm to which gradients are clipped.
        patience: Epochs without improvement of `metric` after which the run stops; None for never.
        metric: Validation metric that decides which parameters are kept; None takes "forces_mae"
            where the data have forces and "energy_mae" elsewhere.
        checkpoint_interval_s: Seconds between checkpoints.
        seed: Seed of initial parameters and of the order of the structures.
        devices: Devices that share every batch; None takes all of them if `batch_size` is a
            multiple of their number, and one otherwise.
        resident_gb: Size of the training set (10⁹ bytes) up to which it stays on the device; a
            larger one is streamed, with the same result.
        members: Potentials that are trained together on the same batches, from the seeds `seed`,
            `seed + 1`, ...; two or more make an `allegro_jax.Committee`.
        freeze: Parts of the model whose parameters stay as they are: "embedding", "layers",
            "readout", "scales", or names of parameters as far as any "/", such as "latent_0".
        references: Reference energies of a potential that is tuned further: "fit" corrects them by
            least squares on what it leaves of the training energies, "keep" leaves those it has;
            either fits those of new elements.

    Raises:
        ValueError: If a value is outside its range.
    """

    max_epochs: int = 100
    time_limit_s: float | None = None
    batch_size: int = 5
    learning_rate: float = 2e-3
    schedule: Schedule = "cosine"
    warmup: float = 0.02
    final_learning_rate: float = 0.01
    energy_weight: float = 1.0
    forces_weight: float = 1.0
    stress_weight: float = 0.0
    ema_decay: float = 0.99
    clip_norm: float = 10.0
    patience: int | None = None
    metric: Metric | None = None
    checkpoint_interval_s: float = 60.0
    seed: int = 0
    devices: int | None = None
    resident_gb: float = 1.0
    members: int = 1
    freeze: tuple[str, ...] = ()
    references: References = "fit"

    def __post_init__(self) -> None:
        """Checks every field."""
        for name in ("max_epochs", "batch_size", "members"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "clip_norm", "checkpoint_interval_s"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0, name, "positive and finite", value)
        for name in ("energy_weight", "forces_weight", "stress_weight"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value >= 0, name, "finite, zero or more", value)
        _require(0 <= self.warmup < 1, "warmup", "in [0, 1)", self.warmup)
        _require(0 <= self.ema_decay < 1, "ema_decay", "in [0, 1)", self.ema_decay)
        final = self.final_learning_rate
        _require(0 <= final <= 1, "final_learning_rate", "in [0, 1]", final)
        limit = self.time_limit_s
        _require(limit is None or limit > 0, "time_limit_s", "positive or None", limit)
        _require(self.patience is None or self.patience >= 1, "patience", ">= 1", self.patience)
        _require(self.schedule in ("constant", "cosine"), "schedule", "a schedule", self.schedule)
        _require(self.devices is None or self.devices >= 1, "devices", ">= 1", self.devices)
        _require(self.resident_gb >= 0, "resident_gb", "zero or more", self.resident_gb)
        metrics = (None, "forces_mae", "energy_mae")
        _require(self.metric in metrics, "metric", f"one of {metrics}", self.metric)
        ways = ("fit", "keep")
        _require(self.references in ways, "references", f"one of {ways}", self.references)
        parts = [] if isinstance(self.freeze, str) else list(self.freeze)
        named = bool(parts or not self.freeze) and all(isinstance(part, str) for part in parts)
        _require(named, "freeze", "a tuple of names, such as ('embedding',)", self.freeze)
        object.__setattr__(self, "freeze", tuple(parts))  # JSON has lists

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON-serialisable values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainingConfig:
        """Builds a config from `to_json` values; unknown names raise ValueError."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown training settings {unknown}; known: {sorted(known)}")
        return cls(**values)


def _require(condition: bool, name: str, expected: str, value: object) -> None:
    if not condition:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
