"""Parts of a training by `nequip-train` that its own package does not have: clock and l2 loss.

Named by the config that `experiments/side_by_side/nequip_config.py` writes; runs in the environment
of nequip, with this folder on PYTHONPATH.
"""

# ruff: noqa: ARG002  # the hooks of Lightning have these arguments

import json
import math
import time
from pathlib import Path

import lightning
import torch
from nequip.data.stats import _MeanX
from torch._dynamo.callback import callback_handler


class VectorLength(_MeanX):
    """Mean length of the errors of vectors: forces of atoms, or energies in a column."""

    def __init__(self, **kwargs):
        super().__init__(modifier=torch.nn.Identity(), **kwargs)

    def update(self, preds, target):
        """Adds a batch."""
        super().update(torch.linalg.vector_norm(preds - target, dim=-1))

    def __str__(self):
        return "length"


class Stopwatch:
    """Seconds that it ran, less those that torch compiled in the meantime.

    Attributes:
        compiled_s: The latter.
    """

    def __init__(self):
        self._seconds, self._since, self._compiling = 0.0, None, None
        self.compiled_s = 0.0
        callback_handler.register_start_callback(self._compile_start)
        callback_handler.register_end_callback(self._compile_end)

    def start(self):
        """Goes on; without effect on a running one."""
        if self._since is None:
            self._since = time.monotonic()

    def stop(self):
        """Pauses."""
        self._seconds, self._since = self.seconds, None

    @property
    def seconds(self):
        """Seconds so far."""
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self._seconds + running

    def _compile_start(self, _):
        if self._since is not None:
            self.stop()
            self._compiling = time.monotonic()

    def _compile_end(self, _):
        if self._compiling is not None:
            self.compiled_s += time.monotonic() - self._compiling
            self._compiling = None
            self.start()


class TimedTraining(lightning.Callback):
    """Ends a training after a time without compilation, sets its learning rate, keeps its curve.

    The clock starts after the first step, which traces and compiles the model, and stands while
    torch compiles again and from the end of a validation to the next epoch, when checkpoints are
    written. The learning rate goes with the share of the time that is over: linearly up to the
    peak, then down a half cosine.

    Args:
        limit_s: Seconds of steps and validations.
        folder: Receives `epochs.jsonl` (a row per validation), `run.json` and `test.json`.
        warmup: Share of the time in which the rate rises.
        final_learning_rate: Where the cosine ends, as a share of the peak.
    """

    def __init__(self, limit_s, folder, warmup, final_learning_rate):
        self._limit_s, self._warmup, self._final = limit_s, warmup, final_learning_rate
        self._folder = Path(folder)
        self._clock = Stopwatch()

    def on_train_start(self, trainer, pl_module):
        """Notes the peak rates, and when compilation begins."""
        self._begin, self._structures, self._first_step_s = time.monotonic(), 0, 0.0
        self._peaks = [group["lr"] for group in trainer.optimizers[0].param_groups]
        (self._folder / "epochs.jsonl").write_text("")

    def on_train_epoch_start(self, trainer, pl_module):
        """Goes on after the pause that a validation began."""
        if trainer.global_step:
            self._clock.start()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Sets the learning rate."""
        self._factor = self._schedule(min(self._clock.seconds / self._limit_s, 1.0))
        for group, peak in zip(trainer.optimizers[0].param_groups, self._peaks, strict=True):
            group["lr"] = self._factor * peak

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Counts, starts the clock after the first step, and ends the training."""
        self._structures += len(batch["num_atoms"])
        if trainer.global_step == 1:
            self._first_step_s = time.monotonic() - self._begin
            self._clock.start()
        trainer.should_stop = trainer.should_stop or self._clock.seconds >= self._limit_s

    def on_validation_end(self, trainer, pl_module):
        """Adds a row to the curve."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self._clock.stop()
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "structures": self._structures,
            "seconds": self._clock.seconds,
            "learning_rate": self._factor * self._peaks[0],
            **_metrics(trainer, "val0_epoch/"),
        }
        with (self._folder / "epochs.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def on_train_end(self, trainer, pl_module):
        """Writes what the whole run was."""
        run = {
            "parameters": sum(weights.numel() for weights in pl_module.model.parameters()),
            "compile_s": self._first_step_s + self._clock.compiled_s,
            "wall_s": time.monotonic() - self._begin,
            "threads": torch.get_num_threads(),
            "versions": {"torch": torch.__version__, "lightning": lightning.__version__},
        }
        (self._folder / "run.json").write_text(json.dumps(run))

    def on_test_end(self, trainer, pl_module):
        """Writes their test errors."""
        (self._folder / "test.json").write_text(json.dumps(_metrics(trainer, "test0_epoch/")))

    def _schedule(self, share):
        if share < self._warmup:
            return share / self._warmup
        share = (share - self._warmup) / (1 - self._warmup)
        return self._final + (1 - self._final) * 0.5 * (1 + math.cos(math.pi * share))


def _metrics(trainer, prefix):
    values = trainer.callback_metrics.items()
    return {k.removeprefix(prefix): float(v) for k, v in values if k.startswith(prefix)}
