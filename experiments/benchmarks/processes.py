"""One measurement, one process: pinned to one core, its last line of output a JSON object."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_TRACEBACK_LINES = 12
_ALWAYS = {
    # So that the memory of a device and the times of compilation are those of the case.
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "JAX_ENABLE_COMPILATION_CACHE": "false",
}
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# A started program inherits the core. Should the memory run out, it is the one to go.
_PINNED = """
import os, sys
core = int(sys.argv[1])
if core >= 0 and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {core})
if os.path.exists("/proc/self/oom_score_adj"):
    open("/proc/self/oom_score_adj", "w").write("1000")
os.execv(sys.argv[2], sys.argv[2:])
"""


class MeasurementError(RuntimeError):
    """A process that measures failed; the message holds the end of what it wrote."""


def default_core() -> int:
    """The last core that this process may use; -1 where cores cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return -1
    return max(os.sched_getaffinity(0))


def run(
    command: Sequence[str],
    request: Mapping[str, Any],
    core: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Runs `command REQUEST.json` and returns the JSON object of its last line.

    Args:
        command: A Python interpreter and its arguments.
        request: What the process is asked to do.
        core: The core it is pinned to, before it imports anything; negative for all cores.
        folder: Working directory.
        environment: Variables to set besides those of one thread.

    Raises:
        MeasurementError: The process failed, or its last line is no JSON object.
    """
    threads = _ONE_THREAD if core >= 0 else {}
    variables = {**os.environ, **_ALWAYS, **threads, **(environment or {})}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "request.json"
        file.write_text(json.dumps(request))
        pinned = [sys.executable, "-c", _PINNED, str(core), *command, str(file)]
        done = subprocess.run(
            pinned, env=variables, cwd=folder, capture_output=True, text=True, check=False
        )
    try:
        if done.returncode == 0:
            return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        pass
    raise MeasurementError(_explained(Path(command[-1]).name, done))


def _explained(name: str, done: subprocess.CompletedProcess[str]) -> str:
    """What a failed process has to say: the end of a traceback, mostly."""
    if done.returncode == -signal.SIGKILL:
        return f"{name} was killed, as the system does with what fills the memory"
    words = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
    if words[-1].startswith("MemoryError: "):
        return words[-1].removeprefix("MemoryError: ")
    tail = "\n    ".join(words[-_TRACEBACK_LINES:])
    return f"{name} ended with {done.returncode}:\n    {tail}"
