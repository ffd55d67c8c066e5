"""Which entries of a padded batch carry a label, and how far predictions are from them.

A label that is NaN is missing: neither it nor the prediction in its place takes part in a loss, a
gradient or a metric. The same holds for padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float, Int


class Labels(NamedTuple):
    """The labels of one quantity.

    Attributes:
        values: Zero where there is none.
        known: Which entries are labelled, and no padding.
    """

    values: Float[Array, "rows ..."]
    known: Bool[Array, "rows ..."]


class Errors(NamedTuple):
    """Predictions less labels.

    Attributes:
        values: Zero where there is no label.
        known: As in `Labels`.
    """

    values: Float[Array, "rows ..."]
    known: Bool[Array, "rows ..."]


def labels_of(graph: jraph.GraphsTuple) -> dict[str, Labels]:
    """Returns the labels that a batch has: of "energy", "forces" and "stress"."""
    of_graphs = jraph.get_graph_padding_mask(graph)
    found = {
        "energy": (graph.globals.get("energy"), of_graphs),
        "forces": (graph.nodes.get("forces"), jraph.get_node_padding_mask(graph)),
        "stress": (graph.globals.get("stress"), of_graphs),
    }
    return {
        name: _labels(jnp.asarray(values), real)
        for name, (values, real) in found.items()
        if values is not None
    }


def label_counts(graph: jraph.GraphsTuple, axis: str | None = None) -> dict[str, Int[Array, ""]]:
    """Returns the number of labelled entries of each quantity.

    Args:
        graph: A batch, or with an `axis` this device's share of it.
        axis: Devices over which is counted.
    """
    counts = {name: labels.known.sum() for name, labels in labels_of(graph).items()}
    return counts if axis is None else jax.lax.psum(counts, axis)


def errors_of(
    predicted: Mapping[str, Float[Array, "rows ..."]], graph: jraph.GraphsTuple
) -> dict[str, Errors]:
    """Returns the errors of those of the predicted quantities that a batch has labels for."""
    return {
        name: Errors(
            # The labels hold no NaN here, so nor does the cotangent that `where` sends back.
            jnp.where(labels.known, predicted[name] - labels.values, 0),
            labels.known,
        )
        for name, labels in labels_of(graph).items()
        if name in predicted
    }


def _labels(values: Float[Array, "rows ..."], real: Bool[Array, "rows"]) -> Labels:
    known = real.reshape(-1, *(1,) * (values.ndim - 1)) & ~jnp.isnan(values)
    return Labels(jnp.where(known, values, 0), known)
