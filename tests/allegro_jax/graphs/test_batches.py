import jraph
import numpy as np
import pytest
from ase.build import molecule

from allegro_jax.datasets import Structure, load, statistics
from allegro_jax.graphs import (
    Capacity,
    GraphDataset,
    average_neighbors,
    batch,
    batch_structures,
    buckets_for,
    capacity_for,
    neighbor_list,
    padding_waste,
    rounded_capacity,
)

CUTOFF = 5.0


@pytest.fixture(scope="module")
def metals():
    """Structures of different sizes, kinds and cells, with energy, forces and stress."""
    return load("culi").select([0, 300, 2000, 2100, 2150, 2177])


@pytest.fixture(scope="module")
def metal_graphs(metals):
    return GraphDataset.build(metals, CUTOFF, (3, 29))


def atom_alone():
    return Structure(np.array([1]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool))


def vectors(graph):
    """Edge vectors as the model computes them."""
    atoms_graph = np.repeat(np.arange(len(graph.n_node)), graph.n_node)
    cell = graph.globals["cell"][atoms_graph[graph.receivers]]
    shift = np.einsum("ei,eij->ej", graph.edges["shifts"], cell)
    positions = graph.nodes["positions"]
    return positions[graph.senders] - positions[graph.receivers] + shift


def test_a_batch_holds_what_its_structures_hold(metals, metal_graphs):
    chosen = [4, 0, 2]
    capacity = Capacity(atoms=400, edges=20_000, graphs=6)
    graph = batch(metal_graphs, chosen, capacity, np.float64)
    energies = graph.globals["energy"]
    atom = edge = 0
    for k, index in enumerate(chosen):
        item = metals[index]
        edges = neighbor_list(item.positions, item.cell, item.pbc, CUTOFF)
        atoms = slice(atom, atom + len(item.numbers))
        rows = slice(edge, edge + len(edges.centres))
        np.testing.assert_array_equal(graph.nodes["positions"][atoms], item.positions)
        np.testing.assert_array_equal(graph.nodes["forces"][atoms], item.forces)
        species = np.array([3, 29])[graph.nodes["species"][atoms]]
        np.testing.assert_array_equal(species, item.numbers)
        np.testing.assert_array_equal(graph.receivers[rows], edges.centres + atom)
        np.testing.assert_array_equal(graph.senders[rows], edges.neighbors + atom)
        np.testing.assert_array_equal(graph.edges["shifts"][rows], edges.shifts)
        np.testing.assert_array_equal(graph.globals["cell"][k], item.cell)
        np.testing.assert_array_equal(graph.globals["stress"][k], item.stress)
        assert energies[k] == item.energy
        assert graph.n_node[k] == len(item.numbers)
        assert graph.n_edge[k] == len(edges.centres)
        atom, edge = atoms.stop, rows.stop


def test_edge_vectors_of_a_batch_are_shorter_than_the_cutoff(metal_graphs):
    graph = batch(metal_graphs, [1, 3], capacity_for(metal_graphs, 3), np.float64)
    lengths = np.linalg.norm(vectors(graph), axis=1)
    real = np.asarray(jraph.get_edge_padding_mask(graph))
    assert lengths[real].min() > 1.5
    assert lengths[real].max() < CUTOFF
    assert (lengths[~real] == 0).all()


@pytest.mark.parametrize("room", [3, 5, 8])
def test_the_masks_of_jraph_tell_structures_from_padding(metal_graphs, room):
    chosen = [0, 5, 3]
    graph = batch(metal_graphs, chosen, Capacity(300, 16_000, room + 1))
    atoms, edges = metal_graphs.n_atoms[chosen].sum(), metal_graphs.n_edges[chosen].sum()
    masks = [
        jraph.get_graph_padding_mask(graph),
        jraph.get_node_padding_mask(graph),
        jraph.get_edge_padding_mask(graph),
    ]
    for mask, real, size in zip(masks, [3, atoms, edges], [room + 1, 300, 16_000], strict=True):
        np.testing.assert_array_equal(mask, np.arange(size) < real)
    assert graph.n_node.sum() == 300
    assert graph.n_edge.sum() == 16_000


