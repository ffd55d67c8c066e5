"""A batch in blocks is the same as in one piece: values, derivatives, compilations, memory."""

import functools

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from allegro_jax.configs import ZBL, AllegroConfig
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, batch_structures
from allegro_jax.graphs.batches import MaxNeighbors
from allegro_jax.models import blocks, energy
from allegro_jax.models.blocks import Plan, plan_blocks
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import initial_params, predict
from allegro_jax.training.loss import LossWeights, weighted_loss
from tests.small_models import DOUBLE, EVERYDAY_MODELS, small_config

CUTOFF, SPECIES = 4.0, (1, 8, 29)
CAPACITY = Capacity(atoms=60, edges=1700, graphs=7)
FIRST = "2025", "mlp"
MOST = 42
"""Edges of the atoms that have most, in the dense crystal of `structures`."""

PLANS = [Plan(MOST, 60), Plan(61, 3), Plan(400, 40), Plan(1700, 60)]
"""One centre may fill a block exactly; uneven blocks; two or three; one for all."""

WEIGHTS = LossWeights(energy=1.0, forces=1.0, stress=1.0)


def model_config(architecture="2025", readout="mlp"):
    return small_config(
        architecture,
        readout,
        type_names=("H", "O", "Cu"),
        cutoff=CUTOFF,
        num_layers=2 if readout == "mlp" else 1,
        per_type_energy_shifts=(-1.0, -2.0, -3.0),
        pair_potential=ZBL(),
        precision=DOUBLE,
    )


def labelled(atoms, rng):
    """With any labels."""
    atoms = atoms.copy()
    atoms.rattle(0.05, seed=1)
    return Structure(
        atoms.numbers,
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
        energy=float(rng.normal()),
        forces=rng.normal(size=(len(atoms), 3)),
        stress=rng.normal(size=(3, 3)),
    )


def structures():
    """Crystals of two densities, molecules, and atoms without neighbours among and behind them."""
    dense = bulk("Cu", a=3.0, cubic=True)
    thin = bulk("Cu", a=3.7, cubic=True) * (2, 2, 1)
    apart = molecule("H2O")
    apart.positions[0] += 20.0
    atoms = [molecule("H2O"), dense, Atoms("O"), thin, apart, Atoms("Cu")]
    rng = np.random.default_rng(0)
    return [labelled(each, rng) for each in atoms]


def batch_of(chosen, capacity=CAPACITY, dtype=np.float64):
    return batch_structures(chosen, CUTOFF, SPECIES, capacity, dtype)


@pytest.fixture
def use(monkeypatch):
    """Makes `predict` take the given plan."""

    def take(plan):
        monkeypatch.setattr(energy, "plan_blocks", lambda *_: plan)

    return take


def close(found, expected, tolerance=1e-12):
    """Leaf by leaf, relative to the largest number of a leaf."""
    for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        scale = max(float(jnp.abs(right).max()), 1e-3)
        np.testing.assert_allclose(left / scale, right / scale, rtol=0.0, atol=tolerance)


def loss_of(model, graph, in_blocks):
    """The loss of a training in parameters and positions."""
    graph = jax.tree.map(jnp.asarray, graph)

    def loss(params, positions):
        moved = graph._replace(nodes={**graph.nodes, "positions": positions})
        predictions = predict(model, params, moved, in_blocks=in_blocks)
        return weighted_loss(predictions, moved, WEIGHTS)

    return loss


def test_the_crystal_has_as_many_neighbours_as_the_smallest_block_has_edges():
    graph = batch_of(structures())
    real = graph.receivers[: graph.n_edge[:-1].sum() - graph.n_edge[-1]]
    assert np.bincount(real)[: CAPACITY.atoms - 1].max() == MOST


@pytest.mark.parametrize("names", EVERYDAY_MODELS)
def test_predictions_are_those_of_one_piece(names, x64, use):
    config = model_config(*names)
    model, params, graph = build_model(config), initial_params(config), batch_of(structures())
    expected = jax.jit(functools.partial(predict, model, in_blocks=False))(params, graph)
    assert float(jnp.abs(expected.stress).max()) > 0
    for plan in PLANS if names == FIRST else PLANS[1:2]:
        use(plan)
        close(jax.jit(functools.partial(predict, model))(params, graph), expected)


