"""Pictures of a circuit report, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from experiments.circuit_reports.measurements import Measurements
from experiments.circuit_reports.numbers import haar_entanglement
from samo_cobra.plots import COLOURS

mpl.use("Agg")
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from allegro_jax.quantum.hardware.potentials import HardwareErrors

FISHER = {"quantum": "quantum (state)", "classical": "classical (outcomes)"}
FISHER |= {"regression": "regression (outputs)"}
MAX_DRAWN = 150
"""Circuits of more gates are not drawn."""


def drawing(result: Measurements) -> bytes | None:
    """Draws the circuit gate by gate, numbers left out; None if it would be unreadable."""
    import pennylane as qml
    from matplotlib import pyplot as plt

    from allegro_jax.quantum.diagnostics import of_circuit

    circuit = result.circuit
    qnode = of_circuit(circuit).require_qnode("a drawing")
    arguments = np.zeros(circuit.n_features), np.zeros(circuit.weight_shape)
    tape = qml.workflow.construct_tape(qnode, level="device")(*arguments)
    if len(tape.operations) > MAX_DRAWN:
        return None
    draw = qml.draw_mpl(qnode, level="device", style="black_white")
    figure, _ = draw(*arguments)
    try:
        return _png(figure, dpi=80, bbox_inches="tight")
    finally:
        plt.close(figure)


def weights(result: Measurements) -> bytes:
    """Draws the largest derivative of every weight, and its share in the redundant directions."""
    report = result.weights
    n = report.n_weights
    figure = Figure(figsize=(float(np.clip(0.26 * n, 6.4, 14.0)), 4.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    place = np.arange(1, n + 1)
    colours = np.where(np.isin(np.arange(n), report.dead), COLOURS[1], COLOURS[0])
    top.bar(place, np.maximum(report.gradients, 1e-17), color=colours)
    top.set_yscale("log")
    top.set_ylim(1e-17, 3.0)
    top.set_ylabel("largest $|\\partial f/\\partial w|$")
    bottom.bar(place, report.null_shares, color=colours)
    bottom.set_ylim(0.0, 1.05)
    bottom.set_ylabel("share in directions\nwithout effect")
    bottom.set_xlabel("weight w1, w2, ...")
    step = -(-n // 30)
    bottom.set_xticks(place[::step], [str(k) for k in place[::step]], fontsize=8)
    for axes in (top, bottom):
        axes.grid(axis="y", alpha=0.25, lw=0.5)
        axes.set_xlim(0.3, n + 0.7)
    return _png(figure)


def fisher(result: Measurements) -> bytes:
    """Draws mean eigenvalues of the Fisher matrices, largest first."""
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, kind, title in zip(
        panels, ("single", "mean"), ("one input", "mean over inputs"), strict=True
    ):
        for k, (name, label) in enumerate(FISHER.items()):
            values = getattr(result.fisher[name], kind).eigenvalues.mean(axis=0)
            values = np.where(values > 1e-12, values, np.nan)
            axes.plot(
                np.arange(1, len(values) + 1), values, "o-", ms=3, color=COLOURS[k], label=label
            )
        axes.set_yscale("log")
        axes.set_title(title)
        axes.set_xlabel("eigenvalue, largest first")
        axes.set_xlim(0.0, result.weights.n_weights + 1.0)
        axes.grid(alpha=0.25, lw=0.5)
    panels[0].axvline(2**result.n_qubits - 1 + 0.5, color="0.5", lw=0.8, ls=":")
    panels[0].set_ylabel("Fisher information (rad$^{-2}$)")
    panels[1].legend(fontsize=8, loc="lower left")
    return _png(figure)


def fourier(result: Measurements) -> bytes | None:
    """Draws the size of the coefficients by the number of features that a frequency joins."""
    report = result.fourier
    if report is None:
        return None
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    size = np.sqrt(np.mean(np.abs(report.coefficients) ** 2, axis=0))
    for k, row in enumerate(size):
        reached = np.sort(row[row > 1e-10])[::-1]
        label = f"output {k}: {len(reached)} of {report.n_frequencies}"
        colour = COLOURS[k % len(COLOURS)]
        left.plot(np.arange(1, len(reached) + 1), reached, "-", color=colour, label=label)
    left.set_yscale("log")
    left.set_xlabel("frequency, largest first")
    left.set_ylabel("rms $|c_\\omega|$ over weights")
    left.legend(fontsize=8)
    joined = np.count_nonzero(report.frequencies, axis=1)
    power = np.mean(np.abs(report.coefficients) ** 2, axis=(0, 1))
    orders = np.arange(joined.max() + 1)
    shares = [power[joined == order].sum() / power.sum() for order in orders]
    right.bar(orders, shares, color=COLOURS[0])
    right.set_xticks(orders)
    right.set_xlabel("features that a frequency joins")
    right.set_ylabel("share of $\\sum_\\omega |c_\\omega|^2$")
    for axes in (left, right):
        axes.grid(alpha=0.25, lw=0.5)
    return _png(figure)


def states(result: Measurements) -> bytes:
    """Draws fidelities against Haar and the distribution of the entanglement."""
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    given = result.expressibility
    width, pairs = np.diff(given.edges), given.counts.sum()
    left.stairs(
        given.counts / pairs / width,
        given.edges,
        fill=True,
        color=COLOURS[0],
        alpha=0.6,
        label="circuit",
    )
    left.stairs(given.haar / width, given.edges, color="k", lw=1.2, label="Haar")
    shown = given.edges[1:][given.haar * pairs > 0.5]
    seen = given.edges[1:][given.counts > 0]
    left.set_xlim(0.0, max(shown.max(), seen.max()))
    left.set_xlabel("fidelity of two random states")
    left.set_ylabel("density")
    left.legend(fontsize=8)
    right.hist(
        result.entanglement, np.linspace(0, 1, 41), density=True, color=COLOURS[0], alpha=0.6
    )
    haar = haar_entanglement(result.n_qubits)
    right.axvline(haar, color="k", lw=1.2, label=f"Haar mean {haar:.3f}")
    mean = float(result.entanglement.mean())
    right.axvline(mean, color=COLOURS[1], lw=1.2, ls="--", label=f"circuit mean {mean:.3f}")
    right.set_xlim(0.0, 1.0)
    right.set_xlabel("Meyer-Wallach entanglement Q")
    right.set_ylabel("density")
    right.legend(fontsize=8, loc="upper left")
    return _png(figure)


def gradients(result: Measurements) -> bytes | None:
    """Draws gradient variances against the number of qubits; None without any."""
    if not result.gradients:
        return None
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    depths = sorted({row.depth for row in result.gradients})
    for k, depth in enumerate(depths):
        rows = [row for row in result.gradients if row.depth == depth]
        qubits = [row.n_qubits for row in rows]
        styles = (("local", "o-", "one qubit"), ("whole", "s--", "product of all"))
        for reading, style, label in styles:
            values = [getattr(row, reading) for row in rows]
            colour = COLOURS[k % len(COLOURS)]
            axes.plot(qubits, values, style, ms=4, color=colour, label=f"depth {depth}, {label}")
    axes.set_yscale("log")
    axes.set_xticks(sorted({row.n_qubits for row in result.gradients}))
    axes.set_xlabel("qubits")
    axes.set_ylabel("mean variance of $\\partial\\langle P\\rangle/\\partial w$ (rad$^{-2}$)")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25, lw=0.5)
    return _png(figure)


def hardware(errors: Sequence[HardwareErrors]) -> bytes:
    """Draws what shots and noise add to the forces."""
    figure = Figure(figsize=(8.6, 3.8), layout="constrained")
    axes = figure.add_subplot()
    rates = sorted({(e.hardware.one_qubit, e.hardware.two_qubit) for e in errors})
    for k, rate in enumerate(rates):
        rows = [e for e in errors if (e.hardware.one_qubit, e.hardware.two_qubit) == rate]
        label = "no noise" if rate == (0.0, 0.0) else f"rates {rate[0]:g}, {rate[1]:g}"
        shots = [(e.hardware.shots, 1e3 * e.forces_mae) for e in rows if e.hardware.shots]
        if shots:
            axes.plot(*zip(*sorted(shots), strict=True), "o-", ms=4, color=COLOURS[k], label=label)
        for row in rows:
            if row.hardware.shots is None:
                text = f"{label}, all shots"
                axes.axhline(1e3 * row.forces_mae, color=COLOURS[k], lw=1.0, ls="--", label=text)
    exact = errors[0].exact_label_forces_mae
    if exact is not None:
        text = "error of the exact potential"
        axes.axhline(1e3 * exact, color="k", lw=1.0, ls=":", label=text)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("shots for every circuit")
    axes.set_ylabel("mean deviation of a force (meV/Å)")
    figure.legend(loc="outside right upper", fontsize=8)
    axes.grid(alpha=0.25, lw=0.5)
    return _png(figure)


def angles(result: Measurements) -> bytes:
    """Draws the angles of real edges, one curve for every feature."""
    assert result.trained is not None
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes: Axes = figure.add_subplot()
    low, high = np.percentile(result.trained.angles, (0.2, 99.8))
    bins = np.linspace(low, high, 60)
    for k, column in enumerate(result.trained.angles.T):
        axes.hist(
            column, bins, density=True, histtype="step", color=f"C{k % 10}", label=f"x{k + 1}"
        )
    axes.set_xlabel("angle (rad)")
    axes.set_ylabel("density (rad$^{-1}$)")
    if result.trained.angles.shape[1] <= 8:
        axes.legend(fontsize=8)
    axes.grid(alpha=0.25, lw=0.5)
    return _png(figure)


PICTURES: dict[str, Callable[[Measurements], bytes | None]] = {
    "circuit": drawing,
    "weights": weights,
    "fisher": fisher,
    "fourier": fourier,
    "states": states,
    "gradients": gradients,
}


def _png(figure: Figure, dpi: int = 160, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, **options)
    return buffer.getvalue()
