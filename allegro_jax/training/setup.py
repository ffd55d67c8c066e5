"""What a model takes from its training data: elements, scale, neighbours, atomic references."""

from __future__ import annotations

from typing import Any

from ase.data import chemical_symbols

from allegro_jax.configs import ModelConfig, config_class
from allegro_jax.datasets import Dataset, Statistics
from allegro_jax.datasets import statistics as statistics_of
from allegro_jax.graphs import GraphStore, average_neighbors


def config_from_data(
    train: Dataset | GraphStore,
    cutoff: float,
    *,
    architecture: str = "2025",
    statistics: Statistics | None = None,
    neighbors: float | None = None,
    **options: Any,
) -> ModelConfig:
    """Returns a model config with the statistics of a training set filled in.

    The elements of the set become the types; energies are scaled by the root mean square of the
    force components (or, without forces, by the standard deviation of the energy per atom after
    the atomic references) and neighbour sums by the average number of neighbours.

    Args:
        train: Training structures; of a store nothing but its small arrays is read.
        cutoff: Cutoff radius, Å.
        architecture: "2025" gives an `AllegroConfig`, "2023" an `Allegro2023Config`.
        statistics: Of the training structures, if known; None computes them.
        neighbors: Average number of neighbours of an atom within the cutoff, likewise.
        **options: Other fields of that config.

    Raises:
        ValueError: If `train` is empty, the architecture unknown, or no atom has a neighbour
            within the cutoff, or a store has another cutoff.
    """
    make_config = config_class(architecture)
    stats = statistics_of(train) if statistics is None else statistics
    scale = stats.force_rms or stats.per_atom_energy_std
    if neighbors is None:
        neighbors = _average_neighbors(train, cutoff)
    if neighbors <= 0:
        raise ValueError(
            f"no atom of {train.name!r} has a neighbour within the cutoff of {cutoff} Å; "
            "raise the cutoff or check the length unit (positions are read as Å)"
        )
    return make_config(
        type_names=tuple(chemical_symbols[number] for number in train.elements),
        cutoff=cutoff,
        avg_num_neighbors=neighbors,
        per_type_energy_scales=scale or 1.0,
        **options,
    )


def _average_neighbors(train: Dataset | GraphStore, cutoff: float) -> float:
    if not isinstance(train, GraphStore):
        return average_neighbors(train, cutoff)
    train.check_cutoff(cutoff)
    return train.average_neighbors


def atomic_energies(train: Dataset | GraphStore) -> dict[str, float]:
    """Returns the reference energy of every element in eV, by least squares on `train`."""
    references = statistics_of(train).atomic_energies
    return {chemical_symbols[number]: energy for number, energy in references.items()}
