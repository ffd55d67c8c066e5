"""Training from a data set to a potential: the loop and what it returns."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax

from allegro_jax.committee import Committee
from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.models.energy import precision_scope
from allegro_jax.potential import Potential
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.run import Run


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a run leaves.

    Attributes:
        potential: The potential with the best averaged parameters. With two or more members an
            `allegro_jax.Committee`, in which each has those of its own lowest validation error.
        best: The row of `history` with the lowest validation error, that of `potential`. The
            errors of a committee in it are those of the mean of its members after that epoch, and
            with "/member_0" and so on at the end of their names those of the members.
        history: One row per epoch: epoch, step, seconds, learning_rate, loss, validation errors.
        compile_s: Seconds that compilation took.
        compilations: Programs compiled.
        padding_waste: Expected share of padding among the edges of the training batches.
        stopped_by: "max_epochs", "time_limit" or "patience".
    """

    potential: Potential | Committee
    best: dict[str, float]
    history: list[dict[str, float]]
    compile_s: float
    compilations: int
    padding_waste: float
    stopped_by: str


def train(
    config: ModelConfig,
    training: TrainingConfig,
    train_set: Dataset,
    valid_set: Dataset,
    *,
    workdir: Path | str | None = None,
    init: Potential | Committee | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> TrainingResult:
    """Trains a potential, or a committee of potentials if `training.members` is two or more.

    With a `workdir` the run writes checkpoints there, continues from the newest one when it is
    started again, and leaves the potential in `workdir/potential`. Where several devices take part
    (see `TrainingConfig.devices`), also those of processes joined by `jax.distributed`, they share
    every batch, and all processes return the same result.

    Args:
        config: Model; see `config_from_data`.
        training: Settings of the run.
        train_set: Structures to learn from.
        valid_set: Structures that decide which parameters are kept.
        workdir: Folder of checkpoints and result; None keeps everything in memory.
        init: A potential, or a committee of as many members, to begin with; `config` must be its
            own but for new elements, as `fine_tuning_config` makes it. None to begin anew.
        on_epoch: Called with every row of the history as it is made.

    Raises:
        ValueError: If a set has a species that `config` lacks, `workdir` belongs to a run with
            other settings, or `init` does not fit `config`.
        TrainingDivergedError: If the loss is no longer finite.

    Example:
        >>> from allegro_jax import TrainingConfig, config_from_data, load, official_split, train
        >>> parts = official_split(load("rmd17-benzene"), valid=50, seed=0)
        >>> config = config_from_data(parts.train, cutoff=4.0, num_layers=1)
        >>> result = train(config, TrainingConfig(max_epochs=1), parts.train, parts.valid)
        >>> result.best["forces_mae"] < 0.5  # eV/Å
        True
    """
    with (
        precision_scope(config.precision),
        contextlib.closing(Run(config, training, train_set, valid_set, workdir, init)) as run,
    ):
        while (reason := run.finished()) is None:
            row = run.epoch()
            if on_epoch is not None:
                on_epoch(row)
            run.save_if_due()
        run.save()
    potential = run.potential()
    if workdir is not None and jax.process_index() == 0:
        potential.save(Path(workdir) / "potential")
    return TrainingResult(
        potential,
        run.best,
        run.history,
        run.compile_s,
        run.compilations,
        run.padding_waste,
        reason,
    )