@pytest.mark.parametrize("names", EVERYDAY_MODELS)
def test_gradients_of_a_training_loss_are_those_of_one_piece(names, x64, use):
    config = model_config(*names)
    model, params, graph = build_model(config), initial_params(config), batch_of(structures())
    positions = jnp.asarray(graph.nodes["positions"])
    gradient = jax.grad(loss_of(model, graph, in_blocks=False), (0, 1))
    expected = jax.jit(gradient)(params, positions)
    for plan in PLANS[:2] if names == FIRST else PLANS[1:2]:
        use(plan)
        gradient = jax.grad(loss_of(model, graph, in_blocks=True), (0, 1))
        close(jax.jit(gradient)(params, positions), expected, 1e-11)


def test_the_number_of_blocks_is_not_compiled(x64, use):
    config = model_config()
    model, params = build_model(config), initial_params(config)
    use(Plan(edges=64, atoms=4))
    compiled = jax.jit(functools.partial(predict, model))
    one_piece = jax.jit(functools.partial(predict, model, in_blocks=False))
    everything = structures()
    for chosen in (everything, everything[:2], everything[2:4], everything[:1], everything[3:4]):
        graph = batch_of(chosen)
        close(compiled(params, graph), one_piece(params, graph))
    assert compiled._cache_size() == 1


def test_blocks_cannot_be_differentiated_forwards(x64, use):
    config = model_config()
    model, params, graph = build_model(config), initial_params(config), batch_of(structures())
    use(Plan(edges=64, atoms=4))
    loss = loss_of(model, graph, in_blocks=True)
    positions = jnp.asarray(graph.nodes["positions"])
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(functools.partial(loss, params), (positions,), (positions,))


def temporary_bytes(config, graph):
    """By the compiler's account, for what one evaluation needs besides its arguments."""
    params = jax.eval_shape(functools.partial(initial_params, config))
    lowered = jax.jit(functools.partial(predict, build_model(config))).lower(params, graph)
    return lowered.compile().memory_analysis().temp_size_in_bytes


def test_memory_is_that_of_a_block(use):
    config = AllegroConfig(type_names=("H", "O", "Cu"), cutoff=CUTOFF, num_layers=1, l_max=2)
    graph = batch_of(
        [Structure.from_atoms(bulk("Cu", cubic=True) * 4)], Capacity(260, 5000, 2), np.float32
    )
    use(None)
    whole = temporary_bytes(config, graph)
    use(Plan(edges=128, atoms=8))
    assert temporary_bytes(config, graph) < whole / 10


def graph_of_size(atoms, edges, bound=64):
    """Nothing but sizes; memory that is never written costs nothing."""
    return jraph.GraphsTuple(
        nodes={"species": np.empty(atoms, np.int32)},
        edges=None,
        receivers=np.empty(edges, np.int32),
        senders=np.empty(edges, np.int32),
        globals=None if bound is None else {"max_neighbors": MaxNeighbors(bound)},
        n_node=None,
        n_edge=None,
    )


MEDIUM = AllegroConfig(type_names=("Cu",), cutoff=5.0, l_max=2, num_tensor_features=32)


def on(monkeypatch, platform, devices=1, threads=1):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    monkeypatch.setattr(blocks, "_threads", lambda: threads)


def test_on_cpu_large_batches_are_taken_apart_by_cache_and_threads(monkeypatch):
    large, small = graph_of_size(512, 21504), graph_of_size(24, 384)
    on(monkeypatch, "cpu")
    plan = plan_blocks(MEDIUM, large)
    assert 128 <= plan.edges <= 512
    assert plan.edges * 512 / 21504 < plan.atoms < 2 * plan.edges * 512 / 21504 + 8
    assert plan_blocks(MEDIUM, small) is None
    assert plan_blocks(MEDIUM, graph_of_size(512, 21504, bound=None)) is None
    on(monkeypatch, "cpu", threads=4)
    assert plan_blocks(MEDIUM, large).edges > 3 * plan.edges
    on(monkeypatch, "cpu", devices=8, threads=4)
    assert plan_blocks(MEDIUM, large) == plan


def test_a_block_holds_the_atom_with_most_neighbours(monkeypatch):
    on(monkeypatch, "cpu")
    assert plan_blocks(MEDIUM, graph_of_size(512, 215040, bound=1024)).edges == 1024


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_on_accelerators_only_what_would_not_fit_is_taken_apart(monkeypatch, platform):
    on(monkeypatch, platform)
    assert plan_blocks(MEDIUM, graph_of_size(4096, 200_000)) is None
    plan = plan_blocks(MEDIUM, graph_of_size(131_072, 5_600_000))
    feature = 9 * 32 * 4
    assert 1e9 < plan.edges * feature * 11 < 4.1e9
