"""Weighted mean errors of energies, forces and stresses over the labels of a padded batch.

Where several devices share a batch, `axis` names them: every device returns its share of the mean
over the whole batch, and the sum of the shares is the loss.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from allegro_jax.potential import Predictions
from allegro_jax.training.config import Loss, TrainingConfig
from allegro_jax.training.labels import errors_of, label_counts


class LossWeights(NamedTuple):
    """Weights of the terms: numbers, or arrays of one number or of one for every step.

    Attributes:
        energy: Of the mean error of energies (with squares: per eV²).
        forces: Of the mean error of force components (Å²/eV²).
        stress: Of the mean error of stress components (Å⁶/eV²).
    """

    energy: Any = 1.0
    forces: Any = 1.0
    stress: Any = 0.0


@dataclasses.dataclass(frozen=True)
class Penalty:
    """What an error costs.

    Attributes:
        kind: "mse" takes e², "mae" |e|, "huber" e²/2 up to `delta` and delta (|e| - delta/2)
            beyond (Huber, 1964), and "l2" the length of the vector of which e is a component: the
            force on an atom, all of a stress, the energy itself (the L2MAE of Chanussot et al.,
            ACS Catal. 11, 6059, 2021).
        delta: In the unit of the error.
        energy_per_atom: Whether errors of energies are divided by the number of atoms.
    """

    kind: Loss = "mse"
    delta: float = 0.01
    energy_per_atom: bool = True

    @classmethod
    def of(cls, training: TrainingConfig) -> Penalty:
        """Returns that of a run."""
        return cls(training.loss, training.huber_delta, training.energy_per_atom)

    def __call__(self, error: Float[Array, "rows components"]) -> Float[Array, "rows components"]:
        """Returns the cost of every component of an error."""
        size = error * jnp.sign(error)  # |e|, of slope 0 at 0, where that of `abs` is 1
        match self.kind:
            case "mse":
                return error**2
            case "mae":
                return size
            case "l2":
                return jnp.broadcast_to(_length(error), error.shape)
            case _:
                near = jnp.minimum(size, self.delta)
                return near * (size - 0.5 * near)


def loss_terms(
    predicted: Mapping[str, Float[Array, "rows ..."]],
    graph: jraph.GraphsTuple,
    counts: Mapping[str, Int[Array, ""]],
    penalty: Penalty,
) -> dict[str, Float[Array, ""]]:
    """Returns the mean cost of every predicted quantity that `graph` has labels for.

    Args:
        predicted: Some of "energy", "forces" and "stress".
        graph: A batch, or a part of one.
        counts: Labelled entries of the whole batch, by which the sums are divided.
        penalty: What an error costs.
    """
    terms = {}
    for name, errors in errors_of(predicted, graph).items():
        values = errors.values
        if name == "energy" and penalty.energy_per_atom:
            values = values / jnp.maximum(graph.n_node, 1)
        rows = values.shape[0]
        costs = jnp.where(errors.known.reshape(rows, -1), penalty(values.reshape(rows, -1)), 0)
        terms[name] = costs.sum() / jnp.maximum(counts[name], 1)
    return terms


def _length(error: Float[Array, "rows components"]) -> Float[Array, "rows 1"]:
    """Lengths of vectors, with slope 0 at 0."""
    square = jnp.sum(error**2, axis=1, keepdims=True)
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def weighted_sum(terms: Mapping[str, Float[Array, ""]], weights: LossWeights) -> Float[Array, ""]:
    """Returns the sum of the terms, each times its weight."""
    return functools.reduce(
        operator.add, [getattr(weights, name) * term for name, term in terms.items()]
    )


def weighted_loss(
    predictions: Predictions,
    graph: jraph.GraphsTuple,
    weights: LossWeights,
    axis: str | None = None,
    penalty: Penalty | None = None,
) -> Float[Array, ""]:
    """Returns the weighted sum of the mean errors of the labels that `graph` has.

    Args:
        predictions: Of the model.
        graph: A batch, or with an `axis` this device's share of it.
        weights: Of the terms; one of weight 0.0 is left out.
        axis: Devices that share the batch.
        penalty: What an error costs; None takes squares, of energies per atom.
    """
    predicted = {
        name: values
        for name, values in predictions._asdict().items()
        if name in LossWeights._fields and getattr(weights, name) != 0.0
    }
    counts = label_counts(graph, axis)
    return weighted_sum(loss_terms(predicted, graph, counts, penalty or Penalty()), weights)
