"""Parts of a structure: nothing is lost, nothing is twice, and the work is even."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import GraphDataset
from allegro_jax.sharding.partition import bisect, box_coordinates, partition

CUTOFF = 5.0


def copper(repeats=5, pbc=True):
    atoms = bulk("Cu", cubic=True) * repeats
    atoms.rattle(0.1, seed=0)
    atoms.pbc = pbc
    return atoms


def skewed():
    cell = [[3.1, 0.0, 0.0], [1.9, 3.6, 0.0], [-1.2, 0.9, 3.8]]
    positions = [[0.1, 0, 0], [1.6, 1.0, 0.3], [0.6, 2.0, 1.9], [2.4, 2.9, 2.2], [-0.5, 1.8, 3.0]]
    return Atoms("Cu5", positions, cell=cell, pbc=True)


def cut(atoms, parts):
    structure = Structure.from_atoms(atoms)
    species = np.unique(atoms.numbers).tolist()
    graphs = GraphDataset.build([structure], CUTOFF, species)
    return graphs, partition(graphs, structure.pbc, parts)


def edge_set(centres, neighbors, shifts):
    return sorted(map(tuple, np.column_stack([centres, neighbors, shifts]).tolist()))


CASES = {
    "crystal": (copper(), 8),
    "slab": (copper(3, pbc=[True, True, False]), 3),
    "skewed cell smaller than the cutoff": (skewed(), 3),
    "fewer atoms than parts": (molecule("H2O"), 8),
}


@pytest.mark.parametrize(("atoms", "parts"), CASES.values(), ids=CASES)
def test_every_edge_is_in_the_part_of_its_centre_and_nowhere_else(atoms, parts):
    graphs, result = cut(atoms, parts)
    own = []
    edges = []
    for part in range(parts):
        atoms_here = slice(*result.parts.atom_offsets[part : part + 2])
        edges_here = slice(*result.parts.edge_offsets[part : part + 2])
        rows = result.rows[atoms_here]
        own += rows[: result.n_own[part]].tolist()
        centres = result.parts.centres[edges_here]
        assert (np.diff(centres) >= 0).all()
        assert (centres < result.n_own[part]).all()
        neighbors = rows[result.parts.neighbors[edges_here]]
        edges += edge_set(rows[centres], neighbors, result.parts.shifts[edges_here])
    assert sorted(own) == list(range(len(atoms)))
    assert sorted(edges) == edge_set(graphs.centres, graphs.neighbors, graphs.shifts)


def test_parts_of_a_crystal_have_equally_many_edges():
    graphs, result = cut(copper(10), 16)
    assert result.n_counted.sum() == graphs.n_edges[0]
    assert result.n_counted.max() / result.n_counted.mean() < 1.01


def test_edges_are_balanced_also_where_the_density_is_not_even():
    dense, thin = copper(4, pbc=False), copper(3, pbc=False)
    thin.set_cell(thin.cell * 1.3, scale_atoms=True)
    thin.positions += [30.0, 0.0, 0.0]
    _, result = cut(dense + thin, 6)
    assert result.n_counted.max() / result.n_counted.mean() < 1.15
    assert result.n_own.max() > 1.2 * result.n_own.min()


def test_parts_are_compact():
    coordinates = np.random.default_rng(0).uniform(size=(8000, 3))
    owner = bisect(coordinates, np.ones(8000), 8)
    for part in range(8):
        assert (np.ptp(coordinates[owner == part], axis=0) < 0.52).all()


def test_seven_parts_of_equal_atoms_are_as_even_as_eight():
    owner = bisect(np.random.default_rng(0).uniform(size=(700, 3)), np.ones(700), 7)
    assert np.bincount(owner).tolist() == [100] * 7


def test_atoms_across_a_periodic_border_count_as_where_their_image_lies():
    cell = np.array([[10.0, 0, 0], [5.0, 10.0, 0], [0, 0, 0]])
    positions = np.array([[1.0, 1.0, 3.0], [11.0, 1.0, 3.0], [6.0, 11.0, 3.0], [1.0, 1.0, 13.0]])
    result = box_coordinates(positions, cell, np.array([True, True, False]))
    np.testing.assert_allclose(result[1], result[0], atol=1e-12)
    np.testing.assert_allclose(result[2], result[0], atol=1e-12)
    assert abs(result[3] - result[0])[2] == pytest.approx(10.0)
