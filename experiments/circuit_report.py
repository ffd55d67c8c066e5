"""What a quantum circuit can represent and how it trains, as a page with pictures.

python -m experiments.circuit_report --workdir=DIR                       # the paper's circuit
python -m experiments.circuit_report --workdir=DIR --n_qubits=3 --features=6 --depth=2
python -m experiments.circuit_report --workdir=DIR --module=my_circuits --circuit=my-circuit
python -m experiments.circuit_report --workdir=DIR --potential=RUN/potential --dataset=rmd17-aspirin

`--module` is imported first, and registers circuits of your own (`allegro_jax.register_circuit`).
Writes `report.html`, `report.json` with all numbers, and the pictures as PNG files. About 100 CPU
seconds for the paper's circuit (4 qubits, 4 features, depth 1). With a potential, also the circuit
at its trained weights on real edges, the losses by shots and noise on a few structures (about a
CPU minute for 3 of aspirin), and `circuit.qasm`, the circuit of the first edge. A potential with
several circuits has a folder for each of them, named as the circuit is in the model.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import app, flags

from experiments import runtime

if TYPE_CHECKING:
    from experiments.circuit_reports.measurements import AnyCircuit

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder that the report is written to.")
_QUBITS = flags.DEFINE_integer("n_qubits", 4, "Qubits.")
_FEATURES = flags.DEFINE_integer("features", 4, "Features, a multiple of the qubits.")
_DEPTH = flags.DEFINE_integer("depth", 1, "Entangling layers per trainable block.")
_ENTANGLING = flags.DEFINE_string("entangling", "strong", "strong or basic.")
_ROTATION = flags.DEFINE_string("rotation", "Z", "Axis of the encoding: X, Y or Z.")
_MEASURE = flags.DEFINE_string("measure", "Y", "Pauli operator that is read: X, Y or Z.")
_RANGES = flags.DEFINE_list("ranges", [], "Distance of the CNOTs of every layer; as PennyLane's.")
_MODE = flags.DEFINE_string("measurement_mode", "none", "Qubits that are read: none, even, single.")
_CIRCUIT = flags.DEFINE_string("circuit", "", "A registered circuit, in place of these options.")
_MODULE = flags.DEFINE_string("module", "", "Python module to import, which registers circuits.")
_SAMPLES = flags.DEFINE_integer("samples", 64, "Random weight vectors.", lower_bound=2)
_SEED = flags.DEFINE_integer("seed", 0, "Of all random draws.", lower_bound=0)
_POTENTIAL = flags.DEFINE_string("potential", "", "Folder of a saved potential: its circuits.")
_DATASET = flags.DEFINE_string("dataset", "", "With a potential: registered name, or a file.")
_PATH = flags.DEFINE_string("path", "", "Folder of full data files.")
_FRAMES = flags.DEFINE_integer("frames", 3, "Structures of the data set.", lower_bound=1)
_SHOTS = flags.DEFINE_list("shots", ["100", "1000", "10000"], "Shots that are tried.")
_NOISE = flags.DEFINE_list(
    "noise", ["1e-4:1e-3", "1e-3:1e-2"], "Depolarising rates after one- and two-qubit gates."
)
flags.mark_flag_as_required("workdir")


def chosen_circuit() -> AnyCircuit:
    """Returns the circuit of the flags.

    Raises:
        ValueError: If there is no such circuit.
    """
    from allegro_jax.quantum import registered_circuit
    from allegro_jax.quantum.circuits import QDICircuit

    if _CIRCUIT.value:
        return registered_circuit(_CIRCUIT.value)
    try:
        ranges = tuple(int(r) for r in _RANGES.value) or None
    except ValueError as error:
        raise ValueError(f"expected integers such as --ranges=1,2 ({error})") from error
    return QDICircuit(
        _FEATURES.value,
        _QUBITS.value,
        _DEPTH.value,
        _ENTANGLING.value,
        _ROTATION.value,
        _MEASURE.value,
        ranges,
        _MODE.value,
    )


def _run() -> list[dict[str, Any]]:
    from experiments.circuit_reports import reports  # `--help` answers at once
    from experiments.circuit_reports.measurements import Effort

    if _MODULE.value:
        importlib.import_module(_MODULE.value)
    effort = dataclasses.replace(Effort(), samples=_SAMPLES.value, seed=_SEED.value)
    workdir = Path(_WORKDIR.value)
    if _POTENTIAL.value:
        if not _DATASET.value:
            raise ValueError("--potential needs --dataset, whose edges the circuit is tried on")
        settings = reports.hardware_settings(_SHOTS.value, _NOISE.value)
        data = (_DATASET.value, _PATH.value, _FRAMES.value)
        return reports.potential_report(_POTENTIAL.value, *data, settings, effort, workdir)
    return [reports.circuit_report(chosen_circuit(), effort, workdir)]


def main(_: list[str]) -> None:
    """Writes the report that the flags ask for."""
    runtime.set_up()
    try:
        written = _run()
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
    for numbers in written:
        brief = {"weights": numbers["weights"]["n"], "dead": numbers["weights"]["dead"]}
        brief |= {"rank": numbers["weights"]["rank"], "frequencies": numbers["frequencies"]}
        print(json.dumps(brief | {"report": numbers["report"]}))


if __name__ == "__main__":
    app.run(main)
