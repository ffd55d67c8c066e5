"""Timing and memory of one process, with the standard library alone.

Our runner and the scripts of the peers, each in its own environment, measure by this module.
"""

import gc
import json
import resource
import statistics
import sys
import time
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_MEMORY = Path("/proc/meminfo")
MIN_REPEATS, MAX_REPEATS = 5, 2000


def cpu_s():
    """CPU seconds of this process and of the children that ended, such as a C++ compiler."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Timer:
    """Wall and CPU seconds of a `with` block, children included."""

    def __enter__(self):
        """Starts."""
        self._begin = time.perf_counter(), cpu_s()
        return self

    def __exit__(self, *_):
        """Stops; `wall_s` and `cpu_s` are set."""
        self.wall_s = time.perf_counter() - self._begin[0]
        self.cpu_s = cpu_s() - self._begin[1]


def repeated(call, seconds):
    """Calls `call`, which must wait for its result, for about `seconds`.

    Returns:
        Minimum, median and spread (half the distance of the quartiles) of the process CPU time
        and of the wall time of a call, ms, and the number of calls.
    """
    call()
    gc.collect()
    wall, cpu = [], []
    end = time.perf_counter() + seconds
    while len(wall) < MIN_REPEATS or (time.perf_counter() < end and len(wall) < MAX_REPEATS):
        begin = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - begin[0])
        cpu.append(time.process_time() - begin[1])
    return {"cpu_ms": _summary(cpu), "wall_ms": _summary(wall), "repeats": len(wall)}


def _summary(seconds):
    low, median, high = statistics.quantiles(seconds, n=4)
    values = {"min": min(seconds), "median": median, "spread": (high - low) / 2}
    return {name: 1e3 * value for name, value in values.items()}


def peak_rss_mb():
    """Largest memory that the process held so far, or since `forget_peak`, MB."""
    # Not from getrusage, which also counts the parent of which the process was forked.
    if _STATUS.exists():
        (line,) = [x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak():
    """Lets `peak_rss_mb` start anew, on Linux; False elsewhere."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def available_mb():
    """Memory that programs can still get, MB; infinite where the system does not tell."""
    if not _MEMORY.exists():
        return float("inf")
    (line,) = [x for x in _MEMORY.read_text().splitlines() if x.startswith("MemAvailable")]
    return int(line.split()[1]) / 1024


def request():
    """The task of a peer script: the JSON file that its first argument names."""
    return json.loads(Path(sys.argv[1]).read_text())


def answer(**line):
    """Prints the result of a peer script as the last line of its output."""
    print(json.dumps(line), flush=True)


def measurement(prepare, seconds):
    """Compiles, makes a first call, repeats it, and watches the memory.

    Args:
        prepare: Compiles and returns a function without arguments that waits for its result.
        seconds: How long to repeat it.
    """
    with Timer() as compilation:
        call = prepare()
    before = peak_rss_mb()
    forgotten = forget_peak()
    with Timer() as first:
        call()
    times = repeated(call, seconds)
    peak = peak_rss_mb()
    return {
        "compile_cpu_s": compilation.cpu_s,
        "compile_wall_s": compilation.wall_s,
        "first_call_s": compilation.wall_s + first.wall_s,
        **times,
        "peak_rss_mb": max(before, peak),
        "peak_rss_running_mb": peak if forgotten else None,
    }
