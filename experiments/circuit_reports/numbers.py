"""The numbers of a circuit report, as they are written to JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from allegro_jax.quantum.diagnostics import (
    Expressibility,
    FourierReport,
    GradientVariance,
    WeightReport,
    decay_per_qubit,
)
from experiments.circuit_reports.measurements import (
    AnyCircuit,
    FisherNumbers,
    Measurements,
    Trained,
)


def numbers(result: Measurements) -> dict[str, Any]:
    """Returns the numbers of a report for JSON."""
    weights, gradients = result.weights, result.gradients
    return {
        "circuit": _circuit_numbers(result.circuit),
        "weights": _weight_numbers(weights),
        "rank_with_linear_maps": result.joined_rank,
        "weights_with_linear_maps": result.joined_weights,
        "fisher": {name: _fisher_numbers(fisher) for name, fisher in result.fisher.items()},
        "frequencies": int(np.prod(result.spectrum_sizes)),
        "fourier": _fourier_numbers(result.fourier),
        "expressibility_kl": result.expressibility.divergence,
        "expressibility_floor": floor(result.expressibility),
        "meyer_wallach": {
            "mean": float(result.entanglement.mean()),
            "std": float(result.entanglement.std()),
            "haar": haar_entanglement(result.n_qubits),
        },
        "entanglement_entropy_bits": float(result.entropies.mean()),
        "gradient_variances": [vars(row) for row in gradients],
        "gradient_decay_per_qubit": decays(gradients),
        "trained": None if result.trained is None else _trained_numbers(result.trained),
        "seconds": dict(result.seconds),
    }


def decays(gradients: Sequence[GradientVariance]) -> list[dict[str, float]]:
    """Factors per qubit of every depth that was measured at several sizes."""
    rows = []
    for depth in sorted({row.depth for row in gradients}):
        part = [row for row in gradients if row.depth == depth]
        if len(part) > 1:
            factors = {name: decay_per_qubit(part, name) for name in ("local", "whole")}
            rows.append({"depth": depth, **factors})
    return rows


def haar_entanglement(n_qubits: int) -> float:
    """Mean Meyer-Wallach Q of Haar-random states, (N - 2)/(N + 1) with N = 2**n_qubits."""
    return (2**n_qubits - 2) / (2**n_qubits + 1)


def floor(result: Expressibility) -> float:
    """What the divergence of Haar-random states would be on average for as many pairs."""
    expected = result.haar * result.counts.sum()
    return float(np.sum(expected > 1.0) - 1) / (2.0 * float(result.counts.sum()))


def _circuit_numbers(circuit: AnyCircuit) -> dict[str, Any]:
    """All options of a circuit but the QNode of a registered one."""
    names = [field.name for field in dataclasses.fields(circuit) if field.name != "qnode"]
    return {name: getattr(circuit, name) for name in names}


def _weight_numbers(report: WeightReport) -> dict[str, Any]:
    return {
        "n": report.n_weights,
        "dead": list(report.dead_names),
        "rank": report.rank,
        "redundant": report.n_redundant,
        "largest_gradients": report.gradients.tolist(),
        "null_shares": report.null_shares.tolist(),
    }


def _fisher_numbers(fisher: FisherNumbers) -> dict[str, Any]:
    parts = {"single_input": fisher.single, "mean_over_inputs": fisher.mean}
    spectra = {
        name: {
            "mean_rank": float(part.ranks.mean()),
            "largest_rank": int(part.ranks.max()),
            "share_below_5_percent_of_largest": part.share_below(0.05),
            "share_beyond_95_percent_of_trace": part.share_beyond(0.95),
            "mean_eigenvalues": part.eigenvalues.mean(axis=0).tolist(),
        }
        for name, part in parts.items()
    }
    return {**spectra, "effective_dimension": dict(fisher.effective_dimensions)}


def _fourier_numbers(report: FourierReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    outputs = range(report.coefficients.shape[1])
    return {
        "frequencies": report.n_frequencies,
        "reached": report.n_reached(),
        "reached_by_output": [report.n_reached(k) for k in outputs],
        "real_terms": report.n_real_terms,
        "reached_real_terms": report.n_reached_real_terms(),
        "reached_real_terms_by_output": [report.n_reached_real_terms(k) for k in outputs],
        "rank_by_output": [report.rank(k) for k in outputs],
    }


def _trained_numbers(trained: Trained) -> dict[str, Any]:
    return {
        "edges": len(trained.angles),
        "angle_mean": trained.angles.mean(axis=0).tolist(),
        "angle_std": trained.angles.std(axis=0).tolist(),
        "weights": _weight_numbers(trained.weights),
        "fisher": {name: _fisher_numbers(each) for name, each in trained.fisher.items()},
        "meyer_wallach_mean": float(trained.entanglement.mean()),
        "fourier": _fourier_numbers(trained.fourier),
    }
