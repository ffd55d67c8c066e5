"""Weighted mean squared errors of energies, forces and stresses over a padded batch."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float

from allegro_jax.potential import Predictions


class LossWeights(NamedTuple):
    """Weights of the terms; a term of weight zero, or without labels, is not computed.

    Attributes:
        energy: Of the squared error of the energy per atom (eV²).
        forces: Of the squared error of a force component (eV²/Å²).
        stress: Of the squared error of a stress component (eV²/Å⁶).
    """

    energy: float = 1.0
    forces: float = 1.0
    stress: float = 0.0


def masked_mean(values: Float[Array, ...], mask: Bool[Array, " rows"]) -> Float[Array, ""]:
    """Returns the mean over the rows where `mask` holds (and all trailing axes)."""
    rows = values.reshape(values.shape[0], -1)
    count = jnp.maximum(mask.sum() * rows.shape[1], 1)
    return jnp.where(mask[:, None], rows, 0).sum() / count


def energy_loss(energy: Float[Array, " graphs"], graph: jraph.GraphsTuple) -> Float[Array, ""]:
    """Returns the mean squared error of the energy per atom, eV²."""
    atoms = jnp.maximum(graph.n_node, 1)
    error = (energy - graph.globals["energy"]) / atoms
    return masked_mean(error**2, jraph.get_graph_padding_mask(graph))


def weighted_loss(
    predictions: Predictions, graph: jraph.GraphsTuple, weights: LossWeights
) -> Float[Array, ""]:
    """Returns the weighted sum of the mean squared errors of the labels that `graph` has."""
    loss = weights.energy * energy_loss(predictions.energy, graph)
    if weights.forces and "forces" in graph.nodes:
        error = predictions.forces - graph.nodes["forces"]
        loss += weights.forces * masked_mean(error**2, jraph.get_node_padding_mask(graph))
    if weights.stress and "stress" in graph.globals:
        error = predictions.stress - graph.globals["stress"]
        loss += weights.stress * masked_mean(error**2, jraph.get_graph_padding_mask(graph))
    return loss
