"""Neighbour lists on the host: every directed pair closer than a cutoff, sorted by centre."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

COINCIDENT = 1e-3
"""Two atoms (or an atom and its own image) closer than this, in Å, are an error."""

MAX_EDGES = 50_000_000
"""A structure expected to have more edges than this is an error."""

_BRUTE_FORCE_ATOMS = 64  # beyond this the N^2 distance table costs more than cell lists


class NeighborList(NamedTuple):
    """Directed edges `r_ij = r_j - r_i + shift @ cell`; both (i, j) and (j, i) are present.

    Attributes:
        centres: i, ascending; the atom that owns the edge.
        neighbors: j.
        shifts: lattice translations of j, integers.
    """

    centres: Int[np.ndarray, "edges"]
    neighbors: Int[np.ndarray, "edges"]
    shifts: Int[np.ndarray, "edges 3"]


def neighbor_list(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    pbc: Bool[np.ndarray, "3"],
    cutoff: float,
) -> NeighborList:
    """Finds all pairs with `|r_j - r_i + shift @ cell| < cutoff`.

    Any mix of periodic directions, skewed cells, cells smaller than the cutoff (an atom is then
    a neighbour of its own images) and atoms outside of the cell are handled. Small molecules
    take a table of all distances, everything else the cell lists of vesin. Edges are ordered by
    centre, neighbour and shift, so the result does not depend on which of the two ran.

    Args:
        positions: Å; not wrapped.
        cell: lattice vectors as rows, Å; rows of non-periodic directions are ignored.
        pbc: periodic directions.
        cutoff: Å.

    Returns:
        The edges; empty for an atom alone.

    Raises:
        ValueError: NaN positions, wrong shapes, a cutoff that is not positive, periodic lattice
            vectors that span no volume, more than `MAX_EDGES` edges, or coincident atoms.

    Example:
        >>> import numpy as np
        >>> from allegro_jax.graphs import neighbor_list
        >>> dimer = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]])
        >>> neighbor_list(dimer, np.zeros((3, 3)), np.zeros(3, bool), 5.0).centres
        array([0, 1])
    """
    positions = np.asarray(positions, np.float64)
    cell, pbc = np.asarray(cell, np.float64), np.asarray(pbc, bool)
    _check_input(positions, cell, pbc, cutoff)
    _check_size(positions, cell, pbc, cutoff)
    if not pbc.any() and len(positions) <= _BRUTE_FORCE_ATOMS:
        edges, distances = _brute_force(positions, cutoff)
    else:
        edges, distances = _vesin(positions, cell, pbc, cutoff)
    _check_distances(edges, distances)
    return edges


def _brute_force(
    positions: Float[np.ndarray, "atoms 3"], cutoff: float
) -> tuple[NeighborList, Float[np.ndarray, "edges"]]:
    """All pairs of a molecule from its N x N distance table."""
    difference = positions[None, :, :] - positions[:, None, :]
    squared = np.einsum("ijk,ijk->ij", difference, difference)
    np.fill_diagonal(squared, np.inf)
    centres, neighbors = np.nonzero(squared < cutoff * cutoff)
    shifts = np.zeros((len(centres), 3), np.int32)
    return NeighborList(centres, neighbors, shifts), np.sqrt(squared[centres, neighbors])


def _vesin(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    pbc: Bool[np.ndarray, "3"],
    cutoff: float,
) -> tuple[NeighborList, Float[np.ndarray, "edges"]]:
    """All pairs by cell lists; vesin's order within a centre is unspecified, so we sort."""
    import vesin

    search = vesin.NeighborList(cutoff=cutoff, full_list=True)
    i, j, shifts, distances = search.compute(positions, cell, pbc, quantities="ijSd")
    # vesin returns unsigned indices, whose differences wrap around.
    i, j = i.astype(np.int64), j.astype(np.int64)
    order = np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], j, i))
    return NeighborList(i[order], j[order], shifts[order]), distances[order]


def _check_input(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> None:
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise ValueError(f"the cutoff must be a positive length in Å; came {cutoff}")
    if positions.ndim != 2 or positions.shape[1] != 3 or len(positions) == 0:
        raise ValueError(f"positions must have shape (atoms, 3); came {positions.shape}")
    if cell.shape != (3, 3) or pbc.shape != (3,):
        raise ValueError(
            f"cell must have shape (3, 3) and pbc (3,); came {cell.shape} and {pbc.shape}"
        )
    if not np.isfinite(positions).all():
        atom = int(np.argwhere(~np.isfinite(positions))[0, 0])
        raise ValueError(f"the position of atom {atom} is NaN or infinite: {positions[atom]}")
    if not pbc.any():
        return
    if not np.isfinite(cell).all():
        raise ValueError(f"the cell holds NaN or infinite entries: {cell.tolist()}")
    # The product of singular values is the length, area or volume that the vectors span.
    if np.prod(np.linalg.svd(cell[pbc], compute_uv=False)) < 1e-6:
        raise ValueError(
            f"the periodic lattice vectors span no volume: {cell[pbc].tolist()} for pbc "
            f"{pbc.tolist()}; give independent vectors or set pbc to False"
        )


def _check_size(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> None:
    """Refuses what would fill the memory; the estimate takes the atoms as spread evenly."""
    if not pbc.any() and len(positions) ** 2 <= MAX_EDGES:
        return  # molecules are many, and this takes longer than their neighbour lists
    _, lengths, axes = np.linalg.svd(cell[pbc], full_matrices=True)
    extents = np.ptp(positions @ axes[pbc.sum() :].T, axis=0)  # in the open directions
    side = (4.0 / 3.0 * np.pi) ** (1.0 / 3.0) * cutoff  # of a cube as large as the sphere
    volume = np.prod(lengths) * np.prod(np.maximum(extents, side))
    expected = len(positions) ** 2 * side**3 / volume
    if expected > MAX_EDGES:
        raise ValueError(
            f"a cutoff of {cutoff} Å means about {expected:.0e} edges for these {len(positions)} "
            f"atoms, and at most {MAX_EDGES:.0e} are handled; check the length unit, or take a "
            "smaller cutoff or fewer atoms"
        )


def _check_distances(edges: NeighborList, distances: Float[np.ndarray, "edges"]) -> None:
    if len(distances) == 0 or distances.min() >= COINCIDENT:
        return
    k = int(np.argmin(distances))
    raise ValueError(
        f"atoms {edges.centres[k]} and {edges.neighbors[k]} (shift {edges.shifts[k].tolist()}) "
        f"are {distances[k]:.1e} Å apart; atoms must be at least {COINCIDENT} Å apart: remove "
        "the duplicate or check the cell"
    )
