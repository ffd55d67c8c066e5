"""Mean absolute and root mean squared errors, summed over padded batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float

from allegro_jax.potential import Predictions
from allegro_jax.training.labels import Errors, errors_of


class ErrorSums(NamedTuple):
    """Sums over labelled entries: of |error|, of error², and their number."""

    absolute: Float[Array, ""]
    squared: Float[Array, ""]
    entries: Float[Array, ""]


def error_sums(error: Float[Array, "rows ..."], known: Bool[Array, "rows ..."]) -> ErrorSums:
    """Returns the sums of an error array over the entries where `known` holds."""
    rows = jnp.where(known, error, 0).reshape(error.shape[0], -1)
    return ErrorSums(jnp.abs(rows).sum(), (rows**2).sum(), known.sum().astype(rows.dtype))


def batch_errors(
    predictions: Predictions, graph: jraph.GraphsTuple, type_names: Sequence[str] = ()
) -> dict[str, ErrorSums]:
    """Returns the error sums of every quantity that `graph` has labels for.

    Keys: "energy" (eV per structure), "energy_per_atom" (eV), "forces" (eV/Å per component),
    "stress" (eV/Å³ per component), and "forces/H" and the like, of the atoms of one type.

    Args:
        predictions: Of the model.
        graph: A padded batch.
        type_names: Of the species indices; none for no errors by type.
    """
    errors = errors_of(predictions._asdict(), graph)
    sums = {name: error_sums(*error) for name, error in errors.items()}
    if "energy" in errors:
        values, known = errors["energy"]
        sums["energy_per_atom"] = error_sums(values / jnp.maximum(graph.n_node, 1), known)
    if "forces" in errors:
        sums |= _by_type(errors["forces"], graph, type_names)
    return sums


def summarise(batches: Iterable[Mapping[str, ErrorSums]]) -> dict[str, float]:
    """Returns the errors over all batches, summed in float64.

    Keys are `<quantity>_mae` and `<quantity>_rmse`, with `/<type>` at the end where they are those
    of one type, `forces_mae/H`, and `/member_0` and so on where they are those of a member of a
    committee. Quantities without a label are left out.
    """
    totals: dict[str, list[float]] = {}
    for sums in jax.device_get(list(batches)):
        for name, part in sums.items():
            total = totals.setdefault(name, [0.0, 0.0, 0.0])
            for column, value in enumerate(part):
                total[column] += float(value)
    errors = {}
    for name, (absolute, squared, count) in totals.items():
        if count:
            quantity, slash, part = name.partition("/")
            errors[f"{quantity}_mae{slash}{part}"] = absolute / count
            errors[f"{quantity}_rmse{slash}{part}"] = math.sqrt(squared / count)
    return errors


def _by_type(
    errors: Errors, graph: jraph.GraphsTuple, type_names: Sequence[str]
) -> dict[str, ErrorSums]:
    of_type = {
        name: (graph.nodes["species"] == index)[:, None] for index, name in enumerate(type_names)
    }
    return {
        f"forces/{name}": error_sums(errors.values, errors.known & rows)
        for name, rows in of_type.items()
    }
