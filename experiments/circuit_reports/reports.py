"""The report of a circuit, and those of the circuits of a trained potential."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from allegro_jax.datasets import load
from allegro_jax.potential import Potential
from allegro_jax.quantum.diagnostics import of_circuit
from allegro_jax.quantum.hardware import Hardware, to_openqasm
from allegro_jax.quantum.hardware.potentials import edge_angles, hardware_errors, trained_circuits
from experiments.circuit_reports import measurements, page
from experiments.circuit_reports.measurements import AnyCircuit, Effort

MAX_ANGLES = 256
"""Real edges at which a trained circuit is examined."""


def circuit_report(circuit: AnyCircuit, effort: Effort, workdir: Path) -> dict[str, Any]:
    """Writes the report of a circuit.

    Returns:
        The numbers in `report.json`.
    """
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
