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
from allegro_jax.training.accumulation import accumulated_step
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.members import step_of_members
from allegro_jax.training.pace import Pace
from allegro_jax.training.schedule import (
    Controls,
    learning_rate,
    progress,
    step_controls,
)
from allegro_jax.training.step import TrainState, train_step
from allegro_jax.training.steps import on_rows, train_steps
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
        factor: What the schedule "plateau" has left of the peak, see `plateau_factor`.
    """

    def __init__(
        self,
        config: ModelConfig,
        training: TrainingConfig,
        graphs: GraphDataset,
        devices: DataParallel,
    ) -> None:
        self._training = training
        self.windows = TrainingWindows(
            graphs, training.batch_size, devices, training.resident_gb, training.accumulate
        )
        self.rate, self.factor = 0.0, 1.0
        model, capacities = build_model(config), self.windows.capacities
        if training.accumulate == 1:
            step = on_rows(
                functools.partial(train_step, model, training, axis=devices.axis), capacities
            )
        else:
            step = functools.partial(
                accumulated_step, model, training, capacities, axis=devices.axis
            )
        many = functools.partial(train_steps, step_of_members(step, training.members))
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
            controls = self._controls(done, start, stop, pace)
            bounds = np.int32(start), np.int32(stop)
            state, values = self.program(state, window, controls, *bounds)
            losses += np.asarray(jax.device_get(values))[start:stop].tolist()
            pace.read(stop - start)
        return state, losses

    def _controls(self, done: int, start: int, stop: int, pace: Pace) -> Controls:
        """Controls of the next steps of a window, each at the time when it will begin."""
        limits = self._training
        total = limits.max_epochs * self.windows.steps_per_epoch
        shares = []
        for k in range(stop - start):
            seconds = pace.elapsed_s + k * pace.step_s
            shares.append(progress(done + start + k + 1, total, seconds, limits.time_limit_s))
        controls = step_controls(limits, shares, self.factor, start, self.windows.window_steps)
        self.rate = learning_rate(limits, shares[-1], self.factor)
        return controls
