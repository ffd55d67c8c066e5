"""One training run: its data, its compiled programs, its state, its checkpoints."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphDataset, batch, capacities_for, ordered_batches
from allegro_jax.models.build import build_model
from allegro_jax.potential import Potential, initial_params
from allegro_jax.programs import Program
from allegro_jax.training.checkpoints import Checkpoints
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.loss import LossWeights
from allegro_jax.training.metrics import summarise
from allegro_jax.training.schedule import learning_rate, progress
from allegro_jax.training.setup import atomic_energies
from allegro_jax.training.step import TrainState, evaluation_step, initial_state, train_step

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
    ) -> None:
        self._config, self._training = config, training
        self._references = atomic_energies(train_set)
        self._graphs = self._build(train_set)
        self._capacities = capacities_for(self._graphs, training.batch_size)
        validation = ordered_batches(self._build(valid_set), VALIDATION_BATCH)
        self._validation = jax.device_put(validation)
        default = "energy_mae" if train_set.forces is None else "forces_mae"
        self._metric = training.metric or default
        self._state = initial_state(initial_params(config, training.seed), training.clip_norm)
        self._best_params = jax.tree.map(jnp.copy, self._state.averaged)
        self._elapsed_s = 0.0
        self.history: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        self._checkpoints: Checkpoints | None = None
        self._saved_at = time.monotonic()
        if workdir is not None:
            sizes = {"name": train_set.name, "train": len(train_set), "valid": len(valid_set)}
            self._take_up(Path(workdir) / "checkpoints", sizes)
        self._compile()

    @property
    def compile_s(self) -> float:
        """Seconds that compilation took."""
        return self._train_step.compile_s + self._evaluate.compile_s

    @property
    def compilations(self) -> int:
        """Programs compiled."""
        return self._train_step.compilations + self._evaluate.compilations

    def finished(self) -> str | None:
        """Returns the name of the limit that ends the run, None while there is none."""
        limits, done = self._training, len(self.history)
        if done >= limits.max_epochs:
            return "max_epochs"
        if limits.time_limit_s is not None and self._elapsed_s >= limits.time_limit_s:
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
        begin = time.monotonic()
        losses: list[jax.Array] = []
        for graph in self._batches():
            rate = learning_rate(self._training, self._share_done(begin, len(losses)))
            self._state, loss = self._train_step(self._state, graph, jnp.float32(rate))
            losses.append(loss)
            if self._out_of_time(begin, loss):
                break
        mean_loss = self._checked_mean(losses)
        averaged = self._state.averaged
        errors = summarise(self._evaluate(averaged, graph) for graph in self._validation)
        self._elapsed_s += time.monotonic() - begin
        row = {
            "epoch": float(len(self.history) + 1),
            "step": float(self._state.step),
            "seconds": self._elapsed_s,
            "learning_rate": rate,
            "loss": mean_loss,
            **errors,
        }
        self.history.append(row)
        if not self.best or row[self._metric] < self.best[self._metric]:
            self.best = row
            self._best_params = jax.tree.map(jnp.copy, averaged)
        return row

    def potential(self) -> Potential:
        """Returns the potential with the best averaged parameters so far."""
        return Potential(self._config, self._best_params, self._references)

    def save_if_due(self) -> None:
        """Writes a checkpoint if the last one is older than the interval."""
        if time.monotonic() - self._saved_at > self._training.checkpoint_interval_s:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint; nothing without a work directory."""
        if self._checkpoints is not None:
            arrays = {"state": self._state, "best": self._best_params}
            progress = {"elapsed_s": self._elapsed_s, "history": self.history, "best": self.best}
            self._checkpoints.save(int(self._state.step), arrays, progress)
            self._saved_at = time.monotonic()

    def close(self) -> None:
        """Releases the folder of the checkpoints."""
        if self._checkpoints is not None:
            self._checkpoints.close()

    def _compile(self) -> None:
        """Compiles for every capacity, before the clock of the training starts."""
        model, limits = build_model(self._config), self._training
        weights = LossWeights(limits.energy_weight, limits.forces_weight, limits.stress_weight)
        step = functools.partial(train_step, model, weights, limits.clip_norm, limits.ema_decay)
        self._train_step = Program(step, graph_argument=1, donate=[0])
        smallest = [int(np.argmin(self._graphs.n_edges))]
        for capacity in self._capacities:
            graph = batch(self._graphs, smallest, capacity)
            self._train_step.compiled(self._state, graph, jnp.float32(0.0))
        self._evaluate = Program(functools.partial(evaluation_step, model), graph_argument=1)
        for graph in self._validation:
            self._evaluate.compiled(self._state.averaged, graph)

    def _take_up(self, folder: Path, sizes: dict[str, Any]) -> None:
        identity = {
            "model": self._config.to_json(),
            "training": self._training.to_json(),
            "data": sizes,
        }
        self._checkpoints = Checkpoints(folder, identity)
        restored = self._checkpoints.restore({"state": self._state, "best": self._best_params})
        if restored is not None:
            arrays, progress = restored
            self._state, self._best_params = TrainState(*arrays["state"]), arrays["best"]
            self._elapsed_s = progress["elapsed_s"]
            self.history, self.best = progress["history"], progress["best"]

    def _build(self, dataset: Dataset) -> GraphDataset:
        config = self._config
        return GraphDataset.build(dataset, config.cutoff, config.atomic_numbers, self._references)

    def _batches(self) -> Iterator[jraph.GraphsTuple]:
        """Yields the training set in an order that seed and epoch decide."""
        rng = np.random.default_rng([self._training.seed, len(self.history)])
        order = rng.permutation(len(self._graphs))
        size = self._training.batch_size
        for start in range(0, len(order), size):
            yield batch(self._graphs, order[start : start + size], self._capacities)

    def _share_done(self, begin: float, steps: int) -> float:
        per_epoch = math.ceil(len(self._graphs) / self._training.batch_size)
        done = len(self.history) * per_epoch + steps + 1
        elapsed = self._elapsed_s + time.monotonic() - begin
        total = self._training.max_epochs * per_epoch
        return progress(done, total, elapsed, self._training.time_limit_s)

    def _out_of_time(self, begin: float, loss: jax.Array) -> bool:
        if self._training.time_limit_s is None:
            return False
        loss.block_until_ready()  # dispatch runs ahead of the device; the clock must not
        return self._elapsed_s + time.monotonic() - begin >= self._training.time_limit_s

    def _checked_mean(self, losses: list[jax.Array]) -> float:
        mean = float(np.mean(jax.device_get(losses)))
        if not math.isfinite(mean):
            raise TrainingDivergedError(
                f"the loss became {mean} in epoch {len(self.history) + 1}; "
                f"lower the learning rate (it is {self._training.learning_rate:g})"
            )
        return mean
