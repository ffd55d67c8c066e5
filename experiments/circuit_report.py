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
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import app, flags

from experiments import runtime

if TYPE_CHECKING:
    from experiments.circuit_reports.measurements import AnyCircuit, Effort

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

MAX_ANGLES = 256
"""Real edges at which a trained circuit is examined."""


def circuit_report(circuit: AnyCircuit, effort: Effort, workdir: Path) -> dict[str, Any]:
    """Writes the report of a circuit.

    Returns:
        The numbers in `report.json`.
    """
    from experiments.circuit_reports import measurements, page

    result = measurements.measure(circuit, effort)
    return page.write(result, [], workdir)


def potential_report(
    potential: str,
    dataset: str,
    path: str,
    frames: int,
    settings: Sequence[tuple[int | None, float, float]],
    effort: Effort,
    workdir: Path,
) -> list[dict[str, Any]]:
    """Writes the report of every circuit of a saved potential.

    Args:
        potential: Folder of the potential.
        dataset: Registered name, or a file that ASE reads.
        path: Folder of full data files, or empty.
        frames: Structures that are evaluated, evenly spread over the set.
        settings: Shots, rate after one-qubit gates and rate after two-qubit gates to try.
        effort: How much is sampled.
        workdir: Folder that the report is written to, or one folder in it for each of several.

    Returns:
        The numbers of each circuit.

    Raises:
        ValueError: If the potential or the data cannot be used.
    """
    import numpy as np

    from allegro_jax.datasets import load
    from allegro_jax.potential import Potential
    from allegro_jax.quantum.diagnostics import of_circuit
    from allegro_jax.quantum.hardware import Hardware, to_openqasm
    from allegro_jax.quantum.hardware.potentials import (
        edge_angles,
        hardware_errors,
        trained_circuits,
    )
    from experiments.circuit_reports import measurements, page

    trained = Potential.load(potential)
    circuits = trained_circuits(trained)
    structures = load(dataset, path=path or None)
    chosen = np.linspace(0, len(structures) - 1, min(frames, len(structures))).astype(int)
    structures = structures.select(chosen)
    angles = edge_angles(trained, structures)
    errors = [hardware_errors(trained, structures, Hardware(*each)) for each in settings]
    reports = []
    for name, (circuit, weights) in circuits.items():
        n_angles = max(MAX_ANGLES, measurements.enough_inputs(circuit))
        some = np.random.default_rng(effort.seed).permutation(len(angles[name]))[:n_angles]
        result = measurements.measure(circuit, effort, (weights, angles[name][some]))
        folder = workdir if len(circuits) == 1 else workdir / name.replace("/", "-")
        reports.append(page.write(result, errors, folder, name))
        program = to_openqasm(of_circuit(circuit), angles[name][0], weights)
        (folder / "circuit.qasm").write_text(program)
    return reports


def hardware_settings(
    shots: Sequence[str], noise: Sequence[str]
) -> list[tuple[int | None, float, float]]:
    """Reads the flags: every number of shots without noise, every noise with and without shots.

    Raises:
        ValueError: If one of them is no number.
    """
    try:
        counts = [int(count) for count in shots]
        rates = [(float(one), float(two)) for one, two in (pair.split(":") for pair in noise)]
    except ValueError as error:
        raise ValueError(
            f"expected --shots=100,1000 and --noise=1e-4:1e-3, got {','.join(shots)} and "
            f"{','.join(noise)} ({error})"
        ) from error
    several: list[int | None] = [*counts, None]
    return [(count, 0.0, 0.0) for count in counts] + [
        (count, *rate) for rate in rates for count in several
    ]


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
    from experiments.circuit_reports.measurements import Effort  # `--help` answers at once

    if _MODULE.value:
        importlib.import_module(_MODULE.value)
    effort = dataclasses.replace(Effort(), samples=_SAMPLES.value, seed=_SEED.value)
    workdir = Path(_WORKDIR.value)
    if _POTENTIAL.value:
        if not _DATASET.value:
            raise ValueError("--potential needs --dataset, whose edges the circuit is tried on")
        settings = hardware_settings(_SHOTS.value, _NOISE.value)
        data = (_DATASET.value, _PATH.value, _FRAMES.value)
        return potential_report(_POTENTIAL.value, *data, settings, effort, workdir)
    return [circuit_report(chosen_circuit(), effort, workdir)]


def main(_: list[str]) -> None:
    """Writes the report that the flags ask for."""
    runtime.set_up()
    try:
        reports = _run()
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
    for numbers in reports:
        brief = {"weights": numbers["weights"]["n"], "dead": numbers["weights"]["dead"]}
        brief |= {"rank": numbers["weights"]["rank"], "frequencies": numbers["frequencies"]}
        print(json.dumps(brief | {"report": numbers["report"]}))


if __name__ == "__main__":
    app.run(main)
