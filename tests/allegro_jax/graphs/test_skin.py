"""Lists with a skin: they hold every pair while they say so, and pruning leaves a new list."""

import dataclasses

import jax
import numpy as np
import pytest
from ase.build import bulk, molecule

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import (
    Capacity,
    SkinList,
    batch,
    grown_capacity,
    neighbor_list,
    prune,
)
from allegro_jax.models.energy import edge_vectors

CUTOFF, SKIN = 3.0, 0.6
PBC = [[True, True, True], [True, False, True], [False, True, False], [False, False, False]]


def crystal(pbc=True):
    atoms = bulk("Cu", "fcc", a=3.6) * (2, 2, 1)  # skewed, and smaller than the cutoff
    atoms.rattle(0.1, seed=1)
    atoms.pbc = pbc
    return Structure.from_atoms(atoms)


def build(structure):
    return SkinList.build(structure, CUTOFF, SKIN, species=(29,))


def pairs(edges):
    rows = np.column_stack([edges.centres, edges.neighbors, edges.shifts]).tolist()
    return set(map(tuple, rows))


def holds_every_pair(skin_list, structure):
    now = neighbor_list(structure.positions, structure.cell, structure.pbc, CUTOFF)
    return pairs(now) <= pairs(skin_list.graphs)


def moved(structure, amplitude, strain=0.0, seed=0):
    """Atoms displaced by up to `amplitude` and a cell strained at random."""
    rng = np.random.default_rng(seed)
    deformation = np.eye(3) + strain * rng.uniform(-1, 1, (3, 3))
    steps = rng.normal(size=structure.positions.shape)
    steps *= amplitude / np.linalg.norm(steps, axis=1, keepdims=True)
    positions = structure.positions @ deformation + steps
    return dataclasses.replace(structure, positions=positions, cell=structure.cell @ deformation)


@pytest.mark.parametrize("pbc", PBC)
def test_whenever_a_list_covers_a_structure_it_holds_all_of_its_pairs(pbc):
    structure = crystal(pbc)
    skin_list = build(structure)
    covered = []
    for seed, amplitude in enumerate(np.linspace(0.0, 0.6, 40)):
        later = moved(structure, amplitude, strain=0.1 * (seed % 3), seed=seed)
        covered.append(skin_list.covers(later))
        if covered[-1]:
            assert holds_every_pair(skin_list, later)
    assert any(covered)
    assert not all(covered)


def test_a_pair_that_approaches_by_the_skin_is_still_listed():
    structure = Structure.from_atoms(molecule("H2"))
    apart = dataclasses.replace(structure, positions=np.diag([0, 0, CUTOFF + SKIN - 1e-6])[[0, 2]])
    skin_list = SkinList.build(apart, CUTOFF, SKIN, species=(1,))
    assert skin_list.inside.sum() == 0
    for approach, expected in ((0.99 * SKIN, True), (1.01 * SKIN, False)):
        closer = dataclasses.replace(apart, positions=apart.positions * 1.0)
        closer.positions[1, 2] -= approach
        assert skin_list.covers(closer) == expected
        assert holds_every_pair(skin_list, closer)


def test_translation_small_strain_and_expansion_need_no_new_list_but_compression_does():
    structure = crystal()
    skin_list = build(structure)
    assert skin_list.covers(dataclasses.replace(structure, positions=structure.positions + 50.0))
    assert skin_list.covers(moved(structure, 0.0, strain=0.02))
    for scale, expected in ((1.5, True), (0.84, True), (0.83, False)):
        cell, positions = scale * structure.cell, scale * structure.positions
        scaled = dataclasses.replace(structure, cell=cell, positions=positions)
        assert skin_list.covers(scaled) == expected


def test_other_elements_periodicity_or_atoms_need_a_new_list():
    structure = crystal()
    skin_list = build(structure)
    assert skin_list.covers(structure)
    others = [
        dataclasses.replace(structure, numbers=structure.numbers + 1),
        dataclasses.replace(structure, pbc=np.array([True, True, False])),
        dataclasses.replace(
            structure, numbers=structure.numbers[:3], positions=structure.positions[:3]
        ),
        dataclasses.replace(structure, positions=structure.positions * np.nan),
    ]
    assert not any(map(skin_list.covers, others))


def test_moving_the_arrays_in_place_is_noticed():
    structure = crystal()
    skin_list = build(structure)
    structure.positions[0] += 1.0
    assert not skin_list.covers(structure)


@pytest.mark.parametrize("pbc", PBC)
def test_pruning_leaves_the_edges_of_a_new_list_in_its_order(x64, pbc):
    structure = crystal(pbc)
    skin_list = build(structure)
    graphs = skin_list.graphs
    graph = batch(graphs, [0], Capacity(8, 512, 2), np.float64)
    vectors = edge_vectors(graph, np.float64)
    pruned, n_edges, shortest, rows = jax.jit(prune, static_argnums=3)(graph, vectors, CUTOFF, 256)
    expected = neighbor_list(structure.positions, structure.cell, structure.pbc, CUTOFF)
    n = len(expected.centres)
    assert n_edges == skin_list.inside.sum() == n
    np.testing.assert_array_equal(pruned.receivers[:n], expected.centres)
    np.testing.assert_array_equal(pruned.senders[:n], expected.neighbors)
    np.testing.assert_array_equal(pruned.edges["shifts"][:n], expected.shifts)
    np.testing.assert_array_equal(pruned.receivers[n:], 7)
    np.testing.assert_array_equal(graph.senders[rows[:n]], expected.neighbors)
    np.testing.assert_array_equal(rows[n:], 512)
    np.testing.assert_array_equal(pruned.n_edge, [n, 256 - n])
    lengths = np.linalg.norm(edge_vectors(pruned, np.float64)[:n], axis=1)
    assert shortest == pytest.approx(lengths.min(), rel=1e-12)


def test_too_small_a_capacity_is_told_by_the_count():
    structure = crystal()
    graph = batch(build(structure).graphs, [0], Capacity(8, 512, 2))
    expected = len(neighbor_list(structure.positions, structure.cell, structure.pbc, CUTOFF)[0])
    assert prune(graph, edge_vectors(graph, np.float32), CUTOFF, 8).n_edges == expected > 8


def test_a_capacity_of_a_simulation_never_shrinks():
    first = grown_capacity(None, 100, 1000)
    assert first.fits(100, 1000, 1)
    assert grown_capacity(first, 90, 700) == first
    larger = grown_capacity(first, 100, first.edges + 1)
    assert larger.edges >= 1.1 * first.edges
    assert grown_capacity(None, 10, 20).edges < 100
