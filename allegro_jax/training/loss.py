"""Weighted mean squared errors of energies, forces and stresses over a padded batch.

Where several devices share a batch, `axis` names them: every device returns its share of the mean
over the whole batch, and the sum of the shares is the loss.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
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


def masked_mean(
    values: Float[Array, ...], mask: Bool[Array, " rows"], axis: str | None = None
) -> Float[Array, ""]:
    """Returns the mean over the rows where `mask` holds (and all trailing axes).

    With an `axis` of devices the sum is over this device's rows and the count over those of all.
    """
    rows = values.reshape(values.shape[0], -1)
    count = mask.sum() * rows.shape[1]
    if axis is not None:
        count = jax.lax.psum(count, axis)
    count = jnp.maximum(count, 1)
    return jnp.where(mask[:, None], rows, 0).sum() / count


def energy_loss(
    energy: Float[Array, " graphs"], graph: jraph.GraphsTuple, axis: str | None = None
) -> Float[Array, ""]:
    """Returns the mean squared error of the energy per atom, eV²."""
    atoms = jnp.maximum(graph.n_node, 1)
    error = (energy - graph.globals["energy"]) / atoms
    return masked_mean(error**2, jraph.get_graph_padding_mask(graph), axis)


def weighted_loss(
    predictions: Predictions,
    graph: jraph.GraphsTuple,
    weights: LossWeights,
    axis: str | None = None,
) -> Float[Array, ""]:
    """Returns the weighted sum of the mean squared errors of the labels that `graph` has."""
    loss = weights.energy * energy_loss(predictions.energy, graph, axis)
    if weights.forces and "forces" in graph.nodes:
        error = predictions.forces - graph.nodes["forces"]
        loss += weights.forces * masked_mean(error**2, jraph.get_node_padding_mask(graph), axis)
    if weights.stress and "stress" in graph.globals:
        error = predictions.stress - graph.globals["stress"]
        loss += weights.stress * masked_mean(error**2, jraph.get_graph_padding_mask(graph), axis)
    return loss
