import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.neighborlist import primitive_neighbor_list

from allegro_jax.graphs import neighbor_list
from allegro_jax.graphs import neighbors as neighbors_module

SKEWED = np.array([[3.1, 0.0, 0.0], [1.9, 2.6, 0.0], [-1.2, 0.9, 2.8]])
NO_CELL, OPEN = np.zeros((3, 3)), np.zeros(3, bool)


def as_set(centres, neighbors, shifts):
    return sorted(zip(centres.tolist(), neighbors.tolist(), *shifts.T.tolist(), strict=True))


def by_ase(positions, cell, pbc, cutoff):
    return as_set(*primitive_neighbor_list("ijS", pbc, cell, positions, cutoff))


def edge_vectors(edges, positions, cell):
    return positions[edges.neighbors] - positions[edges.centres] + edges.shifts @ cell


@pytest.mark.parametrize("atoms", [2, 5, 21, 60])
@pytest.mark.parametrize("cutoff", [1.5, 4.0, 30.0])
def test_vesin_and_brute_force_agree_on_molecules(atoms, cutoff, monkeypatch):
    positions = 8.0 * np.random.default_rng(atoms).random((atoms, 3)) - 2.0
    by_table = neighbor_list(positions, NO_CELL, OPEN, cutoff)
    monkeypatch.setattr(neighbors_module, "_BRUTE_FORCE_ATOMS", 0)
    by_cells = neighbor_list(positions, NO_CELL, OPEN, cutoff)
    for one, other in zip(by_table, by_cells, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("pbc", list(np.ndindex(2, 2, 2)))
@pytest.mark.parametrize("cutoff", [2.5, 6.0])
def test_every_mix_of_periodic_directions_agrees_with_ase(pbc, cutoff):
    # The cell is smaller than the cutoff, and atoms lie outside of it.
    positions = 9.0 * np.random.default_rng(1).random((4, 3)) - 3.0
    pbc = np.array(pbc, bool)
    edges = neighbor_list(positions, SKEWED, pbc, cutoff)
    assert len(edges.centres) > 0
    assert as_set(*edges) == by_ase(positions, SKEWED, pbc, cutoff)
    assert not edges.shifts[:, ~pbc].any()


def test_lattice_vectors_of_open_directions_are_ignored():
    positions = 4.0 * np.random.default_rng(2).random((5, 3))
    pbc = np.array([True, True, False])
    flat = SKEWED.copy()
    flat[2] = 0.0
    assert as_set(*neighbor_list(positions, flat, pbc, 5.0)) == as_set(
        *neighbor_list(positions, SKEWED, pbc, 5.0)
    )


@pytest.mark.parametrize("pbc", [[True, True, True], [True, False, True], [False] * 3])
def test_every_edge_has_its_reverse(pbc):
    positions = 5.0 * np.random.default_rng(3).random((6, 3))
    edges = neighbor_list(positions, SKEWED, np.array(pbc), 5.0)
    reverse = as_set(edges.neighbors, edges.centres, -edges.shifts)
    assert as_set(*edges) == reverse


def test_edges_are_shorter_than_the_cutoff_and_sorted_by_centre():
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=0)
    edges = neighbor_list(atoms.positions, atoms.cell.array, atoms.pbc, 5.0)
    lengths = np.linalg.norm(edge_vectors(edges, atoms.positions, atoms.cell.array), axis=1)
    assert lengths.max() < 5.0
    assert (np.diff(edges.centres) >= 0).all()


def test_an_fcc_atom_alone_in_its_cell_has_the_shells_of_the_lattice():
    # Shells of fcc at a/sqrt(2), a, a sqrt(3/2), a sqrt(2): 12 + 6 + 24 + 12 atoms.
    atoms = bulk("Cu", a=3.6)
    for cutoff, expected in ((2.6, 12), (3.7, 18), (4.5, 42), (5.1, 54)):
        edges = neighbor_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
        assert len(edges.centres) == expected


def test_moving_an_atom_by_a_lattice_vector_changes_no_edge_vector():
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    cell, moved = atoms.cell.array, atoms.positions.copy()
    moved[2] += np.array([3, -7, 11]) @ cell
    before = neighbor_list(atoms.positions, cell, atoms.pbc, 5.0)
    after = neighbor_list(moved, cell, atoms.pbc, 5.0)

    def rows(edges, positions):
        vectors = edge_vectors(edges, positions, cell)
        return sorted(map(tuple, np.round(np.c_[edges.centres, edges.neighbors, vectors], 6)))

    assert rows(before, atoms.positions) == rows(after, moved)


