"""Optimisers: which parameters each one moves how, and that all of them descend."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from allegro_jax.training import TrainingConfig
from allegro_jax.training.optimizers import (
    averaged_by_optimizer,
    descend,
    kernels,
    optimizer,
    orthogonalised,
)
from tests.allegro_jax.training.tiny import energies_alone, tiny_state

PLAIN = TrainingConfig(learning_rate=1e-2)
ADAMW = dataclasses.replace(PLAIN, optimizer="adamw", weight_decay=0.1)
ALL = [
    PLAIN,
    ADAMW,
    dataclasses.replace(PLAIN, optimizer="amsgrad"),
    dataclasses.replace(PLAIN, optimizer="muon"),
    dataclasses.replace(PLAIN, optimizer="schedule_free", schedule="constant"),
]
PARAMS = {
    "readout": {
        "mlp": {"weight_0": jnp.ones((3, 2)), "weight_1": jnp.ones((2, 1))},
        "bias": jnp.ones(4),
        "circuit_weights": jnp.ones((3, 1, 2, 3)),
    },
    "tensor_product_0": jnp.ones((4, 4)),
    "two_body": {"centers": jnp.ones((4, 4))},
}


@pytest.mark.parametrize(
    "training",
    [  # Adam and its relatives train in many other tests.
        pytest.param(
            each,
            id=each.optimizer,
            marks=[] if each.optimizer in ("muon", "schedule_free") else pytest.mark.slow,
        )
        for each in ALL
    ],
)
def test_every_optimiser_lowers_the_loss(training: TrainingConfig) -> None:
    step, graph = energies_alone()
    state = tiny_state(training)
    losses = []
    move = jax.jit(partial(step, training))
    for _ in range(12):
        state, loss = move(state, graph, jnp.float32(3e-2))
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), state.params, state.averaged)
    assert all(jax.tree.leaves(moved))


def test_the_default_is_adam_on_clipped_gradients_to_the_last_bit() -> None:
    adam = optax.chain(optax.clip_by_global_norm(10.0), optax.scale_by_adam())
    params, state, expected = PARAMS, optimizer(PLAIN).init(PARAMS), PARAMS
    reference = adam.init(PARAMS)
    for seed in range(3):
        gradient = drawn(seed, 7.0)
        params, state = descend(PLAIN, gradient, state, params, jnp.float32(1e-2))
        update, reference = adam.update(gradient, reference)
        expected = jax.tree.map(lambda p, u: p - jnp.float32(1e-2) * u, expected, update)
    jax.tree.map(np.testing.assert_array_equal, params, expected)


def test_weight_decay_acts_on_kernels_alone_and_times_the_rate() -> None:
    zero = jax.tree.map(jnp.zeros_like, PARAMS)
    state = optimizer(ADAMW).init(PARAMS)
    params, _ = descend(ADAMW, zero, state, PARAMS, jnp.float32(0.5))
    decayed = jax.tree.map(lambda leaf: leaf[(0,) * leaf.ndim].item(), params)
    expected = jax.tree.map(lambda kernel: 1 - 0.5 * 0.1 if kernel else 1.0, kernels(PARAMS))
    assert jax.tree.leaves(decayed) == pytest.approx(jax.tree.leaves(expected))
    assert kernels(PARAMS)["readout"] == {
        "mlp": {"weight_0": True, "weight_1": True}, "bias": False, "circuit_weights": False,
    }  # fmt: skip
    assert not kernels(PARAMS)["tensor_product_0"]


def test_muon_makes_kernels_move_along_orthogonal_matrices_and_the_rest_as_adam_does() -> None:
    muon = dataclasses.replace(PLAIN, optimizer="muon")
    assert orthogonalised(PARAMS)["readout"]["mlp"] == {"weight_0": True, "weight_1": False}
    gradient = drawn(0, 1.0)
    found, plain = (
        descend(training, gradient, optimizer(training).init(PARAMS), PARAMS, jnp.float32(1.0))[0]
        for training in (muon, PLAIN)
    )
    update = np.asarray(found["readout"]["mlp"]["weight_0"] - PARAMS["readout"]["mlp"]["weight_0"])
    # Newton-Schulz brings singular values near to one, here times √3.
    sizes = np.linalg.svd(update, compute_uv=False) / 3**0.5
    assert np.all((sizes > 0.6) & (sizes < 1.3))
    for name in ("tensor_product_0", "two_body"):
        jax.tree.map(np.testing.assert_array_equal, found[name], plain[name])
    np.testing.assert_array_equal(
        found["readout"]["mlp"]["weight_1"], plain["readout"]["mlp"]["weight_1"]
    )


def test_schedule_free_parameters_for_evaluation_are_the_average_of_its_iterates() -> None:
    training = dataclasses.replace(
        PLAIN, optimizer="schedule_free", schedule="constant", clip_norm=None
    )
    params = PARAMS
    state = optimizer(training).init(params)
    iterates = []
    for seed in range(4):
        params, state = descend(training, drawn(seed, 1.0), state, params, jnp.float32(0.1))
        iterates.append(state.z)
    average = jax.tree.map(lambda *leaves: sum(leaves) / 4, *iterates)
    found = averaged_by_optimizer(training, state, params)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5), found, average)
    assert averaged_by_optimizer(PLAIN, optimizer(PLAIN).init(params), params) is None


def test_without_a_norm_nothing_is_clipped() -> None:
    unclipped = dataclasses.replace(PLAIN, clip_norm=None)
    gradient = drawn(0, 1e3)
    update, _ = optimizer(unclipped).update(gradient, optimizer(unclipped).init(PARAMS), PARAMS)
    clipped, _ = optimizer(PLAIN).update(gradient, optimizer(PLAIN).init(PARAMS), PARAMS)
    free = optax.scale_by_adam()
    expected, _ = free.update(gradient, free.init(PARAMS))
    jax.tree.map(np.testing.assert_array_equal, update, expected)
    assert jax.tree.structure(clipped) == jax.tree.structure(update)


def drawn(seed: int, size: float) -> dict:
    """A gradient; the first of these in a row is clipped by the default norm if `size` is large."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.float32(size * rng.normal(size=leaf.shape)), PARAMS)
