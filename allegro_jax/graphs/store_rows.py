"""From structures to the rows of a store: neighbour lists, labels, and what a store cannot hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs.graph_dataset import GraphDataset
from allegro_jax.graphs.store_files import MAX_ATOMS, MAX_SHIFT, OF_LABELS

CHUNK = 512
"""Structures that are written together; the first of them decide which labels a store has."""


def optional_labels(structure: Structure) -> dict[str, Any]:
    """Returns the labels that a store may be without."""
    group = structure.config_type
    return {"forces": structure.forces, "stress": structure.stress, "group": group}


def store_rows(
    name: str, start: int, structures: list[Structure], cutoff: float, labels: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns the rows of some structures in every array, and their groups.

    Args:
        name: Of the set, for errors.
        start: Number of the first of them.
        structures: Some structures.
        cutoff: Of the neighbour lists, Å.
        labels: Those that the store has, of `OF_LABELS`.

    Raises:
        ValueError: A structure that a store cannot hold.
    """
    for k, item in enumerate(structures, start):
        _check_structure(item, f"{name}: structure {k}", labels)
    elements = np.unique(np.concatenate([item.numbers for item in structures])).tolist()
    try:
        graphs = GraphDataset.build(structures, cutoff, elements)
    except ValueError as error:
        raise ValueError(f"{name}, counting from structure {start}: {error}") from error
    if np.abs(graphs.shifts).max(initial=0) > MAX_SHIFT:
        raise ValueError(
            f"{name}: an edge of structures {start} on crosses more than {MAX_SHIFT} cells; lower "
            "the cutoff or repeat the cell"
        )
    owners = graphs.centres + np.repeat(graphs.first_atoms, graphs.n_edges)
    per_atom = np.bincount(owners, minlength=len(graphs.positions))
    arrays: dict[str, Any] = {
        "n_atoms": graphs.n_atoms,
        "n_edges": graphs.n_edges,
        "max_neighbors": np.maximum.reduceat(per_atom, graphs.first_atoms),
        "cell": np.stack([item.cell for item in structures]),
        "pbc": np.stack([item.pbc for item in structures]),
        "energy": _or_nan(graphs.energy, (len(graphs),)),
        "stress": _or_nan(graphs.stress, (len(graphs), 3, 3)),
        "numbers": np.concatenate([item.numbers for item in structures]),
        "positions": graphs.positions,
        "forces": _or_nan(graphs.forces, (len(graphs.positions), 3)),
        "centres": graphs.centres,
        "neighbors": graphs.neighbors,
        "shifts": graphs.shifts,
    }
    squares = np.nansum(arrays["forces"] ** 2, axis=1)
    arrays["force_squares"] = np.add.reduceat(squares, graphs.first_atoms)
    known = np.sum(~np.isnan(arrays["forces"]), axis=1)
    arrays["force_count"] = np.add.reduceat(known, graphs.first_atoms)
    return arrays, [str(item.config_type) for item in structures]


def _check_structure(item: Structure, place: str, labels: tuple[str, ...]) -> None:
    n_atoms = len(item.numbers)
    if not 1 <= n_atoms <= MAX_ATOMS:
        raise ValueError(f"{place} has {n_atoms} atoms; a store takes 1 to {MAX_ATOMS}")
    if item.numbers.min() < 1 or item.numbers.max() > 118:
        raise ValueError(f"{place}: atomic numbers lie between 1 and 118; came {item.numbers}")
    values = {"energy": item.energy, **optional_labels(item)}
    for label in ("energy", "forces", "stress"):
        if values[label] is not None and np.isinf(values[label]).any():
            raise ValueError(f"{place}: its {label} is infinite; drop or repair that structure")
    if late := [key for key in OF_LABELS if values[key] is not None and key not in labels]:
        raise ValueError(
            f"{place} has a label that none of the first {CHUNK} has: {late[0]}. Put some that "
            "have it first"
        )
    if all(values[key] is None or _is_nan(values[key]) for key in ("energy", "forces", "stress")):
        raise ValueError(f"{place} has no label (energy, forces or stress); label or drop it")


def _is_nan(label: Any) -> bool:
    return bool(np.isnan(label).all())


def _or_nan(label: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, np.nan) if label is None else label
