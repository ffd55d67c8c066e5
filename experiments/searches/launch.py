"""Several workers of one search on this machine: started, watched, stopped together."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MEMORY = "XLA_PYTHON_CLIENT_MEM_FRACTION"
"""Variable of JAX: the share of a GPU's memory that a process takes."""

_POLL_S = 0.2
_SHARE_OF_GPU = 0.9  # for all workers of one device together


@dataclasses.dataclass(frozen=True)
class Place:
    """What a worker may use.

    Attributes:
        cores: Numbers of its processor cores.
        environment: Variables that pin it to a device; empty where there is none.
    """

    cores: tuple[int, ...]
    environment: Mapping[str, str]


def places(workers: int, cores: Sequence[int], devices: Sequence[str]) -> list[Place]:
    """Shares out a machine: cores in blocks, devices in turn.

    Args:
        workers: How many.
        cores: Processor cores.
        devices: Names for CUDA_VISIBLE_DEVICES.

    Example:
        >>> [place.cores for place in places(2, range(5), [])]
        [(0, 1, 2), (3, 4)]
        >>> places(3, [0], ["0", "1"])[2].environment["CUDA_VISIBLE_DEVICES"]
        '0'
    """
    result = []
    for k in range(workers):
        first, last = (math.ceil(i * len(cores) / workers) for i in (k, k + 1))
        own = tuple(cores[first:last]) or (cores[k % len(cores)],)
        environment = {}
        if devices:
            environment["CUDA_VISIBLE_DEVICES"] = devices[k % len(devices)]
            on_one = math.ceil(workers / len(devices))
            if on_one > 1 and MEMORY not in os.environ:
                environment[MEMORY] = f"{_SHARE_OF_GPU / on_one:.2f}"
        result.append(Place(own, environment))
    return result


def own_cores() -> list[int]:
    """Returns the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def own_devices() -> list[str]:
    """Returns the NVIDIA GPUs that this process may use, without starting JAX on one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    if os.environ.get("JAX_PLATFORMS") == "cpu" or shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(k) for k, _ in enumerate(listed.stdout.splitlines())]


def pin(cores: str) -> None:
    """Keeps this process on some cores; to be called before JAX starts its threads.

    Args:
        cores: Their numbers with commas between; "" for all.

    Raises:
        ValueError: If there are no such cores.
    """
    if not cores or not hasattr(os, "sched_setaffinity"):
        return
    try:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    except (ValueError, OSError) as error:
        raise ValueError(
            f"--cores must be numbers of cores such as 0,1 out of {own_cores()}, got {cores!r}"
        ) from error


def launch(
    command: Sequence[str], workers: int, workdir: Path, stopped: Callable[[], bool]
) -> list[int]:
    """Runs workers until all have ended, and passes on what they print.

    The first one starts alone until it has claimed the work directory, so that a wrong setting is
    reported once.

    Args:
        command: Of one worker; flags for its place are added.
        workers: How many.
        workdir: Folder of the search.
        stopped: Asked all the time; True asks the workers to stop.

    Returns:
        Exit status of every worker that was started.
    """
    processes: list[subprocess.Popen[str]] = []
    readers: list[threading.Thread] = []
    told = False
    waiting = list(enumerate(places(workers, own_cores(), own_devices())))
    try:
        while waiting or any(process.poll() is None for process in processes):
            ready = not processes or (workdir / "search.json").exists()
            failed = bool(processes) and processes[0].poll() not in (None, 0)
            if waiting and stopped():
                waiting = []
            elif waiting and ready:
                processes.append(_start(command, *waiting.pop(0), readers))
            elif waiting and failed:
                waiting = []  # it has said why
            if stopped() and not told:
                told = True
                for process in processes:
                    process.terminate()
            time.sleep(_POLL_S)
    finally:
        for process in processes:
            process.kill()  # only on the way out by an error or a second Ctrl-C
        for reader in readers:
            reader.join()
    return [process.wait() for process in processes]


def _start(
    command: Sequence[str], number: int, place: Place, readers: list[threading.Thread]
) -> subprocess.Popen[str]:
    flags = [f"--cores={','.join(map(str, place.cores))}", f"--launcher={os.getpid()}"]
    process = subprocess.Popen(
        [*command, *flags],
        env={**os.environ, **place.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C comes to the launcher alone, which asks all to stop
    )
    readers.append(threading.Thread(target=_pass_on, args=(process, number)))
    readers[-1].start()
    return process


def _pass_on(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(f"[{number}] {line}")
        sys.stdout.flush()
