"""One optimiser step: labels that are missing, weights that change, batches in parts."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.graphs import GraphDataset
from allegro_jax.graphs.flat import flat_graphs
from allegro_jax.graphs.padding import capacity_for
from allegro_jax.models.build import build_model
from allegro_jax.potential import initial_params
from allegro_jax.training import TrainingConfig
from allegro_jax.training.accumulation import accumulated_step
from allegro_jax.training.balancing import balanced_weights
from allegro_jax.training.labels import label_counts
from allegro_jax.training.loss import LossWeights
from allegro_jax.training.step import loss_and_gradient, train_step
from tests.allegro_jax.training.tiny import (
    batch_of,
    energies_alone,
    graphs_of,
    molecules,
    tiny_config,
    tiny_state,
)

TRAINING = TrainingConfig(clip_norm=None)
RATE = jnp.float32(1e-2)


@pytest.fixture(scope="module")
def graphs() -> GraphDataset:
    return graphs_of(molecules())


PARAMS = initial_params(tiny_config())


@jax.jit
def gradient_of(graph, params=PARAMS):
    """Loss and gradient of a batch."""
    training = dataclasses.replace(TRAINING, loss="huber", huber_delta=0.3)
    model, weights = build_model(tiny_config()), LossWeights(1.0, 1.0)
    return loss_and_gradient(model, training, params, graph, weights, label_counts(graph))[:2]


def without_labels(graphs: GraphDataset, structure: int) -> GraphDataset:
    energy, forces = graphs.energy.copy(), graphs.forces.copy()
    energy[structure] = np.nan
    forces[graphs.atom_offsets[structure] : graphs.atom_offsets[structure + 1]] = np.nan
    return dataclasses.replace(graphs, energy=energy, forces=forces)


def assert_close(found, expected, rtol: float = 1e-4) -> None:
    def check(a, b) -> None:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * float(np.abs(b).max()))

    jax.tree.map(check, found, expected)


def test_a_structure_without_labels_counts_as_one_that_is_left_out(graphs) -> None:
    unlabelled = batch_of(without_labels(graphs, 3), range(6))
    left_out = batch_of(graphs, [0, 1, 2, 4, 5])
    assert_close(gradient_of(unlabelled), gradient_of(left_out))


def test_the_gradient_is_that_of_finite_differences(graphs) -> None:
    graph = batch_of(without_labels(graphs, 0), range(4))
    _, gradient = gradient_of(graph)
    norm = float(jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient))))
    h = 1e-2 / norm
    ends = [
        jax.tree.map(lambda p, g, way=way: p + way * h * g, PARAMS, gradient) for way in (1, -1)
    ]
    above, below = (float(gradient_of(graph, end)[0]) for end in ends)
    assert (above - below) / 2e-2 == pytest.approx(norm, rel=2e-3)


@pytest.fixture(scope="module")
def in_parts(graphs):
    """A step on nine structures in three batches, and the same as one batch; labels are missing."""
    partly = without_labels(without_labels(graphs, 1), 2)
    capacity = capacity_for(partly, 3)
    training = dataclasses.replace(TRAINING, accumulate=3, balancing="uncertainty")
    step = jax.jit(partial(accumulated_step, build_model(tiny_config()), training, [capacity]))
    whole = jax.jit(partial(train_step, build_model(tiny_config()), training))
    state = tiny_state(training)
    rows, levels = jnp.arange(9), jnp.zeros(3, int)
    return (
        step(state, jax.device_put(flat_graphs(partly)), rows, levels, RATE),
        whole(state, batch_of(partly, range(9)), RATE),
    )


def test_accumulated_batches_make_the_step_of_one_large_batch(in_parts) -> None:
    (parts, part_loss), (whole, whole_loss) = in_parts
    assert float(part_loss) == pytest.approx(float(whole_loss), rel=1e-5)
    assert int(parts.step) == 1
    # Adam's first moment is a tenth of the gradient.
    assert_close(parts.optimizer[1].mu, whole.optimizer[1].mu)
    assert_close(parts.balance, whole.balance)


def test_learned_weights_go_towards_the_inverse_of_the_errors() -> None:
    training = TrainingConfig(balancing="uncertainty", balancing_rate=0.2, energy_weight=3.0)
    step, graph = energies_alone()
    state = tiny_state(training)
    assert tuple(balanced_weights(state.balance)) == pytest.approx((3.0, 1.0, 1.0))
    move = jax.jit(partial(step, training))
    for _ in range(60):
        state, loss = move(state, graph, jnp.float32(0.0))
    s = float(state.balance.log_variances[0])
    # Where Σ exp(-s) L + s is least, exp(-s) = 1/L, and the loss is 1 + log L.
    assert float(loss) == pytest.approx(1 + s, abs=0.05)
    assert tuple(balanced_weights(state.balance))[1:] == (1.0, 1.0)  # nothing to learn from


def test_weights_of_a_schedule_are_values_of_one_program() -> None:
    training = TrainingConfig(weight_points=((0.5, 4.0, 1.0, 0.0),))
    step, graph = energies_alone()
    move = jax.jit(partial(step, training))
    losses = [
        float(move(tiny_state(training), graph, RATE, LossWeights(*map(jnp.float32, row)))[1])
        for row in ((1.0, 1.0, 0.0), (4.0, 1.0, 0.0))
    ]
    assert losses[1] == pytest.approx(4 * losses[0], rel=1e-6)
    assert move._cache_size() == 1


def test_labels_without_a_weight_are_named() -> None:
    step, graph = energies_alone()
    training = TrainingConfig(energy_weight=0.0)
    with pytest.raises(ValueError, match=r"weighs \['forces'\], but .* labels of \['energy'\]"):
        step(training, tiny_state(training), graph, RATE)
