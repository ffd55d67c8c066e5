"""Searches accuracy against speed for Allegro, Allegro+MLP and Allegro+QDI.

    python -m experiments.search --config=experiments/configs/demo.py --workdir=runs/demo

Run it again to continue; run it in several terminals (or, with --config.storage=URL and a work
directory that all see, on several machines) to share the work. The work directory receives the
study's database, a folder per trial, and at the end the fronts as picture, table and page.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from experiments import runtime

# The small linear systems of the surrogates lose more to waiting threads than they gain.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_CONFIG = config_flags.DEFINE_config_file("config", None, "Settings of the search.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the search; made when missing.")
flags.mark_flags_as_required(["config", "workdir"])


def main(_: list[str]) -> None:
    """Runs the search that the flags describe."""
    from experiments.search_loop import search  # `--help` answers at once

    runtime.set_up()
    try:
        search(_CONFIG.value, Path(_WORKDIR.value))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command continues")


if __name__ == "__main__":
    app.run(main)
