"""What a training run is told: lengths, objective, optimiser, schedules, seed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, Literal, get_args

from allegro_jax.configs import D3

Loss = Literal["mse", "mae", "huber", "l2"]
Optimizer = Literal["adam", "adamw", "amsgrad", "muon", "schedule_free"]
Schedule = Literal["constant", "cosine", "exponential", "step", "plateau"]
Interpolation = Literal["step", "linear"]
Balancing = Literal["none", "uncertainty"]
Metric = Literal["forces_mae", "energy_mae"]
References = Literal["fit", "keep"]

WeightPoint = tuple[float, float, float, float]
"""Share of the run that is done, and the weights of energy, forces and stress from there on."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training run.

    Schedules follow the *progress* of the run: the share of its steps that are done, or of its
    time limit if that is further, so that a run cut by time still ends on the schedule's last
    value. A step is an optimiser step, whatever number of batches it takes.

    Attributes:
        max_epochs: Passes over the training set, at most.
        time_limit_s: Seconds of training and validation, without compilation; None for no limit.
        batch_size: Structures per batch.
        accumulate: Batches per optimiser step. Their gradient is that of one batch of
            `accumulate * batch_size` structures, in the memory of one of `batch_size`.
        optimizer: "adam" (Kingma & Ba, 2015), "adamw" (Loshchilov & Hutter, 2019), "amsgrad"
            (Reddi et al., 2018), "muon" (Jordan, 2024) for the kernels and Adam for the rest, or
            "schedule_free" Adam (Defazio et al., 2024), which takes the schedule "constant".
        weight_decay: Decoupled decay of the kernels, times the learning rate; not of "adam".
        learning_rate: Peak learning rate.
        schedule: "constant" stays at the peak; "cosine" and "exponential" decay to
            `final_learning_rate`; "step" multiplies by `decay_factor` at each of `milestones`;
            "plateau" does so whenever the validation metric has not improved for more than
            `plateau_patience` epochs, down to `final_learning_rate`.
        warmup: Share of the run in which the rate rises linearly from zero, with any schedule.
        final_learning_rate: Last value of the schedule, as a share of the peak.
        milestones: Ascending shares of the run, of the schedule "step".
        decay_factor: Of the schedules "step" and "plateau".
        plateau_patience: Epochs without improvement that "plateau" tolerates.
        loss: Mean over the labels of the squared error ("mse"), of the absolute error ("mae"), of
            Huber's function ("huber"): e²/2 up to `huber_delta`, linear beyond; or over atoms and
            structures of the length of the error vector ("l2"). But for "l2" every component of
            forces and stresses counts by itself.
        huber_delta: In the unit of each error: eV, eV/Å and eV/Å³.
        energy_per_atom: Whether the error of an energy is divided by the number of atoms.
        energy_weight: Weight of the mean error of energies.
        forces_weight: Weight of the mean error of force components.
        stress_weight: Weight of the mean error of stress components. A term whose weight is zero
            for the whole run is not computed.
        weight_points: Rows of (progress, energy, forces, stress), by progress: how the weights go
            on from those above, which belong to progress 0.
        weight_interpolation: Whether weights jump at each point ("step"), as in stage two of MACE,
            or are "linear" between points.
        balancing: "uncertainty" learns the weights during the run, beginning at those above
            (Kendall et al., 2018; see `allegro_jax.training.balancing`); "none" does not.
        balancing_rate: Most by which a step changes the logarithm of a learned weight, about.
        ema_decay: Decay of the exponential moving average of the parameters; at step n it is
            min(ema_decay, (1 + n) / (10 + n)). Validation and the saved potential use the average;
            with "schedule_free" they use the average that this optimiser makes itself.
        clip_norm: Global norm to which the gradient of a step is clipped; None for no clipping.
        patience: Epochs without improvement of `metric` after which the run stops; None for never.
        min_delta: How much the error must fall (eV or eV/Å) for `patience` to count it.
        target_error: Error in `metric` (eV or eV/Å) at which the run stops; None for none.
        metric: Error on the first validation set that decides which parameters are kept; None takes
            "forces_mae" where the data have forces and "energy_mae" elsewhere.
        checkpoint_interval_s: Seconds between checkpoints, in the middle of an epoch too.
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
        dispersion: Correction that the labels have and the model is not to learn, a `D3` or its
            name, such as "PBE-D3(BJ)". It is taken off all labels before the training, and the
            potential adds it to what it predicts. None takes that of the potential that is tuned
            further, if it has one.

    Raises:
        ValueError: If a value is outside its range, or settings contradict each other.
    """

    max_epochs: int = 100
    time_limit_s: float | None = None
    batch_size: int = 5
    accumulate: int = 1
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    learning_rate: float = 2e-3
    schedule: Schedule = "cosine"
    warmup: float = 0.02
    final_learning_rate: float = 0.01
    milestones: tuple[float, ...] = ()
    decay_factor: float = 0.5
    plateau_patience: int = 10
    loss: Loss = "mse"
    huber_delta: float = 0.01
    energy_per_atom: bool = True
    energy_weight: float = 1.0
    forces_weight: float = 1.0
    stress_weight: float = 0.0
    weight_points: tuple[WeightPoint, ...] = ()
    weight_interpolation: Interpolation = "step"
    balancing: Balancing = "none"
    balancing_rate: float = 0.01
    ema_decay: float = 0.99
    clip_norm: float | None = 10.0
    patience: int | None = None
    min_delta: float = 0.0
    target_error: float | None = None
    metric: Metric | None = None
    checkpoint_interval_s: float = 60.0
    seed: int = 0
    devices: int | None = None
    resident_gb: float = 1.0
    members: int = 1
    freeze: tuple[str, ...] = ()
    references: References = "fit"
    dispersion: D3 | None = None

    def __post_init__(self) -> None:
        """Checks every field."""
        self._make_hashable()
        self._check_choices()
        self._check_numbers()
        self._check_weights()
        self._check_combinations()

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON-serialisable values."""
        values = dataclasses.asdict(self)
        values["milestones"], values["freeze"] = list(self.milestones), list(self.freeze)
        values["weight_points"] = [list(point) for point in self.weight_points]
        if self.dispersion is None:  # runs from before this setting go on
            del values["dispersion"]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainingConfig:
        """Builds a config from `to_json` values; unknown names raise ValueError."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown training settings {unknown}; known: {sorted(known)}")
        return cls(**values)

    def _make_hashable(self) -> None:
        """Turns the lists and mappings that JSON has into tuples and configs."""
        try:
            points = tuple(tuple(map(float, point)) for point in self.weight_points)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "weight_points must be rows of four numbers (progress, energy, forces, stress), "
                f"got {self.weight_points!r}"
            ) from error
        object.__setattr__(self, "weight_points", points)
        object.__setattr__(self, "milestones", tuple(self.milestones))
        if self.dispersion is not None:
            object.__setattr__(self, "dispersion", D3.of(self.dispersion))
        parts = [] if isinstance(self.freeze, str) else list(self.freeze)
        named = bool(parts or not self.freeze) and all(isinstance(part, str) for part in parts)
        _require(named, "freeze", "a tuple of names, such as ('embedding',)", self.freeze)
        object.__setattr__(self, "freeze", tuple(parts))

    def _check_choices(self) -> None:
        choices = {
            "loss": Loss,
            "optimizer": Optimizer,
            "schedule": Schedule,
            "weight_interpolation": Interpolation,
            "balancing": Balancing,
            "references": References,
        }
        for name, kind in choices.items():
            names = get_args(kind)
            _require(getattr(self, name) in names, name, f"one of {names}", getattr(self, name))
        metrics = (None, *get_args(Metric))
        _require(self.metric in metrics, "metric", f"one of {metrics}", self.metric)

    def _check_numbers(self) -> None:
        for name in ("max_epochs", "batch_size", "accumulate", "members"):
            value = getattr(self, name)
            _require(value >= 1 and value == int(value), name, "an integer, at least 1", value)
        for name in ("learning_rate", "checkpoint_interval_s", "huber_delta", "balancing_rate"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0, name, "positive and finite", value)
        clip = self.clip_norm
        usable = clip is None or (math.isfinite(clip) and clip > 0)
        _require(usable, "clip_norm", "positive and finite, or None", clip)
        for name in ("energy_weight", "forces_weight", "stress_weight", "weight_decay"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value >= 0, name, "finite, zero or more", value)
        _require(0 <= self.warmup < 1, "warmup", "in [0, 1)", self.warmup)
        _require(0 <= self.ema_decay < 1, "ema_decay", "in [0, 1)", self.ema_decay)
        _require(0 < self.decay_factor < 1, "decay_factor", "in (0, 1)", self.decay_factor)
        final = self.final_learning_rate
        _require(0 <= final <= 1, "final_learning_rate", "in [0, 1]", final)
        limit = self.time_limit_s
        _require(limit is None or limit > 0, "time_limit_s", "positive or None", limit)
        _require(self.patience is None or self.patience >= 1, "patience", ">= 1", self.patience)
        delta, target = self.min_delta, self.target_error
        _require(0 <= delta < math.inf, "min_delta", "finite, zero or more", delta)
        _require(target is None or target > 0, "target_error", "positive or None", target)
        tolerated = self.plateau_patience
        _require(tolerated >= 0, "plateau_patience", "zero or more", tolerated)
        _require(self.devices is None or self.devices >= 1, "devices", ">= 1", self.devices)
        _require(self.resident_gb >= 0, "resident_gb", "zero or more", self.resident_gb)

    def _check_weights(self) -> None:
        points = self.weight_points
        finite = all(math.isfinite(value) and value >= 0 for point in points for value in point)
        rows = all(len(point) == 4 for point in points) and finite
        expected = "rows of (progress, energy, forces, stress), finite and zero or more"
        _require(rows, "weight_points", expected, points)
        _require_shares([point[0] for point in points], "weight_points")
        _require_shares(list(self.milestones), "milestones")
        weights = (self.energy_weight, self.forces_weight, self.stress_weight)
        rows_of_weights = [weights, *(point[1:] for point in points)]
        if not all(any(row) for row in rows_of_weights):
            raise ValueError(
                "one of energy_weight, forces_weight, stress_weight must be positive at any time; "
                f"got {weights} and weight_points={points}"
            )

    def _check_combinations(self) -> None:
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(
                f"optimizer 'adam' has no weight decay, got weight_decay={self.weight_decay}; "
                "take optimizer='adamw'"
            )
        if self.optimizer == "schedule_free" and self.schedule != "constant":
            raise ValueError(
                "optimizer 'schedule_free' averages in place of a schedule, got "
                f"schedule={self.schedule!r}; set schedule='constant' (warmup applies)"
            )
        if self.schedule == "exponential" and not self.final_learning_rate:
            raise ValueError(
                "the schedule 'exponential' never reaches zero; raise final_learning_rate above 0"
            )
        if self.schedule == "step" and not self.milestones:
            raise ValueError("the schedule 'step' needs milestones, shares of the run, got none")
        if self.balancing != "none" and self.weight_points:
            raise ValueError(
                "balancing learns the weights that weight_points would set; leave one of them out"
            )


def _require(condition: bool, name: str, expected: str, value: object) -> None:
    if not condition:
        raise ValueError(f"{name} must be {expected}, got {value!r}")


def _require_shares(shares: list[float], name: str) -> None:
    ascending = all(first < second for first, second in itertools.pairwise(shares))
    within = all(0 < share < 1 for share in shares)
    _require(ascending and within, name, "at ascending shares of the run, in (0, 1)", shares)
