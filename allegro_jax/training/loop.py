"""Training from a data set to a potential: the loop and what it returns."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import jax

from allegro_jax.committee import Committee
from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphStore
from allegro_jax.models.energy import precision_scope
from allegro_jax.potential import Potential
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.footprint import Footprint
from allegro_jax.training.history import Row
from allegro_jax.training.progress import Progress
from allegro_jax.training.run import Run
from allegro_jax.training.workdir import claimed


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a run leaves.

    Attributes:
        potential: The potential with the best averaged parameters. With two or more members an
            `allegro_jax.Committee`, in which each has those of its own lowest validation error.
        best: The row of `history` with the lowest validation error, that of `potential`. The
            errors of a committee in it are those of the mean of its members after that epoch, and
            with "/member_0" and so on at the end of their names those of the members.
        history: One row per epoch: epoch, step, seconds, learning_rate, loss, validation errors
            (those of further validation sets as `<name>/<error>`).
        compile_s: Seconds that compilation took.
        compilations: Programs compiled.
        padding_waste: Expected share of padding among the edges of the training batches.
        stopped_by: "max_epochs", "time_limit", "patience" or "target_error".
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
    train_set: Dataset | GraphStore,
    valid_set: Dataset | GraphStore | Mapping[str, Dataset | GraphStore],
    *,
    workdir: Path | str | None = None,
    init: Potential | Committee | None = None,
    on_start: Callable[[Footprint], None] | None = None,
    on_epoch: Callable[[Row], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Trains a potential, or a committee of potentials if `training.members` is two or more.

    With a `workdir` the run writes checkpoints there, continues from the newest one when it is
    started again, and leaves the potential in `workdir/potential`, the loss of every step in
    `losses.csv`, and in `run.json` what the run was made of. However it was interrupted, its curve
    is that of a run that was not, to the last bit on the same device (`docs/training.md`). Where
    several devices take part (see `TrainingConfig.devices`), also those of processes joined by
    `jax.distributed`, they share every batch, and all processes return the same result.

    Args:
        config: Model; see `config_from_data`.
        training: Settings of the run.
        train_set: Structures to learn from.
        valid_set: Structures that decide which parameters are kept; or several sets by name, of
            which the first decides.
        workdir: Folder of checkpoints and result; None keeps everything in memory.
        init: A potential, or a committee of as many members, to begin with; `config` must be its
            own but for new elements, as `fine_tuning_config` makes it. None to begin anew.
        on_start: Called once, before the first step, with what the run takes; what it raises ends
            the run. Not called where a finished run has nothing left to do.
        on_epoch: Called with every row of the history as it is made.
        on_progress: Called after every call of the compiled program, about once a second.
        should_stop: Asked at the same times; True ends the run after a checkpoint, as a signal
            handler of a program may wish.

    Raises:
        ValueError: If a set has a species that `config` lacks, `init` does not fit `config`, or
            `workdir` cannot be used: it belongs to a run with other settings or data, another
            process trains in it, it cannot be written, or none of its checkpoints can be read.
        OSError: If the last checkpoint cannot be written. Earlier ones that fail are warned of.
        TrainingDivergedError: If the loss is no longer finite, or no validation error ever was.
        TrainingStoppedError: If `should_stop` said so.

    Example:
        >>> from allegro_jax import TrainingConfig, config_from_data, load, official_split, train
        >>> parts = official_split(load("rmd17-benzene"), valid=50, seed=0)
        >>> config = config_from_data(parts.train, cutoff=4.0, num_layers=1)
        >>> result = train(config, TrainingConfig(max_epochs=1), parts.train, parts.valid)
        >>> result.best["forces_mae"] < 0.5  # eV/Å
        True
    """
    on_epoch, on_progress = on_epoch or _ignore, on_progress or _ignore
    should_stop = should_stop or _no
    with (
        claimed(workdir),
        precision_scope(config.precision),
        contextlib.closing(Run(config, training, train_set, valid_set, workdir, init)) as run,
    ):
        if on_start is not None and run.finished() is None:
            on_start(run.footprint())
        while (reason := run.finished()) is None:
            for progress in run.epoch():
                on_progress(progress)
                run.keep(should_stop())
            on_epoch(run.validate())
            run.keep(should_stop())
        run.save()
        potential = run.potential()
        if workdir is not None and jax.process_index() == 0:
            potential.save(Path(workdir) / "potential")
    return TrainingResult(
        potential=potential,
        best=run.history.best,
        history=run.history.rows,
        compile_s=run.compile_s,
        compilations=run.compilations,
        padding_waste=run.padding_waste,
        stopped_by=reason,
    )


def _ignore(_: object) -> None:
    """Stands for a callback that is not given."""


def _no() -> bool:
    return False
