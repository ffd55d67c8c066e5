"""Takes a state through passes over the training set."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator
from typing import NamedTuple

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


class Call(NamedTuple):
    """What one call of the device made.

    Attributes:
        state: After its steps.
        losses: Of its steps.
    """

    state: TrainState
    losses: list[float]


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

    def compiled(self, state: TrainState) -> jax.stages.Compiled:
        """Returns the program, compiled but not called."""
        with contextlib.closing(self.windows.epoch(self._training.seed, 0, 0)) as windows:
            _, window = next(windows)
            controls = step_controls(self._training, [0.0], 1.0, 0, self.windows.window_steps)
            return self.program.compiled(state, window, controls, np.int32(0), np.int32(0))

    def calls(self, state: TrainState, epoch: int, first: int, pace: Pace) -> Generator[Call]:
        """Passes over the training set, or until the time is over, one call of the device a time.

        Args:
            state: Before the next step; its memory is taken.
            epoch: Epochs done before.
            first: Steps of this epoch that are done; without any, at least one is made.
            pace: Clock of the run.

        Yields:
            The state after every call, and the losses of its steps.
        """
        per_epoch = self.windows.steps_per_epoch
        if first >= per_epoch:
            return
        position, begin = first, first - first % self.windows.window_steps
        with contextlib.closing(self.windows.epoch(self._training.seed, epoch, first)) as windows:
            for steps, window in windows:
                while position < begin + steps and not (position and pace.over):
                    start = position - begin
                    stop = start + pace.steps(steps - start)
                    done = epoch * per_epoch + position
                    state, losses = self._call(state, window, start, stop, done, pace)
                    position += len(losses)
                    yield Call(state, losses)
                begin += steps

    def _call(
        self, state: TrainState, window: Window, start: int, stop: int, done: int, pace: Pace
    ) -> tuple[TrainState, list[float]]:
        controls = self._controls(done, start, stop, pace)
        state, values = self.program(state, window, controls, np.int32(start), np.int32(stop))
        losses = np.asarray(jax.device_get(values))[start:stop].tolist()
        pace.read(stop - start)
        return state, losses

    def _controls(self, done: int, start: int, stop: int, pace: Pace) -> Controls:
        """Controls of the next steps of a window, each at the time when it will begin."""
        limits = self._training
        total = limits.max_epochs * self.windows.steps_per_epoch
        shares = []
        for k in range(stop - start):
            seconds = pace.elapsed_s + k * pace.step_s
            shares.append(progress(done + k + 1, total, seconds, limits.time_limit_s))
        controls = step_controls(limits, shares, self.factor, start, self.windows.window_steps)
        self.rate = learning_rate(limits, shares[-1], self.factor)
        return controls
