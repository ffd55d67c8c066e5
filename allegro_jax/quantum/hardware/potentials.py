"""What a trained Allegro+QDI potential would lose on hardware.

The circuit of every edge is measured as `measure_on` does, values and derivatives by the angles,
and both take the place of the exact circuit in the potential,

    <P>(a') = v + J (a' - a)    at the angles a of the edge,

so that energies are made of the measured values v, and forces of the measured derivatives J by the
chain rule through the classical parts, which stay exact. A readout behind another circuit sees
what was measured there. This is how forces would be had from a device: sampled energies cannot
be differentiated, and finite differences of them would multiply their noise by the inverse step.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.configs import QDIReadout
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphDataset, ordered_batches
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import Params, Predictions, energies, precision_scope, predict
from allegro_jax.models.qdi import QDIReadoutModule, qdi_circuit
from allegro_jax.potential import Potential
from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics.circuit_function import of_qdi
from allegro_jax.quantum.hardware.noise import Hardware, measure_on

CIRCUIT_METHOD = "_expectations"
"""The method of `QDIReadoutModule` that runs the circuit: angles [edges, features] -> outputs."""

BATCH_SIZE = 8
"""Structures evaluated at a time."""


class Measured(NamedTuple):
    """What one circuit of the model gave on every edge: values v and derivatives J."""

    values: Float[np.ndarray, "edges outputs"]
    jacobians: Float[np.ndarray, "edges outputs features"]


class CircuitCall(NamedTuple):
    """One circuit of a model in one evaluation.

    Attributes:
        angles: what it was given, padding included.
        weights: its weights.
    """

    angles: Float[Array, "edges features"]
    weights: Float[Array, "*shape"]


@dataclasses.dataclass(frozen=True)
class HardwareErrors:
    """Deviations of a potential on hardware from the same potential with exact circuits.

    Attributes:
        hardware: shots and noise.
        structures: structures evaluated.
        edges: circuits with different angles.
        circuits: circuits run in all, those for derivatives included.
        energy_mae: mean absolute deviation of the energy (eV per atom).
        forces_mae: mean absolute deviation of a force component (eV/Å).
        forces_rmse: root mean squared deviation of a force component (eV/Å).
        label_forces_mae: error against the labels on hardware (eV/Å); None without labels.
        exact_label_forces_mae: the same with exact circuits.
    """

    hardware: Hardware
    structures: int
    edges: int
    circuits: int
    energy_mae: float
    forces_mae: float
    forces_rmse: float
    label_forces_mae: float | None
    exact_label_forces_mae: float | None


def trained_circuit(potential: Potential) -> tuple[QDICircuit, Float[np.ndarray, "*shape"]]:
    """The circuit of an Allegro+QDI potential and its trained weights.

    Raises:
        ValueError: The potential has another readout.
    """
    readout = potential.config.readout
    if not isinstance(readout, QDIReadout):
        raise ValueError(
            "expected a potential with a QDI readout, got one with "
            f"{type(readout).__name__}; train with the variant allegro-qdi"
        )
    weights = np.asarray(potential.params["readout"]["circuit_weights"], np.float64)
    return qdi_circuit(readout), weights


def edge_angles(potential: Potential, dataset: Dataset) -> Float[np.ndarray, "edges features"]:
    """The angles that enter the circuit of a potential on all edges of a data set.

    Raises:
        ValueError: The potential has another readout, or does not know an element.
    """
    trained_circuit(potential)
    rows = [
        np.asarray(_calls(potential, graph, ())[0][-1].angles)[_real_edges(graph)]
        for graph in _graphs(potential, dataset)
    ]
    return np.concatenate(rows).astype(np.float64)


def hardware_errors(
    potential: Potential, dataset: Dataset, hardware: Hardware, seed: int = 0
) -> HardwareErrors:
    """Compares energies and forces on hardware with those of exact circuits.

    Costs (1 + 2 features) circuits on every edge for circuits that use every feature once; a
    molecule of 21 atoms with 300 edges and 4 features needs 2,700 circuits, each of `shots` shots.

    Args:
        potential: trained, with a QDI readout.
        dataset: structures, with forces for errors against labels.
        hardware: shots and noise.
        seed: of the shots.

    Raises:
        ValueError: The potential has another readout, or does not know an element.
    """
    trained_circuit(potential)
    deviations, forces, runs = [], [], 0
    graphs = _graphs(potential, dataset)
    for index, graph in enumerate(graphs):
        atoms = np.asarray(jraph.get_node_padding_mask(graph))
        structures = np.asarray(jraph.get_graph_padding_mask(graph))
        exact = jax.device_get(potential.predict(graph))
        real, circuits = predict_on(hardware, potential, graph, seed + index)
        runs += circuits
        deviations.append(((real.energy - exact.energy) / np.maximum(graph.n_node, 1))[structures])
        forces.append((real.forces[atoms], exact.forces[atoms]))
    measured, exact_forces = (np.concatenate(part) for part in zip(*forces, strict=True))
    return HardwareErrors(
        hardware=hardware,
        structures=len(dataset),
        edges=sum(int(_real_edges(graph).sum()) for graph in graphs),
        circuits=runs,
        energy_mae=float(np.mean(np.abs(np.concatenate(deviations)))),
        forces_mae=float(np.mean(np.abs(measured - exact_forces))),
        forces_rmse=float(np.sqrt(np.mean((measured - exact_forces) ** 2))),
        label_forces_mae=_label_error(measured, dataset),
        exact_label_forces_mae=_label_error(exact_forces, dataset),
    )


def predict_on(
    hardware: Hardware, potential: Potential, graph: jraph.GraphsTuple, seed: int = 0
) -> tuple[Predictions, int]:
    """Evaluates a padded batch with circuits measured on hardware.

    Returns:
        Predictions as numpy arrays, and the number of circuits run.
    """
    mask = _real_edges(graph)
    measured: list[Measured] = []
    total = 0
    while True:
        calls, circuits = _calls(potential, graph, tuple(measured))
        if len(measured) == len(calls):
            break
        call, circuit = calls[len(measured)], of_qdi(circuits[len(measured)])
        seeds = np.random.SeedSequence([seed, len(measured)]).generate_state(1)[0]
        readings = measure_on(
            hardware, circuit, np.asarray(call.angles)[mask], np.asarray(call.weights), int(seeds)
        )
        total += int(mask.sum()) * readings.circuits
        measured.append(Measured(_padded(readings.values, mask), _padded(readings.jacobians, mask)))
    with precision_scope(potential.config.precision):
        result = _predict(build_model(potential.config), potential.params, graph, tuple(measured))
    return jax.device_get(result), total


def _calls(
    potential: Potential, graph: jraph.GraphsTuple, measured: tuple[Measured, ...]
) -> tuple[list[CircuitCall], list[QDICircuit]]:
    """All circuits that the model runs in order, the first of them replaced by readings."""
    record, circuits = _recorder(build_model(potential.config))
    with precision_scope(potential.config.precision):
        calls = record(potential.params, graph, measured)
    if not calls:
        raise ValueError(
            f"expected a model whose circuits run in QDIReadoutModule.{CIRCUIT_METHOD}, found none"
        )
    return calls, circuits


@functools.lru_cache(maxsize=16)
def _recorder(model: EdgeEnergyModel) -> tuple[Callable[..., list[CircuitCall]], list[QDICircuit]]:
    """A compiled function that gives the circuits' inputs, and a list that it fills when traced."""
    circuits: list[QDICircuit] = []

    def record(
        params: Params, graph: jraph.GraphsTuple, measured: tuple[Measured, ...]
    ) -> list[CircuitCall]:
        calls: list[CircuitCall] = []
        circuits.clear()
        with nn.intercept_methods(_replacing(measured, calls, circuits)):
            energies(model, params, graph)
        return calls

    return jax.jit(record), circuits


