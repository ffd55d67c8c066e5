"""Takes a state through passes over the training set."""

from __future__ import annotations

import contextlib
import functools

import jax
import numpy as np
from jax.sharding import PartitionSpec

from allegro_jax.configs import ModelConfig
from allegro_jax.graphs import GraphDataset
from allegro_jax.models.build import build_model
from allegro_jax.programs import Program
from allegro_jax.sharding.data import DataParallel
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.loss import LossWeights
from allegro_jax.training.members import step_of_members
from allegro_jax.training.pace import Pace
from allegro_jax.training.schedule import learning_rate, progress
from allegro_jax.training.step import TrainState, train_step
from allegro_jax.training.steps import train_steps
from allegro_jax.training.windows import TrainingWindows, Window


class Trainer:
    """The optimiser steps of a run.

    Args:
        config: Model.
        training: Settings.
        graphs: Training set.
        devices: Who shares the batches.

    Attributes:
        program: Many steps, compiled.
        windows: The training set on the devices.
        rate: Learning rate of the last step.
    """

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        graphs: GraphDataset,
        devices: DataParallel,
    ) -> None:
        self._training = training
        self.windows = TrainingWindows(graphs, training.batch_size, devices, training.resident_gb)
        self.rate = 0.0
        weights = LossWeights(
            training.energy_weight, training.forces_weight, training.stress_weight
        )
        step = functools.partial(
            train_step,
            build_model(config),
            weights,
            training.clip_norm,
            training.ema_decay,
            axis=devices.axis,
            freeze=training.freeze,
        )
        of_members = step_of_members(step, training.members)
        many = functools.partial(train_steps, of_members, self.windows.capacities)
        everywhere = PartitionSpec()
        specs = (everywhere, self.windows.specs, everywhere, everywhere, everywhere)
        steps = devices.on_every_device(many, specs, (everywhere, everywhere))
        self.program = Program(steps, graph_argument=1, donate=[0])

    def epoch(self, state: TrainState, number: int, pace: Pace) -> tuple[TrainState, list[float]]:
        """Makes a pass over the training set, or until the time is over.

        Args:
            state: Before the pass; its memory is taken.
            number: Epochs done before.
            pace: Clock of the run.

        Returns:
            The state after the pass, and the loss of every step.
        """
        losses: list[float] = []
        with contextlib.closing(self.windows.epoch(self._training.seed, number)) as windows:
            for steps, window in windows:
                done = number * self.windows.steps_per_epoch + len(losses)
                state, more = self._window(state, window, steps, done, pace)
                losses += more
                if pace.over:
                    break
        return state, losses

    def _window(
        self, state: TrainState, window: Window, steps: int, done: int, pace: Pace
    ) -> tuple[TrainState, list[float]]:
        losses: list[float] = []
        while len(losses) < steps and not (losses and pace.over):
            start = len(losses)
            stop = start + pace.steps(steps - start)
            rates = np.zeros(self.windows.window_steps, np.float32)
            rates[start:stop] = self._rates(done + start, stop - start, pace)
            bounds = np.int32(start), np.int32(stop)
            state, values = self.program(state, window, rates, *bounds)
            losses += np.asarray(jax.device_get(values))[start:stop].tolist()
            pace.read(stop - start)
        return state, losses

    def _rates(self, done: int, steps: int, pace: Pace) -> list[float]:
        """Learning rates of the next steps, each at the time when it will begin."""
        limits = self._training
        total = limits.max_epochs * self.windows.steps_per_epoch
        rates = []
        for k in range(steps):
            seconds = pace.elapsed_s + k * pace.step_s
            share = progress(done + k + 1, total, seconds, limits.time_limit_s)
            rates.append(learning_rate(limits, share))
        self.rate = rates[-1]
        return rates
