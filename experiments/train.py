"""Trains one potential.

    python -m experiments.train --config=experiments/configs/train.py:rmd17-aspirin --workdir=DIR

Run it again to continue from the newest checkpoint; SIGTERM, SIGUSR1 and Ctrl-C make it write one
and end. The potential is left in `DIR/potential`:
`allegro_jax.Potential.load("DIR/potential")`. All devices share the work if the batch size is a
multiple of their number; `--distributed` joins the devices of several processes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from experiments import interruption, processes, runtime

_CONFIG = config_flags.DEFINE_config_file("config", None, "Settings of the training.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; made when missing.")
flags.mark_flags_as_required(["config", "workdir"])


def main(_: list[str]) -> None:
    """Runs the training that the flags describe."""
    from allegro_jax.training import TrainingStoppedError  # quick `--help`
    from experiments.training_run import train_and_evaluate

    runtime.set_up()
    try:
        speaks = processes.join()
        with interruption.Interruption() as signals:
            train_and_evaluate(
                _CONFIG.value, Path(_WORKDIR.value), quiet=not speaks, should_stop=signals.requested
            )
    except TrainingStoppedError as stopped:
        print(f"{stopped}; the same command continues", file=sys.stderr)
        sys.exit(signals.exit_status)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # the second Ctrl-C
        sys.exit("stopped; the same command continues from the newest checkpoint")


if __name__ == "__main__":
    app.run(main)
