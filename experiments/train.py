"""Trains one potential, on a named data set or on your own file.

    python -m experiments.train --dataset=rmd17-aspirin --preset=small --workdir=DIR
    python -m experiments.train --dataset=my.extxyz --preset=small --minutes=60 --workdir=DIR
    python -m experiments.train --dataset=my.extxyz --init=OTHER/potential --workdir=DIR
    python -m experiments.train --config=experiments/configs/train.py:rmd17-aspirin --workdir=DIR

Run it again to continue from the newest checkpoint; SIGTERM, SIGUSR1 and Ctrl-C make it write one
and end. The potential is left in `DIR/potential`: `allegro_jax.Potential.load("DIR/potential")`;
beside it are logs, `result.json`, `learning_curves.png` and `parity.png`. Presets: tiny, small,
medium, large, paper (docs/fitting.md). All devices share the work if the batch size is a multiple
of their number; `--distributed` joins the devices of several processes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from absl import app, flags
from ml_collections import config_flags

from allegro_jax import interruption
from experiments import processes, runtime

_CONFIG = config_flags.DEFINE_config_file("config", None, "Settings, in place of a preset.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; made when missing.")
_DATASET = flags.DEFINE_string(
    "dataset", None, "Registered name, or a file: extxyz, ASE database, npz, ... (eV, Å)."
)
_PATH = flags.DEFINE_string("path", None, "Folder of full data files of a registered set.")
_PRESET = flags.DEFINE_string("preset", "small", "tiny, small, medium, large or paper.")
_MINUTES = flags.DEFINE_float("minutes", None, "Minutes of training, in place of the preset's.")
_TRAIN = flags.DEFINE_integer("train", None, "Number of training structures.")
_VALID = flags.DEFINE_string("valid", None, "Validation structures: their number, or a file.")
_TEST = flags.DEFINE_string("test", None, "Test structures: their number, or a file.")
_INIT = flags.DEFINE_string(
    "init", None, "Folder of a potential to tune further; of the preset the training counts."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the split, the initial parameters, the order.")
_ENERGY_KEY = flags.DEFINE_string("energy_key", None, "Where the file has energies.")
_FORCES_KEY = flags.DEFINE_string("forces_key", None, "Where the file has forces.")
_SET = flags.DEFINE_multi_string(
    "set", [], "Another setting than the preset's, such as --set=num_layers=3; any number of them."
)
_TENSORBOARD = flags.DEFINE_bool(
    "tensorboard", None, "Write logs for TensorBoard; by default if tensorboardX is installed."
)
_WANDB = flags.DEFINE_string("wandb_project", None, "Project of Weights & Biases to log to.")
flags.mark_flag_as_required("workdir")
flags.mark_flags_as_mutual_exclusive(["config", "dataset"], required=True)
flags.mark_flags_as_mutual_exclusive(["config", "init"])


def main(_: list[str]) -> None:
    """Runs the training that the flags describe."""
    from allegro_jax.training import TrainingStoppedError  # quick `--help`
    from experiments.training_run import fit_and_say, train_and_evaluate

    runtime.set_up()
    try:
        speaks = processes.join()
        with interruption.Interruption() as signals:
            options = {"quiet": not speaks, "should_stop": signals.requested, **_logs()}
            if _CONFIG.value is not None:
                train_and_evaluate(_CONFIG.value, Path(_WORKDIR.value), **options)
            else:
                fit_and_say(**_arguments(), **options)
    except TrainingStoppedError as stopped:
        print(f"{stopped}; the same command continues", file=sys.stderr)
        sys.exit(signals.exit_status)
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # the second Ctrl-C
        sys.exit("stopped; the same command continues from the newest checkpoint")


def _logs() -> dict[str, Any]:
    return {"tensorboard": _TENSORBOARD.value, "wandb_project": _WANDB.value}


def _arguments() -> dict[str, Any]:
    return {
        "dataset": _DATASET.value,
        "path": _PATH.value,
        "preset": _PRESET.value,
        "workdir": _WORKDIR.value,
        "minutes": _MINUTES.value,
        "train": _TRAIN.value,
        "valid": _VALID.value,
        "test": _TEST.value,
        "init": _INIT.value,
        "seed": _SEED.value,
        "energy_key": _ENERGY_KEY.value,
        "forces_key": _FORCES_KEY.value,
        "settings": _SET.value,
    }


if __name__ == "__main__":
    app.run(main)
