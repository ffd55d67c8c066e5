"""Structures in batches of one padded size: what a potential and a committee do alike."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import jax
import jax.numpy as jnp
import jraph
import numpy as np

from allegro_jax.configs import ModelConfig
from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.graphs import Capacity, GraphDataset, batch, capacity_for, rounded_capacity
from allegro_jax.models.energy import Predictions

if TYPE_CHECKING:
    import ase

R = TypeVar("R")

BATCH_SIZE = 16
"""Structures per compiled call where many are given."""


class BatchedEvaluation(ABC, Generic[R]):
    """What is called with structures, and gives a result of type `R` for each.

    Attributes:
        config: architecture.
    """

    config: ModelConfig

    @abstractmethod
    def check_elements(self, structure: Structure, index: int = 0) -> None:
        """Raises a ValueError without atoms, or with elements that are not known.

        Args:
            structure: what is to be evaluated.
            index: its place in a list, for the message.
        """

    @abstractmethod
    def predict(self, graph: jraph.GraphsTuple) -> Predictions:
        """Evaluates a padded batch.

        Args:
            graph: batch in the layout of `allegro_jax.graphs`.
        """

    @abstractmethod
    def results(self, structures: Sequence[Structure], predictions: Predictions) -> list[R]:
        """Takes an evaluated batch apart.

        Args:
            structures: those of the batch, in order.
            predictions: what `predict` returned for it, as numpy arrays.
        """

    @overload
    def __call__(
        self, structures: "Structure | ase.Atoms", *, capacity: Capacity | None = None
    ) -> R: ...

    @overload
    def __call__(
        self,
        structures: "Dataset | Sequence[Structure | ase.Atoms]",
        *,
        capacity: Capacity | None = None,
    ) -> list[R]: ...

    def __call__(
        self,
        structures: "Structure | ase.Atoms | Dataset | Sequence[Structure | ase.Atoms]",
        *,
        capacity: Capacity | None = None,
    ) -> R | list[R]:
        """Evaluates one structure, or many in batches.

        Args:
            structures: `Structure`, `ase.Atoms`, a sequence of these, or a `Dataset`.
            capacity: padded size of every batch; None takes a rounded one that fits the largest.
                Calls with equal capacities share one compilation.

        Returns:
            One result, or a list of results in the order of a sequence or data set.

        Raises:
            ValueError: no atoms, an element the potential does not know, NaN positions, atoms at
                the same place, a periodic cell without volume, a batch beyond `capacity`.
        """
        if isinstance(structures, Structure) or hasattr(structures, "get_positions"):
            return _in_batches(self, [_as_structure(structures)], capacity)[0]
        items = [_as_structure(item) for item in structures]
        return _in_batches(self, items, capacity) if items else []


def _in_batches(
    evaluator: BatchedEvaluation[R], structures: list[Structure], capacity: Capacity | None
) -> list[R]:
    for index, structure in enumerate(structures):
        evaluator.check_elements(structure, index)
    config = evaluator.config
    graphs = GraphDataset.build(structures, config.cutoff, config.atomic_numbers)
    capacity = capacity or _rounded(graphs)
    batch_size = capacity.graphs - 1
    results: list[R] = []
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
