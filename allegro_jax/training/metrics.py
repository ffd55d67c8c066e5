"""Mean absolute and root mean squared errors, summed over padded batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float

from allegro_jax.potential import Predictions


class ErrorSums(NamedTuple):
    """Sums over real entries: of |error|, of error², and their number."""

    absolute: Float[Array, ""]
    squared: Float[Array, ""]
    entries: Float[Array, ""]


def error_sums(error: Float[Array, ...], mask: Bool[Array, " rows"]) -> ErrorSums:
    """Returns the sums of an error array over the rows where `mask` holds."""
    rows = jnp.where(mask[:, None], error.reshape(error.shape[0], -1), 0)
    count = mask.sum() * rows.shape[1]
    return ErrorSums(jnp.abs(rows).sum(), (rows**2).sum(), count.astype(rows.dtype))


def batch_errors(predictions: Predictions, graph: jraph.GraphsTuple) -> dict[str, ErrorSums]:
    """Returns the error sums of every quantity that `graph` has labels for.

    Keys: "energy" (eV per structure), "energy_per_atom" (eV), "forces" (eV/Å per component),
    "stress" (eV/Å³ per component).
    """
    graphs = jraph.get_graph_padding_mask(graph)
    energy = predictions.energy - graph.globals["energy"]
    sums = {
        "energy": error_sums(energy, graphs),
        "energy_per_atom": error_sums(energy / jnp.maximum(graph.n_node, 1), graphs),
    }
    if "forces" in graph.nodes:
        error = predictions.forces - graph.nodes["forces"]
        sums["forces"] = error_sums(error, jraph.get_node_padding_mask(graph))
    if "stress" in graph.globals:
        sums["stress"] = error_sums(predictions.stress - graph.globals["stress"], graphs)
    return sums


def summarise(batches: Iterable[Mapping[str, ErrorSums]]) -> dict[str, float]:
    """Returns the errors over all batches, summed in float64.

    Keys are `<quantity>_mae` and `<quantity>_rmse`, with what follows a slash at the end: the sums
    of "forces/member_0" give `forces_mae/member_0`.
    """
    totals: dict[str, list[float]] = {}
    for sums in jax.device_get(list(batches)):
        for name, part in sums.items():
            total = totals.setdefault(name, [0.0, 0.0, 0.0])
            for column, value in enumerate(part):
                total[column] += float(value)
    errors = {}
    for name, (absolute, squared, count) in totals.items():
        quantity, slash, part = name.partition("/")
        errors[f"{quantity}_mae{slash}{part}"] = absolute / count
        errors[f"{quantity}_rmse{slash}{part}"] = math.sqrt(squared / count)
    return errors
