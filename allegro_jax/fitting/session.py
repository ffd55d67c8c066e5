"""One training watched, tested and written down."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from allegro_jax.committee import Committee
from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Splits
from allegro_jax.files import write_json
from allegro_jax.monitoring.bar import duration
from allegro_jax.monitoring.callbacks import Callback
from allegro_jax.monitoring.quantities import text
from allegro_jax.potential import Potential
from allegro_jax.training import Footprint, TrainingConfig, TrainingResult, check_fits, train
from allegro_jax.training.elements import check_elements
from allegro_jax.training.evaluation import evaluate
from allegro_jax.training.run_card import environment


@dataclasses.dataclass(frozen=True)
class FitResult:
    """A trained and tested potential.

    Attributes:
        potential: With the parameters of the lowest validation error.
        test: Test errors, as `allegro_jax.evaluate` names them (eV, Å).
        training: The course of the training.
        splits: Structures that were trained, validated and tested on.
        workdir: Where everything was written; None for nowhere.
    """

    potential: Potential | Committee
    test: dict[str, float]
    training: TrainingResult
    splits: Splits
    workdir: Path | None

    @property
    def valid(self) -> dict[str, float]:
        """Validation errors of the potential, as a row of `training.history`."""
        return self.training.best

    def summary(self) -> str:
        """Says in a few lines what was reached, and how to use it."""
        run, sets = self.training, self.splits
        lines = [
            f"test   {text(self.test)} ({len(sets.test):,} structures)",
            f"valid  {text(self.valid)} ({len(sets.valid):,} structures)",
            f"{len(run.history):,} epochs over {len(sets.train):,} structures in "
            f"{duration(run.history[-1]['seconds'])}, stopped by {run.stopped_by}; "
            f"{run.compilations} programs compiled in {run.compile_s:.1f} s; "
            f"{100 * run.padding_waste:.0f} % of the edges are padding",
        ]
        if self.workdir is not None:
            lines += [f"the potential is in {self.workdir / 'potential'}; with ASE:", ""]
            lines += [f"    {line}" for line in loading_code(self.workdir, self.potential)]
        return "\n".join(lines)


def loading_code(workdir: Path, potential: Potential | Committee) -> tuple[str, ...]:
    """Returns the lines of Python that put what was trained into ASE."""
    kind = type(potential).__name__
    return (
        f"from allegro_jax import {kind}",
        f"potential = {kind}.load({str(workdir / 'potential')!r})",
        "atoms.calc = potential.calculator()",
    )


def train_and_test(
    model: ModelConfig,
    training: TrainingConfig,
    splits: Splits,
    workdir: Path | None = None,
    callback: Callback | None = None,
    about: Mapping[str, Any] | None = None,
    should_stop: Callable[[], bool] | None = None,
    init: Potential | Committee | None = None,
) -> FitResult:
    """Trains, tests, and writes `result.json` and pictures beside the potential.

    Args:
        model: Model.
        training: Settings of the training.
        splits: Structures.
        workdir: Folder of the run, continued where a run was interrupted; None to write nothing.
        callback: Is told how the training goes; closed at the end.
        about: JSON values that `result.json` begins with.
        should_stop: See `allegro_jax.train`.
        init: What is tuned further, see `allegro_jax.train`.

    Raises:
        ValueError: If the device has too little memory, or the data or the work directory do not
            fit.
        FloatingPointError: If the training diverges.
        TrainingStoppedError: If `should_stop` said so.
    """
    known = () if init is None else init.config.type_names
    check_elements(model, splits.train, {"test": splits.test}, known)
    callback = callback or Callback()
    footprints: list[Footprint] = []

    def begin(footprint: Footprint) -> None:
        check_fits(footprint)
        footprints.append(footprint)
        callback.on_start(footprint)

    with contextlib.closing(callback):
        result = train(
            model,
            training,
            splits.train,
            splits.valid,
            workdir=workdir,
            init=init,
            on_start=begin,
            on_epoch=callback.on_epoch,
            on_progress=callback.on_progress,
            should_stop=should_stop,
        )
    test = evaluate(result.potential, splits.test)
    fitted = FitResult(result.potential, test, result, splits, workdir)
    if workdir is not None and jax.process_index() == 0:
        _write_result(workdir, fitted, footprints, about or {})
    return fitted


def _write_result(
    workdir: Path, fitted: FitResult, footprints: list[Footprint], about: Mapping[str, Any]
) -> None:
    from allegro_jax.monitoring.pictures import save_learning_curves, save_parity  # matplotlib

    result, sets = fitted.training, fitted.splits
    path = workdir / "result.json"
    values = {
        **about,
        "test": fitted.test,
        "valid": result.best,
        "stopped_by": result.stopped_by,
        "structures": {
            "train": len(sets.train), "valid": len(sets.valid), "test": len(sets.test)
        },
        "compile_s": result.compile_s,
        "compilations": result.compilations,
        "padding_waste": result.padding_waste,
        "footprint": dataclasses.asdict(footprints[0]) if footprints else _footprint_of(path),
        "history": result.history,
        "environment": environment(),
    }  # fmt: skip
    write_json(path, values)
    save_learning_curves(workdir / "learning_curves.png", result.history, result.best, fitted.test)
    save_parity(workdir / "parity.png", result.potential, sets.test)


def _footprint_of(path: Path) -> dict[str, Any] | None:
    """What an earlier result says: a run that has nothing left to do compiles nothing."""
    try:
        return json.loads(path.read_text())["footprint"]
    except (OSError, ValueError, KeyError):
        return None