def test_padding_is_zero_and_joins_the_last_atom_to_itself(metal_graphs):
    graph = batch(metal_graphs, [2], capacity_for(metal_graphs, 2))
    nodes, edges = (
        ~np.asarray(jraph.get_node_padding_mask(graph)),
        ~np.asarray(jraph.get_edge_padding_mask(graph)),
    )
    assert nodes[-1]
    assert edges.any()
    last = len(nodes) - 1
    assert (graph.senders[edges] == last).all()
    assert (graph.receivers[edges] == last).all()
    assert not graph.edges["shifts"][edges].any()
    assert not graph.nodes["forces"][nodes].any()
    assert not graph.nodes["positions"][nodes].any()


def test_centres_ascend_through_the_batch_and_its_padding(metal_graphs):
    graph = batch(metal_graphs, [3, 1, 4], capacity_for(metal_graphs, 4))
    assert (np.diff(graph.receivers) >= 0).all()


def test_types_are_those_of_the_layout(metal_graphs):
    single = batch(metal_graphs, [0], capacity_for(metal_graphs, 1))
    double = batch(metal_graphs, [0], capacity_for(metal_graphs, 1), np.float64)
    for graph, dtype in ((single, np.float32), (double, np.float64)):
        floats = [graph.nodes["positions"], graph.nodes["forces"], graph.edges["shifts"]]
        floats += [graph.globals[key] for key in ("cell", "energy", "stress")]
        assert {array.dtype for array in floats} == {np.dtype(dtype)}
        integers = [graph.nodes["species"], graph.senders, graph.receivers]
        assert {array.dtype for array in [*integers, graph.n_node, graph.n_edge]} == {
            np.dtype(np.int32)
        }


def test_an_atom_alone_and_a_stretched_pair_can_be_batched():
    apart = Structure(
        np.array([1, 8]), np.array([[0, 0, 0], [0, 0, 9.0]]), np.zeros((3, 3)), np.zeros(3, bool)
    )
    graph = batch_structures([atom_alone(), apart, atom_alone()], CUTOFF, (1, 8))
    np.testing.assert_array_equal(graph.n_node[:3], [1, 2, 1])
    np.testing.assert_array_equal(graph.n_edge[:3], [0, 0, 0])
    np.testing.assert_array_equal(graph.nodes["species"][:4], [0, 0, 1, 0])
    assert np.asarray(jraph.get_graph_padding_mask(graph)).sum() == 3
    assert not np.asarray(jraph.get_edge_padding_mask(graph)).any()


def test_a_set_without_any_edge_has_a_capacity():
    graphs = GraphDataset.build([atom_alone()] * 3, CUTOFF, (1,))
    graph = batch(graphs, [0, 1, 2], capacity_for(graphs, 3))
    assert graph.n_edge[:3].sum() == 0
    assert graphs.average_neighbors == 0.0


def test_unlabelled_structures_give_a_graph_without_labels():
    graph = batch_structures([Structure.from_atoms(molecule("H2O"))], CUTOFF, (1, 8))
    assert set(graph.nodes) == {"positions", "species"}
    assert set(graph.globals) == {"cell", "max_neighbors"}


def test_a_molecule_in_a_box_has_no_cell():
    atoms = molecule("H2O", cell=[10, 10, 10])
    graph = batch_structures([Structure.from_atoms(atoms)], CUTOFF, (1, 8))
    assert not graph.globals["cell"].any()


