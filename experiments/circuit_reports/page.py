"""The folder of a circuit report: page, numbers and pictures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allegro_jax.quantum.circuits import QDICircuit
from experiments.circuit_reports import figures
from experiments.circuit_reports.measurements import FisherNumbers, Measurements
from experiments.circuit_reports.numbers import decays, floor, haar_entanglement, numbers
from experiments.searches.page import STYLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allegro_jax.quantum.diagnostics import FourierReport
    from allegro_jax.quantum.hardware.potentials import HardwareErrors


def write(
    result: Measurements, errors: Sequence[HardwareErrors], workdir: Path, place: str = ""
) -> dict[str, Any]:
    """Writes `report.html`, `report.json` and the pictures.

    Args:
        result: What was measured.
        errors: Losses of a potential on hardware; none without a potential.
        workdir: Where to; made if need be.
        place: Name of the circuit in a potential, if it is in one.

    Returns:
        The numbers in `report.json`, and the path of the page.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    pictures = {name: draw(result) for name, draw in figures.PICTURES.items()}
    if result.trained is not None:
        pictures["angles"] = figures.angles(result)
    if errors:
        pictures["hardware"] = figures.hardware(errors)
    for name, png in pictures.items():
        if png is not None:
            (workdir / f"{name}.png").write_bytes(png)
    drawn = {name for name, png in pictures.items() if png is not None}
    values = numbers(result) | {"hardware": [dataclasses.asdict(each) for each in errors]}
    (workdir / "report.json").write_text(json.dumps(values, indent=1))
    report = workdir / "report.html"
    report.write_text(_html(result, errors, drawn, place))
    return values | {"report": str(report)}


def _html(
    result: Measurements, errors: Sequence[HardwareErrors], drawn: set[str], place: str
) -> str:
    circuit = result.circuit
    qdi = isinstance(circuit, QDICircuit)
    title = "QDI circuit" if qdi else f"Circuit {circuit.name}"
    title += f": {result.n_qubits} qubits, {circuit.n_features} features"
    title += f", depth {circuit.depth}" if qdi else ""
    title += f" ({place})" if place else ""
    options = str(circuit) if qdi else f"The registered circuit {circuit.name}"
    sections = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(options)}: {circuit.n_weights} weights. Random weights and features are "
        "drawn from U(0, 2π).</p>",
        _image("circuit", drawn) or "<p>Too many gates to be drawn.</p>",
        _weights(result, drawn),
        _fisher(result, drawn),
        _fourier(result, drawn),
        _states(result, drawn),
        _gradients(result, drawn),
        _trained(result, drawn),
        _hardware(errors, drawn),
        "<footer>Written by experiments/circuit_report.py; all numbers are in report.json. "
        f"Measured in {sum(result.seconds.values()):.0f} s.</footer>",
    ]
    body = "\n".join(section for section in sections if section)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _weights(result: Measurements, drawn: set[str]) -> str:
    report = result.weights
    dead = ", ".join(report.dead_names) or "none"
    rows = [
        ["weights", report.n_weights],
        ["dead: no derivative of any output anywhere", f"{len(report.dead)} ({dead})"],
        ["rank of the Jacobian over many inputs", report.rank],
        ["redundant: with an effect that others have as well", report.n_redundant],
        ["rank with linear maps before (shift) and after", result.joined_rank],
        ["weights with these maps", result.joined_weights],
    ]
    text = "<h2>Weights</h2><p>Dead weights are orange. Weights that share a direction without "
    text += "effect can be set by one another.</p>"
    return text + _table(["what", "number"], rows) + _image("weights", drawn)


def _fisher(result: Measurements, drawn: set[str]) -> str:
    bound = 2**result.n_qubits - 1
    text = (
        "<h2>Fisher information</h2><p>Three kinds: of the state (the bound of every measurement), "
        "of the joint outcomes when all qubits are read, and of the outputs as a model fitted by "
        f"least squares. For one input the classical rank is at most {bound} (dotted): that many "
        "probabilities are free. This bound does not depend on the depth, so that reaching it does "
        "not show that a circuit has weights to spare; the mean over inputs does.</p>"
    )
    return text + _fisher_table(result.fisher) + _image("fisher", drawn)


def _fisher_table(fisher: Mapping[str, FisherNumbers]) -> str:
    dimensions = list(next(iter(fisher.values())).effective_dimensions)
    header = ["Fisher information", "of", "mean rank", "below 5 % of the largest (%)"]
    header += ["beyond 95 % of the trace (%)"]
    header += [f"effective dimension, n = {n:,}" for n in dimensions]
    rows = []
    for name, each in fisher.items():
        for of, spectrum in (("one input", each.single), ("mean over inputs", each.mean)):
            row: list[Any] = [figures.FISHER[name], of, f"{spectrum.ranks.mean():.1f}"]
            shares = (spectrum.share_below(0.05), spectrum.share_beyond(0.95))
            row += [f"{100.0 * share:.0f}" for share in shares]
            known = each.effective_dimensions.values() if spectrum is each.mean else []
            row += [f"{value:.1f}" for value in known] or [""] * len(dimensions)
            rows.append(row)
    return _table(header, rows)


