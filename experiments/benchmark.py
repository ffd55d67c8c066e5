"""How fast we are, how fast the peers are, and how far both are from the machine.

    python -m experiments.benchmark                                 # ours: S, M, L on small systems
    python -m experiments.benchmark --peers=all --output=runs/benchmark.jsonl
    python -m experiments.benchmark --sizes=M --systems=molecule-5 --tasks=training --analysis
    python -m experiments.benchmark --circuits=4,6,8 --sizes=
    python -m experiments.benchmark --circuits=6,8 --circuit_depths=4 --simulators=layers --sizes=

Every measurement is a process of its own on one core, and one JSON line; a table follows. See
docs/performance.md for what the columns mean and how the peers' environments are made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

_SIZES = flags.DEFINE_list("sizes", ["S", "M", "L"], "Sizes of the model: S, M, L.")
_SYSTEMS = flags.DEFINE_list(
    "systems",
    ["molecule-1", "molecule-5", "molecule-32", "copper-500"],
    "molecule-1, molecule-5, molecule-32, copper-32, copper-500, copper-4000, copper-32000.",
)
_TASKS = flags.DEFINE_list("tasks", ["inference", "training"], "inference, training.")
_READOUTS = flags.DEFINE_list(
    "readouts", ["mlp"], "mlp, qdi (4 qubits, depth 3), or such as qdi-10x4."
)
_DTYPES = flags.DEFINE_list("dtypes", ["float32"], "float32, float64.")
_CIRCUITS = flags.DEFINE_list("circuits", [], "Qubits of circuits to compare with PennyLane's.")
_DEPTHS = flags.DEFINE_list("circuit_depths", ["2"], "Entangling layers per block of circuits.")
_SIMULATORS = flags.DEFINE_list(
    "simulators", ["auto", "qnode"], "Of circuits: auto, unitaries, layers, qnode."
)
_PEERS = flags.DEFINE_list(
    "peers",
    [],
    "Programs to compare with: nequip, nequip-aot, nequip-compile, mlip-nequip, fennol-allegro, "
    "allegro-jax, or all.",
)
_SECONDS = flags.DEFINE_float("seconds", 5.0, "How long each program is repeated.", 0.0)
_CORE = flags.DEFINE_integer("core", None, "Core to pin to; -1 for all. By default the last one.")
_PLATFORM = flags.DEFINE_enum("platform", None, ["cpu", "gpu", "tpu"], "By default what JAX takes.")
_ANALYSIS = flags.DEFINE_bool("analysis", False, "Compare ours with the rates of the machine.")
_OUTPUT = flags.DEFINE_string("output", None, "File that the JSON lines are appended to.")
_MARKDOWN = flags.DEFINE_string("markdown", None, "File that the tables are written to.")
_READ = flags.DEFINE_string("read", None, "Make tables of the lines of this file, measure nothing.")


def chosen_peers(names: Sequence[str]) -> list[str]:
    """Returns the peers of a flag.

    Raises:
        ValueError: An unknown peer.
    """
    from experiments.benchmarks.cases import check_names
    from experiments.benchmarks.peer_runs import PEERS

    if list(names) == ["all"]:
        return list(PEERS)
    check_names("peer", names, [*PEERS, "all"])
    return list(names)


def measure() -> list[dict]:
    """Measures what the flags ask for; prints and keeps every line as it comes.

    Raises:
        ValueError: A flag names something unknown.
    """
    from experiments.benchmarks import cases, circuits, processes, run

    chosen = cases.all_cases(
        _SIZES.value, _SYSTEMS.value, _TASKS.value, _READOUTS.value, _DTYPES.value
    )
    cases.check_names("simulator", _SIMULATORS.value, circuits.SIMULATORS)
    chosen += [
        circuits.CircuitCase(int(qubits), int(depth))
        for depth in _DEPTHS.value
        for qubits in _CIRCUITS.value
    ]
    peers = chosen_peers(_PEERS.value)
    core = processes.default_core() if _CORE.value is None else _CORE.value
    platform = _PLATFORM.value or run.default_platform()
    settings = run.Settings(_SECONDS.value, core, platform, _warn, tuple(_SIMULATORS.value))
    lines = []
    for line in run.measurements(chosen, peers, settings):
        lines.append(line)
        _write(line)
    if _ANALYSIS.value:
        for dtype in _DTYPES.value:
            lines.append({"machine": run.machine_rates(dtype, settings)})
            _write(lines[-1])
    return lines


def tables(lines: Sequence[dict], style: str) -> str:
    """Returns all tables of some lines, in the style "text" or "markdown"."""
    from experiments.benchmarks import analysis, table

    layout = {"text": table.text, "markdown": table.markdown}[style]
    measured = [line for line in lines if "machine" not in line]
    rates = [line["machine"] for line in lines if "machine" in line]
    parts = [layout(table.HEADER, table.rows(measured))] if measured else []
    if rates:
        parts += [analysis.describe(rate) for rate in rates]
        parts += [layout(analysis.HEADER, analysis.rows(measured, rates))]
    return "\n\n".join(parts)


def _write(line: dict) -> None:
    words = json.dumps(line)
    print(words, flush=True)
    if _OUTPUT.value:
        path = Path(_OUTPUT.value)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(words + "\n")


def _warn(message: str) -> None:
    print(f"note: {message}", file=sys.stderr, flush=True)


def main(_: list[str]) -> None:
    """Measures, or reads, and prints the tables."""
    try:
        if _READ.value:
            lines = [json.loads(line) for line in Path(_READ.value).read_text().splitlines()]
        else:
            lines = measure()
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    print("\n" + tables(lines, "text"))
    if _MARKDOWN.value:
        Path(_MARKDOWN.value).write_text(tables(lines, "markdown") + "\n")


if __name__ == "__main__":
    app.run(main)