@pytest.mark.parametrize("keys", [(3, 29), ("Li", "Cu")])
def test_reference_energies_are_subtracted_in_double_precision(metals, keys):
    references = dict(zip(keys, (-2.3, -10.66), strict=True))
    graphs = GraphDataset.build(metals, CUTOFF, (3, 29), references)
    expected = [
        item.energy + 2.3 * (item.numbers == 3).sum() + 10.66 * (item.numbers == 29).sum()
        for item in metals
    ]
    np.testing.assert_allclose(graphs.energy, expected, rtol=0, atol=1e-9)
    assert graphs.atomic_energies == {3: -2.3, 29: -10.66}


def test_aspirin_energies_keep_their_digits_in_single_precision():
    # Totals of 17,618 eV have a spacing of 2 meV in float32; residuals of 0.3 eV have 3e-5 meV.
    data = load("rmd17-aspirin").select(range(50))
    references = statistics(data).atomic_energies
    graphs = GraphDataset.build(data, CUTOFF, data.elements, references)
    small = batch(graphs, range(50), capacity_for(graphs, 50)).globals["energy"][:50]
    exact = data.energy - data.energy.mean()
    assert np.abs(small - exact).max() < 1e-6


def test_an_unseen_element_is_named(metals):
    with pytest.raises(ValueError, match=r"hold the elements Cu.*species are Li"):
        GraphDataset.build(metals, CUTOFF, (3,))


def test_incomplete_or_misspelt_reference_energies_are_named(metals):
    with pytest.raises(ValueError, match=r"no reference energy for the elements Cu"):
        GraphDataset.build(metals, CUTOFF, (3, 29), {3: -2.0})
    with pytest.raises(ValueError, match=r"not chemical symbols: \['copper'\]"):
        GraphDataset.build(metals, CUTOFF, (3, 29), {"Li": -2.0, "copper": -10.0})


def test_repeated_species_and_empty_sets_are_refused(metals):
    with pytest.raises(ValueError, match="distinct"):
        GraphDataset.build(metals, CUTOFF, (3, 29, 3))
    with pytest.raises(ValueError, match="at least one structure"):
        GraphDataset.build([], CUTOFF, (3, 29))


