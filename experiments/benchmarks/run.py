"""Measures every case, ours and the peers' one after the other, and yields JSON lines."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.benchmarks import peer_runs, processes
from experiments.benchmarks.cases import SYSTEMS, Case
from experiments.benchmarks.circuits import CircuitCase
from experiments.benchmarks.table import OURS

ROOT = Path(__file__).parents[2]
Line = dict[str, Any]


class Settings(NamedTuple):
    """How a run measures.

    Attributes:
        seconds: How long each program is repeated.
        core: The core that every process is pinned to; negative for all.
        platform: Of JAX: "cpu", "gpu", "tpu".
        warn: Told why something was left out.
        simulators: Of circuits; "auto" is the one that a model takes, and counts as ours.
    """

    seconds: float
    core: int
    platform: str
    warn: Callable[[str], None]
    simulators: tuple[str, ...] = ("auto", "qnode")


def measurements(
    cases: Sequence[Case | CircuitCase], peers: Sequence[str], settings: Settings
) -> Iterator[Line]:
    """Yields a line for every case of ours, each followed by those of the peers that can do it.

    What fails or is missing is told to `settings.warn`, and the run goes on.
    """
    missing = set()
    for peer in peers:
        try:
            peer_runs.interpreter(peer)
        except peer_runs.MissingPeerError as error:
            settings.warn(str(error))
            missing.add(peer)
    present = [peer for peer in peers if peer not in missing]
    common = {"run": dt.datetime.now().isoformat(timespec="seconds"), "commit": _commit()}
    for case in cases:
        for name, measure in _implementations(case, present, settings):
            try:
                result = measure()
            except processes.MeasurementError as error:
                settings.warn(f"{case.name}, {name}: {error}")
                continue
            yield {**common, **_description(case, name), "load_average": _load(), **result}


def machine_rates(dtype: str, settings: Settings) -> Line:
    """Measures what one core, or the device, can do in this type."""
    request = {"dtype": dtype, "seconds": settings.seconds}
    return _own("machine", request, settings)


def default_platform() -> str:
    """The platform that JAX takes when it is not told, found in another process."""
    code = "import jax; print(jax.default_backend())"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()[-1]


def _implementations(
    case: Case | CircuitCase, peers: Sequence[str], settings: Settings
) -> Iterator[tuple[str, Callable[[], Line]]]:
    if isinstance(case, CircuitCase):
        for simulator in settings.simulators:
            request = {**case.as_dict(), "simulator": simulator, "seconds": settings.seconds}
            name = OURS if simulator == "auto" else simulator
            yield name, lambda request=request: _own("circuits", request, settings)
        return
    request = {"case": case.as_dict(), "seconds": settings.seconds}
    yield OURS, lambda: _own("worker", request, settings)
    arguments = settings.seconds, settings.core, settings.platform
    for peer in peers:
        if peer_runs.can_measure(peer, case):
            yield peer, lambda peer=peer: peer_runs.measure(peer, case, *arguments)


def _own(module: str, request: Line, settings: Settings) -> Line:
    command = [sys.executable, "-m", f"experiments.benchmarks.{module}"]
    platform = {"JAX_PLATFORMS": "cpu"} if settings.platform == "cpu" else {}
    return processes.run(command, request, settings.core, ROOT, platform)


def _description(case: Case | CircuitCase, implementation: str) -> Line:
    line: Line = {"name": case.name, "implementation": implementation}
    if isinstance(case, CircuitCase):
        return {**line, "case": case.as_dict(), "dtype": "float32"}
    system = SYSTEMS[case.system]
    sizes = {"atoms": system.atoms * system.batch, "graphs": system.batch}
    return {**line, "case": case.as_dict(), "dtype": case.dtype, **sizes}


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _commit() -> str:
    """The commit that is measured, with a mark if the tree differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"