def test_an_atom_alone_has_no_edges():
    for pbc in (OPEN, np.ones(3, bool)):
        edges = neighbor_list(np.zeros((1, 3)), np.eye(3) * 20, pbc, 5.0)
        assert [array.shape for array in edges] == [(0,), (0,), (0, 3)]


def test_atoms_beyond_the_cutoff_have_no_edges():
    edges = neighbor_list(np.array([[0, 0, 0], [0, 0, 9.0]]), NO_CELL, OPEN, 5.0)
    assert len(edges.centres) == 0


def test_nan_positions_name_the_atom():
    positions = molecule("H2O").positions
    positions[1, 0] = np.nan
    with pytest.raises(ValueError, match="position of atom 1 is NaN"):
        neighbor_list(positions, NO_CELL, OPEN, 5.0)


@pytest.mark.parametrize("pbc", [OPEN, np.ones(3, bool)])
def test_coincident_atoms_are_named(pbc):
    positions = np.array([[0.0, 0, 0], [1.0, 0, 0], [1.0, 0, 1e-5]])
    with pytest.raises(ValueError, match=r"atoms 1 and 2 .* are 1\.0e-05 Å apart"):
        neighbor_list(positions, np.eye(3) * 20, pbc, 5.0)


def test_an_atom_on_the_image_of_another_is_named():
    positions = np.array([[0.0, 0, 0], [4.0, 0, 0]])
    with pytest.raises(ValueError, match="atoms 0 and 1 "):
        neighbor_list(positions, np.eye(3) * 4, np.ones(3, bool), 3.0)


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        (NO_CELL, [True, True, True]),
        (np.diag([3.0, 3.0, 0.0]), [True, True, True]),
        (np.array([[1.0, 1, 0], [2, 2, 0], [0, 0, 1]]), [True, True, False]),
        (np.diag([0.0, 3.0, 3.0]), [True, False, False]),
    ],
)
def test_periodic_directions_without_volume_are_refused(cell, pbc):
    with pytest.raises(ValueError, match="span no volume"):
        neighbor_list(np.zeros((1, 3)), cell, np.array(pbc), 5.0)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_a_cutoff_that_is_not_a_length_is_refused(cutoff):
    with pytest.raises(ValueError, match="positive length"):
        neighbor_list(np.zeros((1, 3)), NO_CELL, OPEN, cutoff)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"positions must have shape \(atoms, 3\)"):
        neighbor_list(np.zeros((3, 2)), NO_CELL, OPEN, 5.0)
    with pytest.raises(ValueError, match=r"cell must have shape \(3, 3\)"):
        neighbor_list(np.zeros((3, 3)), np.zeros(3), OPEN, 5.0)


@pytest.mark.parametrize("pbc", [[True, True, False], [False, True, False], [False] * 3])
def test_large_unwrapped_systems_agree_with_ase(pbc):
    rng = np.random.default_rng(4)
    cell = np.diag([12.0, 13.0, 14.0]) + rng.normal(size=(3, 3))
    positions = 30.0 * rng.random((150, 3)) - 10.0
    pbc = np.array(pbc)
    edges = neighbor_list(positions, cell, pbc, 4.0)
    assert as_set(*edges) == by_ase(positions, cell, pbc, 4.0)


@pytest.mark.parametrize("pbc", list(np.ndindex(2, 2, 2)))
@pytest.mark.parametrize("cutoff", [4.0, 25.0])
def test_too_many_edges_are_foreseen_within_a_factor_of_three(pbc, cutoff, monkeypatch):
    positions = np.random.default_rng(5).random((120, 3)) @ (6.0 * SKEWED)
    arguments = (positions, 6.0 * SKEWED, np.array(pbc, bool), cutoff)
    edges = len(neighbor_list(*arguments).centres)
    monkeypatch.setattr(neighbors_module, "MAX_EDGES", 3 * edges)
    neighbor_list(*arguments)
    monkeypatch.setattr(neighbors_module, "MAX_EDGES", edges // 3)
    with pytest.raises(ValueError, match=f"cutoff of {cutoff} Å means about"):
        neighbor_list(*arguments)