@functools.partial(jax.jit, static_argnums=0)
def _predict(
    model: EdgeEnergyModel,
    params: Params,
    graph: jraph.GraphsTuple,
    measured: tuple[Measured, ...],
) -> Predictions:
    with nn.intercept_methods(_replacing(measured, [], [])):
        # Blocks would see the edges in another order than they were measured in.
        return predict(model, params, graph, in_blocks=False)


def _replacing(
    measured: Sequence[Measured], calls: list[CircuitCall], circuits: list[QDICircuit]
) -> Callable[..., Any]:
    """An interceptor that notes every circuit, and replaces the first ones by what was measured."""

    def intercept(
        next_fun: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        module = context.module
        if not isinstance(module, QDIReadoutModule) or context.method_name != CIRCUIT_METHOD:
            return next_fun(*args, **kwargs)
        (angles,) = args
        exact = next_fun(*args, **kwargs)  # also makes the parameters
        calls.append(CircuitCall(angles, module.get_variable("params", "circuit_weights")))
        circuits.append(qdi_circuit(module.config))
        if len(calls) > len(measured):
            return exact
        values, jacobians = measured[len(calls) - 1]
        change = angles - jax.lax.stop_gradient(angles)
        return (values + jnp.einsum("eof,ef->eo", jacobians, change)).astype(exact.dtype)

    return intercept


def _graphs(potential: Potential, dataset: Dataset) -> list[jraph.GraphsTuple]:
    config = potential.config
    graphs = GraphDataset.build(
        dataset, config.cutoff, config.atomic_numbers, potential.atomic_energies
    )
    return list(ordered_batches(graphs, BATCH_SIZE))


def _real_edges(graph: jraph.GraphsTuple) -> np.ndarray:
    return np.asarray(jraph.get_edge_padding_mask(graph))


def _padded(rows: np.ndarray, mask: np.ndarray) -> np.ndarray:
    full = np.zeros((len(mask), *rows.shape[1:]))
    full[mask] = rows
    return full


def _label_error(forces: Float[np.ndarray, "atoms 3"], dataset: Dataset) -> float | None:
    return None if dataset.forces is None else float(np.mean(np.abs(forces - dataset.forces)))
