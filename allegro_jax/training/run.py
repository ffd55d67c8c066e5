"""One training run: its state, and what it does between two calls of the device."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from allegro_jax.committee import Committee
from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.digests import data_digest
from allegro_jax.dispersion import bare_labels
from allegro_jax.graphs import GraphDataset, GraphStore, graphs_for
from allegro_jax.potential import Potential
from allegro_jax.sharding.data import DataParallel, any_process, local_copy
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.elements import check_elements, warn_of_unlearned
from allegro_jax.training.fine_tuning import dispersion_to_leave_out, starting_point
from allegro_jax.training.footprint import Footprint, footprint
from allegro_jax.training.history import History, Row, reason_to_stop
from allegro_jax.training.members import improved, joined, trained, with_improved
from allegro_jax.training.pace import Pace
from allegro_jax.training.progress import Progress
from allegro_jax.training.run_folder import RunFolder
from allegro_jax.training.schedule import plateau_factor
from allegro_jax.training.step import TrainState, initial_state
from allegro_jax.training.trainer import Trainer
from allegro_jax.training.validation import Validation, deciding_metric, named_sets


class TrainingDivergedError(FloatingPointError):
    """The loss of a training run is no longer finite."""


class TrainingStoppedError(Exception):
    """A training run stopped because it was asked to, with its checkpoint written."""


class Run:
    """A training run between two calls of the device.

    Args:
        config: Model.
        training: Settings.
        train_set: Structures to learn from.
        valid_set: Structures that decide which parameters are kept; of several sets, the first.
        workdir: Folder of the run; an interrupted run there is taken up. None for none.
        init: What is tuned further; None to begin anew.

    Attributes:
        history: What was done so far.
    """

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        train_set: Dataset | GraphStore,
        valid_set: Dataset | GraphStore | Mapping[str, Dataset | GraphStore],
        workdir: Path | str | None,
        init: Potential | Committee | None = None,
    ) -> None:
        self._config, self._training = config, training
        valid_sets = named_sets(valid_set)
        deciding = next(iter(valid_sets.values()))
        self.history = History(deciding_metric(training.metric, train_set, deciding))
        known = () if init is None else init.config.type_names
        check_elements(config, train_set, valid_sets, known)
        warn_of_unlearned(config, train_set, known)
        data = {} if workdir is None else _identities({"train": train_set, **valid_sets})
        self._dispersion = dispersion_to_leave_out(training, init)
        if self._dispersion is not None:
            data["dispersion"] = self._dispersion.to_json()
        train_set = bare_labels(train_set, self._dispersion)
        valid_sets = {name: bare_labels(own, self._dispersion) for name, own in valid_sets.items()}
        start = starting_point(config, training, train_set, init)
        self._references = start.atomic_energies
        self._devices = DataParallel.over(training.batch_size, training.devices)
        self._structures = len(train_set)
        self._trainer = Trainer(config, training, self._build(train_set), self._devices)
        graphs = {name: self._build(data) for name, data in valid_sets.items()}
        self._validation = Validation(config, graphs, training.members)
        state = joined([initial_state(params, training) for params in start.params])
        self._state = self._devices.replicate(state)
        self._best_params = jax.tree.map(jnp.copy, self._state.averaged)
        if start.digest is not None:
            data["init"] = start.digest
        others = {"model": config.to_json(), "data": data}
        self._folder = RunFolder(workdir, training, others, self._devices.size)
        elapsed_s = self._take_up()
        self._pace = Pace(training.time_limit_s, lambda: self.compile_s, elapsed_s)

    @property
    def compile_s(self) -> float:
        """Seconds that compilation took."""
        return self._trainer.program.compile_s + self._validation.program.compile_s

    @property
    def compilations(self) -> int:
        """Programs compiled."""
        return self._trainer.program.compilations + self._validation.program.compilations

    @property
    def padding_waste(self) -> float:
        """Expected share of padding among the edges of the training batches."""
        return self._trainer.windows.waste

    def footprint(self) -> Footprint:
        """Compiles the training program and returns what the run takes."""
        compiled = self._trainer.compiled(self._state)
        compilation = self.compilations, self.compile_s
        windows, batch_size = self._trainer.windows, self._training.batch_size
        return footprint(compiled, windows, batch_size, self._state.params, *compilation)

    def finished(self) -> str | None:
        """Returns the name of the limit that ends the run, None while there is none.

        An epoch that was cut off by an interruption is ended first.
        """
        if self.history.losses:
            return None
        return reason_to_stop(self._training, self.history.errors, self._pace.over)

    def epoch(self) -> Generator[Progress]:
        """Makes what is left of the epoch in work, or of the time, and tells after every call.

        What happens between the calls does not count as training time.

        Raises:
            TrainingDivergedError: If the loss is no longer finite.
        """
        history = self.history
        epoch, first = len(history.rows), len(history.losses)
        self._pace.start()
        self._trainer.factor = plateau_factor(self._training, history.errors)
        for call in self._trainer.calls(self._state, epoch, first, self._pace):
            self._state = call.state
            self._check_finite(call.losses)
            self._folder.add_losses(self._steps - len(call.losses) + 1, call.losses)
            history.losses += call.losses
            history.rate = self._trainer.rate
            yield self._progress(call.losses)
            self._pace.start()

    def validate(self) -> Row:
        """Ends the epoch in work with a validation; returns the new row of the history."""
        self._pace.start()
        errors = self._validation.errors(local_copy(self._state.averaged))
        self._pace.read()
        history, members = self.history, self._training.members
        row = history.end_epoch(self._steps, self._pace.elapsed_s, errors)
        better = improved(history.rows, history.metric, members)
        self._best_params = with_improved(self._best_params, self._state.averaged, better)
        return row

    def keep(self, stop: bool) -> None:
        """Writes a checkpoint if one is due, or if the run is to stop.

        Raises:
            TrainingStoppedError: If any process is to `stop`.
            OSError: If it stops and the checkpoint cannot be written.
        """
        if any_process(stop):
            self.save()
            raise TrainingStoppedError(
                f"stopped as asked, in epoch {len(self.history.rows) + 1} after "
                f"{self._steps} steps; {self._folder.kept}"
            )
        if self._folder.due:
            self._folder.try_to_save(*self._checkpoint())

    def save(self) -> None:
        """Writes a checkpoint; nothing without a work directory.

        Raises:
            OSError: If it cannot be written.
        """
        self._folder.save(*self._checkpoint())

    def potential(self) -> Potential | Committee:
        """Returns the potential, or committee, with the best averaged parameters so far.

        Raises:
            TrainingDivergedError: If no epoch had a finite validation error.
        """
        metric = self.history.metric
        if not math.isfinite(self.history.best[metric]):
            raise TrainingDivergedError(
                f"{metric} of the validation set was finite after no epoch, so no parameters are "
                f"kept; lower the learning rate (it is {self._training.learning_rate:g})"
            )
        params = local_copy(self._best_params)
        settings = self._references, self._training.members, self._dispersion
        return trained(self._config, params, *settings)

    def close(self) -> None:
        """Releases the work directory."""
        self._folder.close()

    @property
    def _steps(self) -> int:
        return int(self._state.step)

    def _checkpoint(self) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """Moment, arrays and JSON values; a validation is a moment of its own."""
        arrays = {"state": self._state, "best": self._best_params}
        clock = {"step": self._steps, "elapsed_s": self._pace.elapsed_s}
        return self._steps + len(self.history.rows), arrays, {**clock, **self.history.to_json()}

    def _take_up(self) -> float:
        """Takes up an interrupted run; returns the seconds it has done."""
        restored = self._folder.restore({"state": self._state, "best": self._best_params})
        if restored is None:
            return 0.0
        arrays, values = restored
        self._state, self._best_params = TrainState(*arrays["state"]), arrays["best"]
        self.history.restore(values)
        return float(values["elapsed_s"])

    def _build(self, structures: Dataset | GraphStore) -> GraphDataset:
        return graphs_for(structures, self._config, self._references)

    def _progress(self, losses: Sequence[float]) -> Progress:
        size = self._training.batch_size * self._training.accumulate
        per_epoch = self._trainer.windows.steps_per_epoch
        done = len(self.history.losses)
        structures = min(done * size, self._structures) - (done - len(losses)) * size
        return Progress(
            epoch=len(self.history.rows) + 1,
            max_epochs=self._training.max_epochs,
            step=done,
            steps_per_epoch=per_epoch,
            loss=float(np.mean(losses)),
            learning_rate=self.history.rate,
            structures_per_s=structures / max(self._pace.step_s * len(losses), 1e-9),
            elapsed_s=self._pace.elapsed_s,
            remaining_s=self._pace.remaining_s(self._steps, self._training.max_epochs * per_epoch),
        )

    def _check_finite(self, losses: Sequence[float]) -> None:
        mean = float(np.mean(losses))
        if not math.isfinite(mean):
            raise TrainingDivergedError(
                f"the loss became {mean} in epoch {len(self.history.rows) + 1}; "
                f"lower the learning rate (it is {self._training.learning_rate:g})"
            )


def _identities(sets: Mapping[str, Dataset | GraphStore]) -> dict[str, Any]:
    return {
        name: {"structures": len(data), "sha256": data_digest(data)} for name, data in sets.items()
    }
