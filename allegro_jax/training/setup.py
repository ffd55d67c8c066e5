"""What a model takes from its training data: elements, scale, neighbours, atomic references."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import chemical_symbols

from allegro_jax.configs import ModelConfig, config_class
from allegro_jax.datasets import Dataset, statistics
from allegro_jax.graphs import average_neighbors
from allegro_jax.training.config import Metric


def config_from_data(
    train: Dataset, cutoff: float, *, architecture: str = "2025", **options: Any
) -> ModelConfig:
    """Returns a model config with the statistics of a training set filled in.

    The elements of the set become the types; energies are scaled by the root mean square of the
    force components (or, without forces, by the standard deviation of the energy per atom after
    the atomic references) and neighbour sums by the average number of neighbours.

    Args:
        train: Training structures.
        cutoff: Cutoff radius, Å.
        architecture: "2025" gives an `AllegroConfig`, "2023" an `Allegro2023Config`.
        **options: Other fields of that config.

    Raises:
        ValueError: If `train` is empty, the architecture unknown, or no atom has a neighbour
            within the cutoff.
    """
    make_config = config_class(architecture)
    stats = statistics(train)
    scale = stats.force_rms or stats.per_atom_energy_std
    neighbors = average_neighbors(train, cutoff)
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


def atomic_energies(train: Dataset) -> dict[str, float]:
    """Returns the reference energy of every element in eV, by least squares on `train`."""
    references = statistics(train).atomic_energies
    return {chemical_symbols[number]: energy for number, energy in references.items()}


def deciding_metric(asked_for: Metric | None, train: Dataset, valid: Dataset) -> Metric:
    """Returns the validation metric that decides which parameters are kept.

    Args:
        asked_for: `TrainingConfig.metric`.
        train: Training structures.
        valid: Validation structures.

    Raises:
        ValueError: If the validation structures have no label of that kind.
    """
    metric = asked_for or ("energy_mae" if train.forces is None else "forces_mae")
    labels = valid.energy if metric == "energy_mae" else valid.forces
    if labels is None or np.isnan(labels).all():
        raise ValueError(
            f"{metric} decides which parameters are kept, but none of the {len(valid)} validation "
            f"structures has a label for it; label some, or set TrainingConfig.metric"
        )
    return metric
