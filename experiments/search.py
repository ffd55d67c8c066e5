"""Searches accuracy against speed for Allegro, Allegro+MLP and Allegro+QDI.

    python -m experiments.search --config=experiments/configs/demo.py --workdir=runs/demo

Run it again to continue; run it with --workers=N, in several terminals, or (with
--config.storage=URL and a work directory that all see) on several machines to share the work. The
work directory receives the study's database, a folder per trial, and at the end the fronts as
picture, table and page. SIGTERM and Ctrl-C end a worker in order: its trial is queued again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from allegro_jax.interruption import Interruption
from experiments import runtime

# The small linear systems of the surrogates lose more to waiting threads than they gain.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_CONFIG = config_flags.DEFINE_config_file("config", None, "Settings of the search.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the search; made when missing.")
_WORKERS = flags.DEFINE_integer("workers", 1, "Processes on this machine.", lower_bound=1)
_CORES = flags.DEFINE_string("cores", "", "Processor cores of this process, such as 0,1; all.")
_WAIT = flags.DEFINE_bool(
    "wait", True, "When no trial is left to begin, wait for those of others and write the report."
)
_REPORT = flags.DEFINE_bool("report", True, "Write the report at the end.")
_LAUNCHER = flags.DEFINE_integer("launcher", None, "Process to end with; set by --workers.")
flags.mark_flags_as_required(["config", "workdir"])


def main(_: list[str]) -> None:
    """Runs the search that the flags describe."""
    with Interruption() as interruption:
        try:
            if _WORKERS.value > 1:
                launch_workers(interruption)
            else:
                work(interruption)
        except (ValueError, OSError) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("stopped; the same command continues")


def work(interruption: Interruption) -> None:
    """Works on the search in this process."""
    from experiments.searches.launch import pin  # `--help` answers at once

    pin(_CORES.value)
    from experiments.search_loop import search  # starts JAX, which counts the cores
    from experiments.searches.worker import SearchStoppedError

    runtime.set_up()
    launcher = _LAUNCHER.value

    def should_stop() -> bool:
        return interruption.requested() or (launcher is not None and os.getppid() != launcher)

    try:
        search(
            _CONFIG.value,
            Path(_WORKDIR.value),
            should_stop=should_stop,
            wait=_WAIT.value,
            report=_REPORT.value,
        )
    except SearchStoppedError as stopped:
        print(f"{stopped}; the same command continues", file=sys.stderr)
        sys.exit(interruption.exit_status)


def launch_workers(interruption: Interruption) -> None:
    """Starts workers, waits for them, and writes the report in a process with all cores."""
    from experiments.searches import launch

    workdir = Path(_WORKDIR.value)
    command = [sys.executable, "-m", "experiments.search", *sys.argv[1:]]
    one = [*command, "--workers=1", "--noreport"]
    statuses = launch.launch(one, _WORKERS.value, workdir, interruption.requested)
    if interruption.requested():
        print("stopped as asked; the same command continues", file=sys.stderr)
        sys.exit(interruption.exit_status)
    lost = [k for k, status in enumerate(statuses) if status]
    if len(lost) == len(statuses):
        sys.exit(f"error: no worker is left, they ended with {statuses}; see above")
    if lost:
        print(f"workers {lost} were lost; the others did their trials", file=sys.stderr)
    if _REPORT.value:
        last = launch.launch([*command, "--workers=1"], 1, workdir, interruption.requested)
        sys.exit(interruption.exit_status or last[0])


if __name__ == "__main__":
    app.run(main)
