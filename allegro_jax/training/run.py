"""One training run: its data, its compiled programs, its state, its checkpoints."""

from __future__ import annotations

import functools
import math
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from allegro_jax.committee import Committee
from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphDataset, ordered_batches
from allegro_jax.models.build import build_model
from allegro_jax.potential import Potential
from allegro_jax.programs import Program
from allegro_jax.sharding.data import DataParallel, agreed, local_copy
from allegro_jax.training.checkpoints import Checkpoints
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.fine_tuning import starting_point
from allegro_jax.training.members import evaluation_of, improved, joined, trained, with_improved
from allegro_jax.training.metrics import summarise
from allegro_jax.training.pace import Pace
from allegro_jax.training.schedule import plateau_factor
from allegro_jax.training.setup import deciding_metric
from allegro_jax.training.step import TrainState, initial_state
from allegro_jax.training.trainer import Trainer

VALIDATION_BATCH = 25


class TrainingDivergedError(FloatingPointError):
    """The loss of a training run is no longer finite."""


class Run:
    """A training run between two epochs.

    Args:
        config: Model.
        training: Settings.
        train_set: Structures to learn from.
        valid_set: Structures that decide which parameters are kept.
        workdir: Folder of the checkpoints; an interrupted run there is taken up. None for none.
        init: What is tuned further; None to begin anew.

    Attributes:
        history: One row per finished epoch.
        best: The row with the lowest validation error.
    """

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        train_set: Dataset,
        valid_set: Dataset,
        workdir: Path | str | None,
        init: Potential | Committee | None = None,
    ) -> None:
        self._config, self._training = config, training
        start = starting_point(config, training, train_set, init)
        self._references = start.atomic_energies
        self._devices = DataParallel.over(training.batch_size, training.devices)
        self._trainer = Trainer(config, training, self._build(train_set), self._devices)
        evaluation = functools.partial(evaluation_of(training.members), build_model(config))
        self._evaluate = Program(evaluation, graph_argument=1)
        validation = ordered_batches(self._build(valid_set), VALIDATION_BATCH)
        self._validation = jax.device_put(validation, jax.local_devices()[0])
        self._metric = deciding_metric(training.metric, train_set, valid_set)
        state = joined([initial_state(params, training) for params in start.params])
        self._state = self._devices.replicate(state)
        self._best_params = jax.tree.map(jnp.copy, self._state.averaged)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        self._checkpoints: Checkpoints | None = None
        self._saved_at = time.monotonic()
        elapsed_s = 0.0
        if workdir is not None:
            sizes = {"name": train_set.name, "train": len(train_set), "valid": len(valid_set)}
            if start.digest is not None:
                sizes["init"] = start.digest
            elapsed_s = self._take_up(Path(workdir) / "checkpoints", sizes)
        self._pace = Pace(training.time_limit_s, lambda: self.compile_s, elapsed_s)

    @property
    def compile_s(self) -> float:
        """Seconds that compilation took."""
        return self._trainer.program.compile_s + self._evaluate.compile_s

    @property
    def compilations(self) -> int:
        """Programs compiled."""
        return self._trainer.program.compilations + self._evaluate.compilations

    @property
    def padding_waste(self) -> float:
        """Expected share of padding among the edges of the training batches."""
        return self._trainer.windows.waste

    def finished(self) -> str | None:
        """Returns the name of the limit that ends the run, None while there is none."""
        limits, done = self._training, len(self.history)
        if done >= limits.max_epochs:
            return "max_epochs"
        if self._pace.over:
            return "time_limit"
        waited = done - self.best.get("epoch", 0)
        if limits.patience is not None and waited >= limits.patience:
            return "patience"
        return None

    def epoch(self) -> dict[str, float]:
        """Passes once over the training set, or until the time is over, and validates.

        Returns:
            The new row of the history.

        Raises:
            TrainingDivergedError: If the loss is no longer finite.
        """
        self._pace.start()
        number = len(self.history)
        errors_so_far = [row[self._metric] for row in self.history]
        self._trainer.factor = plateau_factor(self._training, errors_so_far)
        self._state, losses = self._trainer.epoch(self._state, number, self._pace)
        mean_loss = self._checked_mean(losses)
        averaged = local_copy(self._state.averaged)
        errors = summarise(self._evaluate(averaged, graph) for graph in self._validation)
        errors = {name: agreed(error) for name, error in errors.items()}
        self._pace.read()
        row = {
            "epoch": float(number + 1),
            "step": float(self._state.step),
            "seconds": self._pace.elapsed_s,
            "learning_rate": self._trainer.rate,
            "loss": mean_loss,
            **errors,
        }
        self.history.append(row)
        if not self.best or row[self._metric] < self.best[self._metric]:
            self.best = row
        better = improved(self.history, self._metric, self._training.members)
        self._best_params = with_improved(self._best_params, self._state.averaged, better)
        return row

    def potential(self) -> Potential | Committee:
        """Returns the potential, or committee, with the best averaged parameters so far."""
        params = local_copy(self._best_params)
        return trained(self._config, params, self._references, self._training.members)

    def save_if_due(self) -> None:
        """Writes a checkpoint if the last one is older than the interval."""
        if agreed(time.monotonic() - self._saved_at) > self._training.checkpoint_interval_s:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint; nothing without a work directory."""
        if self._checkpoints is not None:
            arrays = {"state": self._state, "best": self._best_params}
            progress = {
                "elapsed_s": self._pace.elapsed_s,
                "history": self.history,
                "best": self.best,
            }
            self._checkpoints.save(int(self._state.step), arrays, progress)
            self._saved_at = time.monotonic()

    def close(self) -> None:
        """Releases the folder of the checkpoints."""
        if self._checkpoints is not None:
            self._checkpoints.close()

    def _take_up(self, folder: Path, sizes: dict[str, Any]) -> float:
        """Takes up an interrupted run; returns the seconds it has done."""
        training = self._training.to_json()
        for name in ("devices", "resident_gb"):  # where a run computes does not make it another
            del training[name]
        identity = {"model": self._config.to_json(), "training": training, "data": sizes}
        self._checkpoints = Checkpoints(folder, identity)
        restored = self._checkpoints.restore({"state": self._state, "best": self._best_params})
        if restored is None:
            return 0.0
        arrays, progress = restored
        self._state, self._best_params = TrainState(*arrays["state"]), arrays["best"]
        self.history, self.best = progress["history"], progress["best"]
        return float(progress["elapsed_s"])

    def _build(self, dataset: Dataset) -> GraphDataset:
        config = self._config
        return GraphDataset.build(dataset, config.cutoff, config.atomic_numbers, self._references)

    def _checked_mean(self, losses: list[float]) -> float:
        mean = float(np.mean(losses))
        if not math.isfinite(mean):
            raise TrainingDivergedError(
                f"the loss became {mean} in epoch {len(self.history) + 1}; "
                f"lower the learning rate (it is {self._training.learning_rate:g})"
            )
        return mean
