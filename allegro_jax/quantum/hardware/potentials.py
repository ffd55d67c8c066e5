"""What a trained potential with quantum circuits would lose on hardware.

Every circuit of the model (in the readout and in the latents) is measured on every edge as
`measure_on` does, values and derivatives by the angles, and both take the place of the exact
circuit in the potential,

    C(a') = v + J (a' - a)    at the angles a of the edge,

so that energies are made of the measured values v, and forces of the measured derivatives J by the
chain rule through the classical parts, which stay exact. A circuit behind another one gets the
angles that follow from what was measured there. This is how forces would be had from a device:
sampled energies cannot be differentiated, and finite differences of them would multiply their noise
by the inverse step.

A circuit in a latent subtracts its value at zero, C(0), which is measured once for each batch and
layer, as if it were one more edge.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Bool, Float

from allegro_jax.configs import FrozenQDIReadout, ModelConfig, QDIReadout
from allegro_jax.datasets import Dataset
from allegro_jax.dispersion import subtract_dispersion
from allegro_jax.graphs import GraphDataset, ordered_batches
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.build import build_model
from allegro_jax.models.circuits import ANGLES, LINEARIZED, Linearization, circuit_of
from allegro_jax.models.energy import (
    Params,
    Predictions,
    compiled_predict,
    precision_scope,
    recorded,
)
from allegro_jax.models.model_circuits import ModelCircuit, model_circuits
from allegro_jax.potential import Potential
from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics.circuit_function import of_circuit
from allegro_jax.quantum.hardware.noise import Hardware, measure_on
from allegro_jax.quantum.registry import UserCircuit

BATCH_SIZE = 8
"""Structures evaluated at a time."""


class TrainedCircuit(NamedTuple):
    """A circuit of a potential.

    Attributes:
        circuit: of this project, or a registered one.
        weights: all of its weights; dead ones that are no parameters are zero.
    """

    circuit: QDICircuit | UserCircuit
    weights: Float[np.ndarray, "*shape"]


@dataclasses.dataclass(frozen=True)
class HardwareErrors:
    """Deviations of a potential on hardware from the same potential with exact circuits.

    Attributes:
        hardware: shots and noise.
        structures: structures evaluated.
        edges: edges of these, each with its own angles in every circuit of the model.
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


def trained_circuits(potential: Potential) -> dict[str, TrainedCircuit]:
    """All circuits of a potential in the order in which they run, by name ("readout/circuit").

    Raises:
        ValueError: It has none.
    """
    return {
        each.name: TrainedCircuit(circuit_of(each.config), _weights(potential, each))
        for each in _circuits(potential)
    }


def edge_angles(
    potential: Potential, dataset: Dataset
) -> dict[str, Float[np.ndarray, "edges features"]]:
    """The angles that enter every circuit of a potential on all edges of a data set.

    They are those of the encoding gates: scale and frequencies are in them.

    Raises:
        ValueError: The potential has no circuits, or does not know an element.
    """
    graphs = _graphs(potential, dataset)
    return {
        each.name: np.concatenate(
            [_angles(potential, each, graph, {})[: len(mask)][mask] for graph, mask in graphs]
        ).astype(np.float64)
        for each in _circuits(potential)
    }


