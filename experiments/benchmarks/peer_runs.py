"""The peers: what each can measure, and how it is run in its own environment.

Every peer gets the structures and edges of the case in a file of arrays, reads them with numpy,
and is measured by the same stopwatch as we are.
"""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.benchmarks import processes
from experiments.benchmarks.cases import SIZES, SYSTEMS, Case
from experiments.benchmarks.structures import graphs_of, write_arrays

SCRIPTS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(__file__).parents[2] / ".venv-peers"


class Peer(NamedTuple):
    """How a peer is measured.

    Attributes:
        environment: Folder of its environment below `.venv-peers`.
        script: File in `experiments/benchmarks/peers`.
        mode: Told to the script.
        tasks: Tasks that it can do.
        dtypes: Types that its script knows.
        packages: Whose versions are reported.
    """

    environment: str
    script: str
    mode: str
    tasks: tuple[str, ...]
    dtypes: tuple[str, ...]
    packages: tuple[str, ...]


_TORCH = ("torch", "nequip", "nequip-allegro")
_BOTH = ("inference", "training")
PEERS: Mapping[str, Peer] = {
    "nequip": Peer("nequip", "run_nequip.py", "eager", _BOTH, ("float32", "float64"), _TORCH),
    "nequip-aot": Peer(
        "nequip", "run_nequip.py", "aot", ("inference",), ("float32", "float64"), _TORCH
    ),
    "nequip-compile": Peer(
        "nequip", "run_nequip.py", "compile", ("training",), ("float32", "float64"), _TORCH
    ),
    "mlip-nequip": Peer("mlip", "run_mlip.py", "", _BOTH, ("float32",), ("mlip", "jax")),
    "fennol-allegro": Peer("fennol", "run_fennol.py", "", _BOTH, ("float32",), ("FeNNol", "jax")),
    "allegro-jax": Peer(
        "allegro-jax",
        "run_allegro_jax.py",
        "",
        _BOTH,
        ("float32",),
        ("allegro-jax", "e3nn-jax", "jax"),
    ),
}


class MissingPeerError(RuntimeError):
    """The environment of a peer is not there."""


def interpreter(peer: str) -> Path:
    """Returns the Python of a peer.

    Raises:
        MissingPeerError: Its environment does not exist; the message names the command.
    """
    environment = PEERS[peer].environment
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        raise MissingPeerError(
            f"{peer} is skipped: there is no {python}; make it by\n"
            f"    python -m experiments.benchmarks.peers.environments {environment}"
        )
    return python


def can_measure(peer: str, case: Case) -> bool:
    """Whether the peer knows the task, type and readout of a case."""
    known = PEERS[peer]
    return case.task in known.tasks and case.dtype in known.dtypes and case.readout == "mlp"


def measure(peer: str, case: Case, seconds: float, core: int, platform: str) -> dict[str, Any]:
    """Measures a case in the environment of a peer, pinned as ours.

    Raises:
        MissingPeerError: Its environment does not exist.
        processes.MeasurementError: The script failed.
    """
    python, known, system = interpreter(peer), PEERS[peer], SYSTEMS[case.system]
    with tempfile.TemporaryDirectory() as scratch:
        graphs = graphs_of(system)
        write_arrays(graphs, system, Path(scratch) / "structures.npz")
        request = {
            **case.as_dict(),
            **system._asdict(),
            "size": SIZES[case.size]._asdict(),
            "numbers": list(graphs.species),
            "mode": known.mode,
            "arrays": str(Path(scratch) / "structures.npz"),
            "seconds": seconds,
            "threads": 1 if core >= 0 else 0,
            "platform": platform,
        }
        # Not in our folder, where our package would hide an older one of the same name.
        command = [str(python), str(SCRIPTS / known.script)]
        variables = _variables(platform, scratch)
        result = processes.run(command, request, core, Path(scratch), variables)
    edges = int(graphs.n_edges[: system.batch].sum())
    return {
        "padded_edges": edges,
        **result,
        "edges": edges,
        "platform": platform,
        "versions": versions(python, known.packages),
    }


def _variables(platform: str, scratch: str) -> dict[str, str]:
    """A cache of torch that is empty unless the user names one, and the platform of JAX."""
    cache = {"TORCHINDUCTOR_CACHE_DIR": os.environ.get("TORCHINDUCTOR_CACHE_DIR", scratch)}
    return {**cache, "JAX_PLATFORMS": "cpu"} if platform == "cpu" else cache


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Returns the versions installed in the environment of an interpreter."""
    (folder,) = python.parents[1].glob("lib/python*/site-packages")
    found = importlib.metadata.distributions(path=[str(folder)])
    installed = {item.name.lower().replace("_", "-"): item.version for item in found}
    return {name: installed.get(name.lower(), "?") for name in packages}
