"""Labels without the dispersion that they have: what a model of a short cutoff learns instead."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from allegro_jax.configs.dispersion import D3
from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.dispersion.terms import DispersionTerms, dispersion_terms

if TYPE_CHECKING:
    from allegro_jax.graphs import GraphStore


def subtract_dispersion(dataset: Dataset, dispersion: D3 | str) -> Dataset:
    """Returns a data set whose labels lack the dispersion that they had.

    `train` and `fit` do this for themselves where `TrainingConfig.dispersion` is given; elsewhere,
    give the potential its correction back by `Potential.with_dispersion`.

    Args:
        dataset: labels of a functional with the correction.
        dispersion: which correction, as `D3.of` takes it.

    Raises:
        ModuleNotFoundError: see `check_available`.
        ValueError: see `dispersion_terms`.

    Example:
        >>> from allegro_jax.datasets import load
        >>> from allegro_jax.dispersion import subtract_dispersion
        >>> aspirin = load("rmd17-aspirin").select([0])
        >>> bare = subtract_dispersion(aspirin, "PBE-D3(BJ)")
        >>> bool(bare.energy[0] > aspirin.energy[0])
        True
    """
    chosen = D3.of(dispersion)
    terms = list(_each(dataset, chosen))
    energy = np.array([term.energy for term in terms])
    forces = np.concatenate([term.forces for term in terms])
    changes: dict[str, Any] = {"energy": dataset.energy - energy}
    if dataset.forces is not None:
        changes["forces"] = dataset.forces - forces
    if dataset.stress is not None:
        # A stress that is no label is NaN, and stays so whatever is taken off it.
        nothing = np.zeros((3, 3))
        stress = [nothing if term.stress is None else term.stress for term in terms]
        changes["stress"] = dataset.stress - np.stack(stress)
    return dataclasses.replace(dataset, **changes)


def bare_labels(data: "Dataset | GraphStore", dispersion: D3 | None) -> "Dataset | GraphStore":
    """Returns what the model of a potential learns, or is tested on: labels less its dispersion.

    Args:
        data: labels of what the potential predicts.
        dispersion: of the potential; None for none.

    Raises:
        ModuleNotFoundError: see `check_available`.
        ValueError: see `dispersion_terms`, or a store, whose labels are on disk as they are.
    """
    if dispersion is None:
        return data
    if not isinstance(data, Dataset):
        raise ValueError(
            f"{dispersion.name} cannot be taken off the labels of the store {data.name!r}: write a "
            "store of subtract_dispersion(dataset, ...), and add it to what is trained on that by "
            "potential.with_dispersion(...)"
        )
    return subtract_dispersion(data, dispersion)


def _each(structures: Iterable[Structure], dispersion: D3) -> Iterable[DispersionTerms]:
    for index, structure in enumerate(structures):
        try:
            yield dispersion_terms(structure, dispersion)
        except ValueError as error:
            raise ValueError(f"structure {index}: {error}") from error