def _fourier(result: Measurements, drawn: set[str]) -> str:
    sizes = [int(size) for size in result.spectrum_sizes]
    text = (
        "<h2>Fourier series in the features</h2><p>The encoding allows "
        f"{' x '.join(map(str, sizes))} = {int(np.prod(sizes)):,} frequencies.</p>"
    )
    if result.fourier is None:
        return text + "<p>Coefficients are left out: too many, or without a common period.</p>"
    return text + _fourier_table(result.fourier) + _image("fourier", drawn)


def _fourier_table(report: FourierReport) -> str:
    header = ["output", "frequencies reached", "of", "real and imaginary parts", "of"]
    header += ["dimension of the functions"]
    of = (report.n_frequencies, report.n_real_terms)
    rows: list[list[Any]] = []
    for k in range(report.coefficients.shape[1]):
        terms = report.n_reached_real_terms(k)
        dimension = report.rank(k) if len(report.coefficients) > 1 else ""
        rows.append([k, report.n_reached(k), of[0], terms, of[1], dimension])
    rows.append(["any", report.n_reached(), of[0], report.n_reached_real_terms(), of[1], ""])
    return _table(header, rows)


def _states(result: Measurements, drawn: set[str]) -> str:
    n = result.n_qubits
    given = result.expressibility
    rows = [
        ["expressibility, KL(circuit ‖ Haar) (nats); 0 is best", f"{given.divergence:.4f}"],
        ["the same of Haar-random states, for as many pairs", f"{floor(given):.4f}"],
        ["Meyer-Wallach Q, mean", f"{result.entanglement.mean():.3f}"],
        ["Meyer-Wallach Q, standard deviation", f"{result.entanglement.std():.3f}"],
        ["Meyer-Wallach Q of Haar-random states, mean", f"{haar_entanglement(n):.3f}"],
        ["entanglement entropy of one qubit (bits), mean", f"{result.entropies.mean():.3f}"],
    ]
    text = "<h2>Expressibility and entanglement</h2>"
    return text + _table(["what", "value"], rows) + _image("states", drawn)


def _gradients(result: Measurements, drawn: set[str]) -> str:
    if not result.gradients:
        return ""
    rows = [
        [row["depth"], f"{row['local']:.2f}", f"{row['whole']:.2f}"]
        for row in decays(result.gradients)
    ]
    text = (
        "<h2>Gradients against size</h2><p>Variance over random weights and features, averaged "
        "over the weights that have an effect, when one qubit is read (as the readout does) and "
        "for the product of the Pauli operators of all qubits. A factor of 0.5 per qubit halves it "
        "with each: a barren plateau. Number of features and qubits grow together.</p>"
    )
    header = ["depth", "factor per qubit, one qubit", "factor per qubit, product of all"]
    return text + _table(header, rows) + _image("gradients", drawn)


def _trained(result: Measurements, drawn: set[str]) -> str:
    trained = result.trained
    if trained is None:
        return ""
    report = trained.weights
    rows = [
        ["edges", len(trained.angles)],
        ["rank of the Jacobian at the trained weights", report.rank],
        ["Meyer-Wallach Q, mean over edges", f"{trained.entanglement.mean():.3f}"],
        ["angles: mean standard deviation (rad)", f"{trained.angles.std(axis=0).mean():.3f}"],
    ]
    text = "<h2>At the trained weights, on real edges</h2>"
    text += _table(["what", "value"], rows) + _fisher_table(trained.fisher)
    if trained.fourier is not None:
        text += "<p>Fourier series at the trained weights:</p>" + _fourier_table(trained.fourier)
    return text + _image("angles", drawn)


def _hardware(errors: Sequence[HardwareErrors], drawn: set[str]) -> str:
    if not errors:
        return ""
    first = errors[0]
    text = (
        "<h2>On hardware</h2><p>Deviation of the whole potential from exact circuits on "
        f"{first.structures} structures with {first.edges:,} edges; {first.circuits:,} circuits, "
        "each of all its shots. Values and derivatives by the angles (parameter-shift rule) of "
        "every circuit of the model are measured on every edge, the classical parts are exact. "
        "Depolarising channels follow every gate.</p>"
    )
    header = ["shots", "rate, one qubit", "rate, two qubits", "energy MAE (meV / atom)"]
    header += ["force MAE (meV/Å)", "force RMSE (meV/Å)", "force MAE to labels (meV/Å)"]
    rows = [_hardware_row(each) for each in errors]
    if first.exact_label_forces_mae is not None:
        exact = f"{1e3 * first.exact_label_forces_mae:.1f}"
        rows.insert(0, ["exact", "0", "0", "0", "0", "0", exact])
    return text + _table(header, rows) + _image("hardware", drawn)


def _hardware_row(each: HardwareErrors) -> list[str]:
    setting = each.hardware
    row = [f"{setting.shots:,}" if setting.shots else "all"]
    row += [f"{setting.one_qubit:g}", f"{setting.two_qubit:g}"]
    row += [f"{1e3 * each.energy_mae:.2f}"]
    row += [f"{1e3 * value:.1f}" for value in (each.forces_mae, each.forces_rmse)]
    label = each.label_forces_mae
    return [*row, "" if label is None else f"{1e3 * label:.1f}"]


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _image(name: str, drawn: set[str]) -> str:
    return f'<p><img alt="{name}" src="{name}.png"></p>' if name in drawn else ""
