"""What the header of a store says of its contents, from its small arrays, block by block."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from allegro_jax.datasets.statistics import NormalEquations
from allegro_jax.graphs.store_files import MappedFile

COMPOSITION = "composition"
_BLOCK = 1 << 20  # atoms


def summarise(folder: Path, species: list[int] | None) -> dict[str, Any]:
    """Writes the composition of every structure, and returns the species and the statistics.

    Args:
        folder: A store whose arrays are complete.
        species: Their order; None for all that occur, ascending.
    """
    numbers = MappedFile(folder / "numbers.npy").array
    n_atoms = MappedFile(folder / "n_atoms.npy").array
    energy = MappedFile(folder / "energy.npy").array
    seen = np.zeros(256, bool)
    for start in range(0, len(numbers), _BLOCK):
        seen[np.unique(numbers[start : start + _BLOCK])] = True
    order = np.flatnonzero(seen).tolist() if species is None else species
    equations = NormalEquations(len(order))
    offsets = np.concatenate([[0], np.cumsum(n_atoms, dtype=np.int64)])
    composition = np.lib.format.open_memmap(
        folder / f"{COMPOSITION}.npy", "w+", np.uint16, (len(n_atoms), len(order))
    )
    for rows in _blocks(offsets):
        counts = _composition(numbers, offsets[rows.start : rows.stop + 1], order)
        composition[rows] = counts
        known = ~np.isnan(energy[rows])
        equations.add(counts[known], energy[rows][known])
    composition.flush()
    solution = equations.solution()
    residual = (energy - composition @ solution) / n_atoms
    residual = residual[~np.isnan(residual)]
    return {
        "species": order,
        "statistics": {
            "atomic_energies": dict(zip(map(str, order), solution.tolist(), strict=True)),
            "per_atom_energy_std": float(residual.std()) if len(residual) else 0.0,
            **_scales(folder, int(offsets[-1])),
        },
    }


def _scales(folder: Path, atoms: int) -> dict[str, float | None]:
    n_edges = MappedFile(folder / "n_edges.npy").array
    force_rms = None
    if (folder / "force_squares.npy").exists():
        squares = MappedFile(folder / "force_squares.npy").array
        counts = MappedFile(folder / "force_count.npy").array
        force_rms = float(np.sqrt(squares.sum() / max(counts.sum(dtype=np.int64), 1)))
    average = float(n_edges.sum(dtype=np.int64) / atoms)
    return {"force_rms": force_rms, "average_neighbors": average}


def _blocks(offsets: Int[np.ndarray, "structures+1"]) -> list[slice]:
    """Cuts the structures into runs of about a million atoms."""
    edges = np.searchsorted(offsets, np.arange(0, offsets[-1], _BLOCK), side="left")
    edges = np.unique([*edges.tolist(), len(offsets) - 1])
    return [slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]


def _composition(
    numbers: np.ndarray, offsets: Int[np.ndarray, "structures+1"], order: list[int]
) -> Float[np.ndarray, "structures species"]:
    here = numbers[offsets[0] : offsets[-1]]
    is_element = (here[:, None] == np.array(order)).astype(np.float64)
    return np.add.reduceat(is_element, offsets[:-1] - offsets[0])
