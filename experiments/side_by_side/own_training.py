"""A training by this library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Splits
from allegro_jax.fitting import train_and_test
from allegro_jax.monitoring.selection import callbacks_for
from experiments.searches.records import environment
from experiments.side_by_side.contestants import Contestant
from experiments.side_by_side.result import Result

_KEPT = ("epoch", "step", "seconds", "learning_rate", "forces_mae", "energy_mae")


def train_ours(
    row: Contestant,
    model: ModelConfig,
    splits: Splits,
    folder: Path,
    request: dict[str, Any],
) -> Result:
    """Trains and tests; an interrupted training in `folder` is taken up.

    Raises:
        ValueError: If the data or the folder do not fit.
        FloatingPointError: If the training diverges.
    """
    callback = callbacks_for(folder, progress=True, tensorboard=False)
    about = {"row": row.name, **request}
    fitted = train_and_test(model, row.training, splits, folder, callback, about)
    run = fitted.training
    return Result(
        name=row.name,
        program=row.program,
        settings=row.settings,
        request=request,
        parameters=_parameters(fitted.potential.params),
        curve=[{key: line[key] for key in _KEPT} for line in run.history],
        compile_s=run.compile_s,
        test=fitted.test,
        own_test=None,
        environment=environment(),
    )


def _parameters(params: Any) -> int:
    import jax

    return sum(leaf.size for leaf in jax.tree.leaves(params))
