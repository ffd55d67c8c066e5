"""Directed pairs within a cutoff, sorted by centre."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

COINCIDENT = 1e-3
"""Two atoms closer than this, in Å, are an error."""


class Pairs(NamedTuple):
    """Edges r_ij = r_j - r_i + shift @ cell, each in both directions.

    Attributes:
        centres: i, ascending.
        neighbors: j.
        shifts: lattice translations of j.
    """

    centres: np.ndarray
    neighbors: np.ndarray
    shifts: np.ndarray


def find_pairs(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> Pairs:
    """Finds all pairs closer than the cutoff, in any cell; ordered by centre, neighbour, shift.

    Args:
        positions: Å, [atoms, 3].
        cell: lattice vectors as rows (Å).
        pbc: which of them are periodic.
        cutoff: Å.

    Raises:
        ValueError: positions that are not finite, periodic vectors without volume, atoms at the
            same place, or neither vesin nor ase is installed.
    """
    _check(positions, cell, pbc)
    i, j, shifts, distances = _search(positions, cell, pbc, cutoff)
    order = np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], j, i))
    if len(distances) and distances.min() < COINCIDENT:
        k = int(np.argmin(distances))
        raise ValueError(
            f"atoms {i[k]} and {j[k]} are {distances[k]:.1e} Å apart; atoms must be at least "
            f"{COINCIDENT} Å apart: remove the duplicate or check the cell"
        )
    return Pairs(i[order], j[order], shifts[order])


def _search(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[np.ndarray, ...]:
    try:
        import vesin
    except ImportError:
        return _search_by_ase(positions, cell, pbc, cutoff)
    search = vesin.NeighborList(cutoff=cutoff, full_list=True)
    i, j, shifts, distances = search.compute(positions, cell, pbc, quantities="ijSd")
    return i.astype(np.int64), j.astype(np.int64), shifts, distances  # vesin's are unsigned


def _search_by_ase(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[np.ndarray, ...]:
    try:
        from ase.neighborlist import primitive_neighbor_list
    except ImportError as error:
        raise ValueError(
            "neighbours are found by vesin or by ase, and neither is installed: pip install vesin"
        ) from error
    return primitive_neighbor_list("ijSd", pbc, cell, positions, cutoff)


def _check(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    if not np.isfinite(positions).all():
        atom = int(np.argwhere(~np.isfinite(positions))[0, 0])
        raise ValueError(f"the position of atom {atom} is NaN or infinite: {positions[atom]}")
    if not pbc.any():
        return
    lengths = np.linalg.svd(cell[pbc], compute_uv=False)
    if not (np.isfinite(lengths).all() and np.prod(lengths) >= 1e-6):
        raise ValueError(
            f"the periodic lattice vectors span no volume: {cell[pbc].tolist()}; give independent "
            "vectors or set pbc to False"
        )
