"""A structure cut into parts of neighbouring atoms, each with the edges of its own atoms.

Allegro is strictly local: the energy of an atom depends on the edges that leave it, and every sum
over neighbours is one over these. A part that holds all edges of its own atoms therefore has
their exact energies, and the gradient of these in the edge vectors; of the atoms across its
border, the halo, it needs nothing but positions and species.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from allegro_jax.graphs import GraphDataset


@dataclasses.dataclass(frozen=True, eq=False)
class Partition:
    """The parts of one structure.

    Attributes:
        parts: every part as a structure: its own atoms, in the order of the whole, then the halo;
            the edges are those whose centre is an own atom, with the shifts of the whole. Images
            of an atom are one atom here as well.
        rows: for each atom of each part, its number in the whole.
        n_own: own atoms of each part; every atom of the whole belongs to one part.
        n_counted: edges of each part among those that were balanced.
    """

    parts: GraphDataset
    rows: Int[np.ndarray, "local"]
    n_own: Int[np.ndarray, "parts"]
    n_counted: Int[np.ndarray, "parts"]

    @property
    def halo_fraction(self) -> float:
        """Atoms of halos over atoms of the whole: positions held more than once."""
        return float((self.parts.n_atoms.sum() - self.n_own.sum()) / self.n_own.sum())


def partition(
    graphs: GraphDataset,
    pbc: Bool[np.ndarray, "3"],
    parts: int,
    counted: Bool[np.ndarray, "edges"] | None = None,
) -> Partition:
    """Cuts a structure into compact parts with equally many edges.

    Args:
        graphs: the neighbour list of one structure.
        pbc: its periodic directions.
        parts: how many; with more of them than atoms, some stay empty.
        counted: edges to be balanced, those that will be evaluated; None for all.

    Example:
        >>> import numpy as np
        >>> from ase.build import bulk
        >>> from allegro_jax.datasets.dataset import Structure
        >>> from allegro_jax.graphs import GraphDataset
        >>> from allegro_jax.sharding.partition import partition
        >>> copper = Structure.from_atoms(bulk("Cu", cubic=True) * 4)
        >>> graphs = GraphDataset.build([copper], cutoff=5.0, species=[29])
        >>> partition(graphs, copper.pbc, parts=4).n_own
        array([64, 64, 64, 64])
    """
    num_atoms = int(graphs.n_atoms[0])
    active = graphs.centres if counted is None else graphs.centres[counted]
    n_edges = np.bincount(active, minlength=num_atoms)
    # Atoms without neighbours cost a little as well.
    owner = bisect(box_coordinates(graphs.positions, graphs.cell[0], pbc), n_edges + 1, parts)
    own_atoms = _grouped(owner, parts)
    own_edges = _grouped(owner[graphs.centres], parts)
    local_number = np.empty(num_atoms, np.int32)
    rows, centres, neighbors = [], [], []
    for atoms, edges in zip(own_atoms, own_edges, strict=True):
        others = graphs.neighbors[edges]
        halo = np.unique(others[owner[others] != owner[graphs.centres[edges]]])
        rows.append(np.concatenate([atoms, halo]))
        local_number[rows[-1]] = np.arange(len(rows[-1]))
        centres.append(local_number[graphs.centres[edges]])
        neighbors.append(local_number[others])
    rows_of_all = np.concatenate(rows)
    local = dataclasses.replace(
        graphs,
        n_atoms=np.array([len(part) for part in rows]),
        n_edges=np.array([len(part) for part in own_edges]),
        positions=graphs.positions[rows_of_all],
        species_index=graphs.species_index[rows_of_all],
        centres=np.concatenate(centres),
        neighbors=np.concatenate(neighbors),
        shifts=graphs.shifts[np.concatenate(own_edges)],
        cell=np.repeat(graphs.cell, parts, axis=0),
        energy=None,
        forces=None,
        stress=None,
    )
    return Partition(
        parts=local,
        rows=rows_of_all,
        n_own=np.array([len(atoms) for atoms in own_atoms]),
        n_counted=np.bincount(owner, weights=n_edges, minlength=parts).astype(np.int64),
    )


def bisect(
    coordinates: Float[np.ndarray, "atoms 3"], weights: Float[np.ndarray, "atoms"], parts: int
) -> Int[np.ndarray, "atoms"]:
    """Recursive coordinate bisection: the longest side is cut where the weights balance.

    Berger and Bokhari, IEEE Trans. Comput. C-36, 570 (1987), here for any number of parts.

    Args:
        coordinates: of the atoms, in any unit.
        weights: what is to be balanced.
        parts: at least one.

    Returns:
        The part of every atom.
    """
    owner = np.zeros(len(coordinates), np.int32)
    pending = [(np.arange(len(coordinates)), 0, parts)]
    while pending:
        atoms, first, count = pending.pop()
        if count == 1 or len(atoms) == 0:
            owner[atoms] = first
            continue
        lower = count // 2
        sides = np.ptp(coordinates[atoms], axis=0)
        order = atoms[np.argsort(coordinates[atoms, np.argmax(sides)], kind="stable")]
        filled = np.concatenate([[0], np.cumsum(weights[order])])
        cut = int(np.argmin(np.abs(filled - filled[-1] * lower / count)))
        pending += [(order[:cut], first, lower), (order[cut:], first + lower, count - lower)]
    return owner


def box_coordinates(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    pbc: Bool[np.ndarray, "3"],
) -> Float[np.ndarray, "atoms 3"]:
    """Coordinates across the faces of the cell (Å), wrapped into it where it repeats."""
    basis = np.array(cell, np.float64)
    if not pbc.all():
        # Open directions are measured along axes perpendicular to the periodic ones.
        _, _, axes = np.linalg.svd(cell[pbc], full_matrices=True)
        basis[~pbc] = axes[pbc.sum() :]
    inverse = np.linalg.inv(basis)
    fractional = positions @ inverse
    fractional[:, pbc] %= 1.0
    return fractional / np.linalg.norm(inverse, axis=0)


def _grouped(owner: Int[np.ndarray, "items"], parts: int) -> list[Int[np.ndarray, "..."]]:
    """The items of every part, in their order."""
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.cumsum(np.bincount(owner, minlength=parts))[:-1])
