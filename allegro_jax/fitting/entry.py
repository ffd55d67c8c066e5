"""`allegro_jax.fit`: data in, tested potential out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allegro_jax.committee import Committee, load_potential
from allegro_jax.datasets import Dataset
from allegro_jax.fitting.inputs import as_dataset
from allegro_jax.fitting.session import FitResult, train_and_test
from allegro_jax.fitting.settings import configs
from allegro_jax.fitting.splitting import Part, default_splits
from allegro_jax.monitoring.selection import callbacks_for
from allegro_jax.potential import Potential
from allegro_jax.presets import Preset, preset

if TYPE_CHECKING:
    import ase

    from allegro_jax.graphs import GraphStore

    Data = Dataset | GraphStore | str | os.PathLike[str] | Sequence[ase.Atoms]


def fit(
    dataset: Data,
    preset: str | Preset = "small",
    workdir: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    *,
    train: int | None = None,
    valid: int | Data | None = None,
    test: int | Data | None = None,
    init: Potential | Committee | str | os.PathLike[str] | None = None,
    seed: int = 0,
    energy_key: str | None = None,
    forces_key: str | None = None,
    progress: bool = False,
    tensorboard: bool | None = None,
    wandb_project: str | None = None,
    should_stop: Callable[[], bool] | None = None,
    **overrides: Any,
) -> FitResult:
    """Trains a potential on data of any kind and tests it.

    With a `workdir` everything is written there: the potential, checkpoints from which the same
    call goes on when it was interrupted, logs (`logs/epochs.csv`, `logs/steps.csv`, TensorBoard),
    `result.json`, `learning_curves.png` and `parity.png`.

    Args:
        dataset: Registered name (`allegro_jax.datasets.names()`), file (extxyz, ASE database, npz
            and whatever else ASE reads), folder of a store (`allegro_jax.graphs.write_store`), list
            of labelled `ase.Atoms`, `Dataset`, or opened store; energies in eV, forces in eV/Å,
            stress in eV/Å³.
        preset: "tiny", "small", "medium", "large", "paper" or a `Preset`; see
            `allegro_jax.presets`.
        workdir: Folder of the run; None keeps everything in memory.
        minutes: Minutes of training, without compilation; None takes those of the preset.
        train: Number of training structures; None for all that are left.
        valid: Number of validation structures, or these structures themselves; see
            `allegro_jax.fitting.default_splits`.
        test: Likewise.
        init: Potential or committee to tune further, or the folder of one. Its model is taken, with
            new elements of the data added; of the preset only the training counts.
        seed: Of the split, of the initial parameters and of the order of the structures.
        energy_key: Where frames have their energy, if not under a usual name.
        forces_key: Where they have their forces.
        progress: Show a bar on standard error (without a terminal, a line every minute).
        tensorboard: Write event files to `workdir/logs/tensorboard`; None for where tensorboardX
            is installed.
        wandb_project: Log to this project of Weights & Biases.
        should_stop: See `allegro_jax.train`.
        **overrides: Fields of `TrainingConfig` (`batch_size=10`, `dispersion="PBE-D3(BJ)"`) or of
            the model's config (`num_layers=3`, `cutoff=6.0`, `architecture="2023"`,
            `pair_potential="zbl"`), which win over the preset.

    Raises:
        ValueError: If the preset or a setting is unknown, the data are too few or lack labels, the
            device has too little memory, or `workdir` belongs to another run.
        FileNotFoundError: If there is no such file.
        FloatingPointError: If the training diverges.

    Example:
        >>> import allegro_jax as aj
        >>> result = aj.fit("rmd17-benzene", "tiny", minutes=0.05)
        >>> sorted(result.test)[:2]
        ['energy_mae', 'energy_per_atom_mae']
    """
    chosen = _preset(preset)
    keys = {"energy_key": energy_key, "forces_key": forces_key}
    options = {name: key for name, key in keys.items() if key is not None}
    data = as_dataset(dataset, **options)
    parts = [_part(part, options) for part in (valid, test)]
    splits = default_splits(data, train, *parts, seed=seed)
    if isinstance(init, str | os.PathLike):
        init = load_potential(os.fspath(init))
    changes = {"seed": seed, **overrides}
    model, training = configs(chosen, splits.train, minutes, changes, init)
    folder = None if workdir is None else Path(workdir)
    settings = {"model": model.to_json(), "training": training.to_json()}
    about = {"preset": chosen.name, "dataset": data.name, **settings}
    callback = callbacks_for(folder, progress, tensorboard, wandb_project, about)
    return train_and_test(model, training, splits, folder, callback, about, should_stop, init)


def _preset(choice: str | Preset) -> Preset:
    return choice if isinstance(choice, Preset) else preset(choice)


def _part(part: int | Data | None, options: dict[str, str]) -> Part:
    return part if part is None or isinstance(part, int) else as_dataset(part, **options)