def test_a_structure_without_a_neighbour_list_is_named():
    twice = Structure(np.array([1, 1]), np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    with pytest.raises(ValueError, match="structure 1: atoms 0 and 1"):
        GraphDataset.build([atom_alone(), twice], CUTOFF, (1,))


def test_average_neighbors_counts_directed_edges_per_atom(metals, metal_graphs):
    counts = [
        len(neighbor_list(item.positions, item.cell, item.pbc, CUTOFF).centres) for item in metals
    ]
    expected = sum(counts) / metals.n_atoms.sum()
    assert metal_graphs.average_neighbors == pytest.approx(expected)
    assert average_neighbors(metals, CUTOFF) == pytest.approx(expected)


def test_no_batch_overflows_the_capacity_of_its_size(metal_graphs):
    for size in range(1, 7):
        capacity = capacity_for(metal_graphs, size)
        by_edges = np.argsort(metal_graphs.n_edges)[-size:]
        by_atoms = np.argsort(metal_graphs.n_atoms)[-size:]
        for worst in (by_edges, by_atoms):
            assert len(batch(metal_graphs, worst, capacity).senders) == capacity.edges
        assert capacity.edges - metal_graphs.n_edges[by_edges].sum() < 32
        assert capacity.atoms - metal_graphs.n_atoms[by_atoms].sum() <= 4


def test_a_batch_beyond_the_capacity_says_both_sizes(metal_graphs):
    with pytest.raises(ValueError, match=r"2 structures, .* atoms .* Capacity\(atoms=.*graphs=2\)"):
        batch(metal_graphs, [0, 1], capacity_for(metal_graphs, 1))
    full = Capacity(int(metal_graphs.n_atoms[0]), 10_000, 2)  # no room for the padding atom
    with pytest.raises(ValueError, match="one padding atom"):
        batch(metal_graphs, [0], full)


@pytest.mark.parametrize("size", [0, 7])
def test_impossible_batch_sizes_are_refused(metal_graphs, size):
    with pytest.raises(ValueError, match="between 1 and the 6 structures"):
        capacity_for(metal_graphs, size)


def test_an_empty_batch_is_refused(metal_graphs):
    with pytest.raises(ValueError, match="a batch needs"):
        batch(metal_graphs, [], capacity_for(metal_graphs, 1))


def test_a_batch_takes_the_smallest_bucket_that_fits(metal_graphs):
    buckets = buckets_for(metal_graphs, 2, levels=3)
    assert len({bucket.edges for bucket in buckets}) == len(buckets) > 1
    assert buckets[-1] == capacity_for(metal_graphs, 2)
    smallest, largest = np.argsort(metal_graphs.n_edges)[[0, -1]]
    assert len(batch(metal_graphs, [smallest], buckets).senders) == buckets[0].edges
    second = np.argsort(metal_graphs.n_edges)[-2]
    assert len(batch(metal_graphs, [largest, second], buckets).senders) == buckets[-1].edges


def test_buckets_waste_less_than_one_capacity_on_structures_of_different_sizes():
    data = load("qm9").select(range(500))
    graphs = GraphDataset.build(data, 4.0, data.elements)
    wastes = [padding_waste(graphs, 16, buckets_for(graphs, 16, levels)) for levels in (1, 2, 3)]
    assert wastes[0] > 0.3
    assert wastes[1] < 0.2
    assert wastes[2] < wastes[1]
    assert wastes[0] == padding_waste(graphs, 16, capacity_for(graphs, 16))
    with pytest.raises(ValueError, match="between 1 and 4"):
        buckets_for(graphs, 16, levels=5)


def test_frames_of_one_molecule_waste_little():
    data = load("rmd17-aspirin").select(range(100))
    graphs = GraphDataset.build(data, 6.0, data.elements)
    assert padding_waste(graphs, 5, capacity_for(graphs, 5)) < 0.07


def test_coarse_capacities_hold_what_was_asked_and_are_few():
    sizes = range(1, 2000)
    capacities = {size: rounded_capacity(size, 20 * size) for size in sizes}
    assert all(capacity.fits(size, 20 * size, 1) for size, capacity in capacities.items())
    assert len({capacity.atoms for capacity in capacities.values()}) < 32
    waste = [1 - 20 * size / capacity.edges for size, capacity in capacities.items()]
    assert max(waste[10:]) < 0.2


def test_capacities_hash_by_value_and_need_room_for_padding():
    assert {Capacity(10, 20, 3): "a"}[Capacity(10, 20, 3)] == "a"
    with pytest.raises(ValueError, match="2 or more atoms and graphs"):
        Capacity(1, 10, 2)


def test_negative_indices_count_from_the_end(metal_graphs):
    capacity = capacity_for(metal_graphs, 2)
    from_end, from_start = batch(metal_graphs, [-2], capacity), batch(metal_graphs, [4], capacity)
    np.testing.assert_array_equal(from_end.nodes["positions"], from_start.nodes["positions"])
    np.testing.assert_array_equal(from_end.senders, from_start.senders)
    with pytest.raises(IndexError):
        batch(metal_graphs, [6], capacity)


def test_a_label_that_some_structures_lack_is_nan_there(metals):
    first, second = metals[0], metals[1]
    bare = Structure(second.numbers, second.positions, second.cell, second.pbc, second.energy)
    graphs = GraphDataset.build([first, bare], CUTOFF, (3, 29))
    np.testing.assert_array_equal(graphs.forces[: len(first.numbers)], first.forces)
    assert np.isnan(graphs.forces[len(first.numbers) :]).all()
    np.testing.assert_array_equal(np.isnan(graphs.stress[:, 0, 0]), [False, True])
    assert not np.isnan(graphs.energy).any()
    unlabelled = Structure.from_atoms(molecule("H2O"))
    assert GraphDataset.build([unlabelled], CUTOFF, (1, 8)).forces is None
