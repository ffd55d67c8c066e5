"""Structures in batches of one padded size: what a potential and a committee do alike."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import jraph
import numpy as np

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, GraphDataset, batch, capacity_for, rounded_capacity
from allegro_jax.models.energy import Predictions

R_co = TypeVar("R_co", covariant=True)

BATCH_SIZE = 16
"""Structures per compiled call where many are given."""


class Evaluator(Protocol[R_co]):
    """What `evaluated` needs: a potential, or several."""

    @property
    def config(self) -> ModelConfig:
        """The architecture."""

    def check_elements(self, structure: Structure, index: int = 0) -> None:
        """See `Potential.check_elements`."""

    def predict(self, graph: jraph.GraphsTuple) -> Predictions:
        """See `Potential.predict`."""

    def results(self, structures: Sequence[Structure], predictions: Predictions) -> Sequence[R_co]:
        """See `Potential.results`."""


def evaluated(evaluator: Evaluator[R_co], structures: Any, capacity: Capacity | None) -> Any:
    """One result for one structure, a list for several; see `Potential.__call__`."""
    if isinstance(structures, Structure) or hasattr(structures, "get_positions"):
        return _in_batches(evaluator, [_as_structure(structures)], capacity)[0]
    items = [_as_structure(item) for item in structures]
    return _in_batches(evaluator, items, capacity) if items else []


def _in_batches(
    evaluator: Evaluator[R_co], structures: list[Structure], capacity: Capacity | None
) -> list[R_co]:
    for index, structure in enumerate(structures):
        evaluator.check_elements(structure, index)
    config = evaluator.config
    graphs = GraphDataset.build(structures, config.cutoff, config.atomic_numbers)
    capacity = capacity or _rounded(graphs)
    batch_size = capacity.graphs - 1
    results: list[R_co] = []
    for start in range(0, len(structures), batch_size):
        part = structures[start : start + batch_size]
        indices = np.arange(start, start + len(part))
        graph = batch(graphs, indices, capacity, jnp.dtype(config.precision.geometry))
        results += evaluator.results(part, jax.device_get(evaluator.predict(graph)))
    return results


def _rounded(graphs: GraphDataset) -> Capacity:
    """A coarse capacity for batches of a power of two of structures, at most `BATCH_SIZE`."""
    size = min(len(graphs), BATCH_SIZE)
    worst = capacity_for(graphs, size)
    return rounded_capacity(worst.atoms - 1, worst.edges, 2 ** (size - 1).bit_length())


def _as_structure(item: Any) -> Structure:
    return item if isinstance(item, Structure) else Structure.from_atoms(item)