def hardware_errors(
    potential: Potential, dataset: Dataset, hardware: Hardware, seed: int = 0
) -> HardwareErrors:
    """Compares energies and forces on hardware with those of exact circuits.

    Costs (1 + 2 features) circuits on every edge for each circuit of the model that uses every
    feature once; a molecule of 21 atoms with 300 edges and 4 features needs 2,700 circuits, each of
    `shots` shots.

    Args:
        potential: trained, with at least one circuit.
        dataset: structures, with forces for errors against labels.
        hardware: shots and noise.
        seed: of the shots.

    Raises:
        ValueError: The potential has no circuits or one that cannot be measured (see `of_circuit`
            and `encoded_spectra`), or does not know an element.
    """
    deviations, forces, runs, edges = [], [], 0, 0
    for index, (graph, mask) in enumerate(_graphs(potential, dataset)):
        atoms = np.asarray(jraph.get_node_padding_mask(graph))
        structures = np.asarray(jraph.get_graph_padding_mask(graph))
        exact = jax.device_get(potential.predict(graph))
        real, circuits = predict_on(hardware, potential, graph, seed + index)
        runs, edges = runs + circuits, edges + int(mask.sum())
        deviations.append(((real.energy - exact.energy) / np.maximum(graph.n_node, 1))[structures])
        forces.append((real.forces[atoms], exact.forces[atoms]))
    measured, exact_forces = (np.concatenate(part) for part in zip(*forces, strict=True))
    if potential.dispersion is not None:
        dataset = subtract_dispersion(dataset, potential.dispersion)
    return HardwareErrors(
        hardware=hardware,
        structures=len(dataset),
        edges=edges,
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

    Raises:
        ValueError: The potential has no circuits, or one that cannot be measured.
    """
    mask = _real_edges(graph)
    measured: dict[str, dict[str, Linearization]] = {}
    total = 0
    for index, each in enumerate(_circuits(potential)):
        angles = _angles(potential, each, graph, measured)
        rows = np.concatenate([mask, np.ones(len(angles) - len(mask), bool)])  # C(0) of a latent
        function = of_circuit(circuit_of(each.config))
        own_seed = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
        weights = _weights(potential, each)
        readings = measure_on(hardware, function, angles[rows], weights, own_seed)
        total += int(rows.sum()) * readings.circuits
        with precision_scope(potential.config.precision):
            known = [jnp.asarray(_padded(x, rows)) for x in (readings.values, readings.jacobians)]
        measured.setdefault(each.module, {})[each.variable] = Linearization(*known)
    with precision_scope(potential.config.precision):
        model = build_model(potential.config)
        result = compiled_predict(model, potential.params, graph, of_edges={LINEARIZED: measured})
        return jax.device_get(result), total


def _circuits(potential: Potential) -> tuple[ModelCircuit, ...]:
    circuits = model_circuits(potential.config)
    if not circuits:
        raise ValueError(
            "expected a potential with quantum circuits in its readout or latents, got one with "
            f"{type(potential.config.readout).__name__} and no latent_circuit; train with a "
            "readout such as QDIReadout"
        )
    return circuits


def _weights(potential: Potential, circuit: ModelCircuit) -> Float[np.ndarray, "*shape"]:
    with precision_scope(potential.config.precision):
        return np.asarray(circuit.weights(potential.params), np.float64)


def _angles(
    potential: Potential,
    circuit: ModelCircuit,
    graph: jraph.GraphsTuple,
    measured: Mapping[str, Any],
) -> Float[np.ndarray, "rows features"]:
    """Angles of one circuit on a padded batch, after those that were measured."""
    with precision_scope(potential.config.precision):
        model = build_model(_trainable(potential.config))
        return np.asarray(_compiled_angles(model, circuit, potential.params, graph, measured))


def _trainable(config: ModelConfig) -> ModelConfig:
    """The same model with a readout that could be trained.

    What stops the gradients of a frozen readout (`flax.linen.map_variables`) loses its parameters
    where another collection is mutable.
    """
    readout = config.readout
    if not isinstance(readout, FrozenQDIReadout):
        return config
    options = {field.name: getattr(readout, field.name) for field in dataclasses.fields(QDIReadout)}
    return dataclasses.replace(config, readout=QDIReadout(**options))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _compiled_angles(
    model: EdgeEnergyModel,
    circuit: ModelCircuit,
    params: Params,
    graph: jraph.GraphsTuple,
    measured: Mapping[str, Any],
) -> Float[Array, "rows features"]:
    left = recorded(model, {"params": params, LINEARIZED: measured}, graph, ANGLES)
    (angles,) = left[circuit.module][circuit.variable]
    return jnp.asarray(angles)


def _graphs(
    potential: Potential, dataset: Dataset
) -> list[tuple[jraph.GraphsTuple, Bool[np.ndarray, "edges"]]]:
    """Padded batches, and which of their edges are real."""
    config = potential.config
    graphs = GraphDataset.build(
        dataset, config.cutoff, config.atomic_numbers, potential.atomic_energies
    )
    return [(graph, _real_edges(graph)) for graph in ordered_batches(graphs, BATCH_SIZE)]


def _real_edges(graph: jraph.GraphsTuple) -> np.ndarray:
    return np.asarray(jraph.get_edge_padding_mask(graph))


def _padded(rows: np.ndarray, mask: np.ndarray) -> np.ndarray:
    full = np.zeros((len(mask), *rows.shape[1:]))
    full[mask] = rows
    return full


def _label_error(forces: Float[np.ndarray, "atoms 3"], dataset: Dataset) -> float | None:
    return None if dataset.forces is None else float(np.mean(np.abs(forces - dataset.forces)))
