"""One training from a config to a tested potential."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ml_collections import ConfigDict
from tqdm import tqdm

from allegro_jax.training import TrainingResult, train
from allegro_jax.training.evaluation import evaluate
from experiments.data import load_splits
from experiments.models import model_config, training_config
from experiments.progress import UNITS
from experiments.records import environment, write_json
from experiments.trial import error_name


def train_and_evaluate(
    config: ConfigDict,
    workdir: Path,
    quiet: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> TrainingResult:
    """Trains, tests on the test set, and writes `result.json` beside the potential.

    Args:
        config: See `experiments/configs/train.py`.
        workdir: Folder of the run.
        quiet: Print and write nothing but what `train` does, as all but the first of several
            processes.
        should_stop: Asked about once a second; see `train`.

    Raises:
        ValueError: If a setting, the data or the work directory does not fit.
        FloatingPointError: If the training diverges.
        TrainingStoppedError: If `should_stop` said so.
    """
    splits = load_splits(config.data)
    model = model_config(config.variant, config.params, config.model, splits.train)
    training = training_config(config.params, config.training, config.seed)
    metric = error_name(splits)
    factor, unit = UNITS[metric]
    with tqdm(total=training.max_epochs, unit="epoch", dynamic_ncols=True, disable=quiet) as bar:

        def show(row: dict[str, float]) -> None:
            bar.update(int(row["epoch"]) - bar.n)
            bar.set_postfix_str(f"loss {row['loss']:.4g}, valid {factor * row[metric]:.2f} {unit}")

        result = train(
            model,
            training,
            splits.train,
            splits.valid,
            workdir=workdir,
            on_epoch=show,
            should_stop=should_stop,
        )
    if quiet:
        return result
    test = evaluate(result.potential, splits.test)
    write_json(
        workdir / "result.json",
        {
            "valid": result.best,
            "test": test,
            "stopped_by": result.stopped_by,
            "compile_s": result.compile_s,
            "compilations": result.compilations,
            "padding_waste": result.padding_waste,
            "history": result.history,
            "environment": environment(),
        },
    )
    print(
        f"valid {factor * result.best[metric]:.2f} {unit}, test {factor * test[metric]:.2f} {unit};"
        f" stopped by {result.stopped_by}; potential in {workdir / 'potential'}\n"
        f"{result.compilations} programs compiled in {result.compile_s:.1f} s; "
        f"{100 * result.padding_waste:.0f} % of the edges are padding"
    )
    return result
