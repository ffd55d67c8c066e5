"""The optimisers of a training run, all of them from optax.

The learning rate is a value that comes with every step, not a schedule inside the optimiser, since
it depends on the clock of the run.

*Kernels* are the matrices that mix features: perceptron weights and the mixing of the 2023
architecture. They alone decay. Biases, scales, embeddings of types, weights of the paths of tensor
products and parameters of quantum circuits do not: a size near zero means nothing in particular
for them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from allegro_jax.training.config import TrainingConfig

Params = Any

_KERNEL_NAMES = ("weight_", "mix_")
_MUON_RMS = 1.0  # of an update of Adam while gradients hardly change: both take the same rate
_INTERPOLATION = 0.9  # of schedule-free averaging, its authors' value


def kernels(params: Params) -> Params:
    """Returns a tree of booleans: which parameters are kernels, see above."""

    def is_kernel(path: tuple[Any, ...], leaf: Any) -> bool:
        name = str(getattr(path[-1], "key", ""))
        return name.startswith(_KERNEL_NAMES) and jnp.ndim(leaf) >= 2

    return jax.tree_util.tree_map_with_path(is_kernel, params)


def orthogonalised(params: Params) -> Params:
    """Returns which parameters Muon moves: kernels with more than one row and column.

    A kernel whose columns feed several places, or whose rows come from several, counts as one
    matrix, as it is stored. The column that ends a readout is left to Adam.
    """
    return jax.tree.map(
        lambda kernel, leaf: kernel and jnp.ndim(leaf) == 2 and min(jnp.shape(leaf)) > 1,
        kernels(params),
        params,
    )


def optimizer(
    training: TrainingConfig, learning_rate: float | Float[Array, ""] = 0.0
) -> optax.GradientTransformation:
    """Returns the optimiser of a run.

    Its state does not depend on the learning rate. Its update is the direction in which parameters
    descend at that rate, or with "schedule_free", which needs to know the rate, what is added to
    them; `descend` makes a step with either.
    """
    if training.optimizer == "schedule_free":
        return _schedule_free(training, learning_rate)
    return optax.chain(_clipping(training), _scaling(training), _decay(training))


def descend(
    training: TrainingConfig,
    gradient: Params,
    state: optax.OptState,
    params: Params,
    learning_rate: Float[Array, ""],
) -> tuple[Params, optax.OptState]:
    """Makes one step; returns the new parameters and the new state of the optimiser."""
    update, state = optimizer(training, learning_rate).update(gradient, state, params)
    if training.optimizer == "schedule_free":
        return jax.tree.map(jnp.add, params, update), state
    return jax.tree.map(lambda p, u: p - learning_rate * u, params, update), state


def averaged_by_optimizer(
    training: TrainingConfig, state: optax.OptState, params: Params
) -> Params | None:
    """Returns the average that the optimiser keeps for evaluation, None if it keeps none."""
    if training.optimizer != "schedule_free":
        return None
    return optax.contrib.schedule_free_eval_params(state, params)


def _clipping(training: TrainingConfig) -> optax.GradientTransformation:
    if training.clip_norm is None:
        return optax.identity()
    return optax.clip_by_global_norm(training.clip_norm)


def _scaling(training: TrainingConfig) -> optax.GradientTransformation:
    if training.optimizer == "muon":
        labels = {True: "muon", False: "adam"}
        return optax.multi_transform(
            {"muon": _muon(), "adam": optax.scale_by_adam()},
            lambda params: jax.tree.map(labels.get, orthogonalised(params)),
        )
    if training.optimizer == "amsgrad":
        return optax.scale_by_amsgrad()
    return optax.scale_by_adam()


def _decay(training: TrainingConfig) -> optax.GradientTransformation:
    if not training.weight_decay:
        return optax.identity()
    return optax.add_decayed_weights(training.weight_decay, mask=kernels)


def _muon() -> optax.GradientTransformation:
    """Orthogonalised momentum, scaled as by Liu et al. (arXiv:2502.16982)."""
    as_stored = optax.contrib.MuonDimensionNumbers()
    direction = optax.contrib.scale_by_muon(
        weight_dimension_numbers=lambda tree: jax.tree.map(lambda _: as_stored, tree)
    )

    def scaled(update: Float[Array, "inputs outputs"]) -> Float[Array, "inputs outputs"]:
        return _MUON_RMS * max(update.shape) ** 0.5 * update

    return optax.chain(direction, optax.stateless(lambda u, _: jax.tree.map(scaled, u)))


def _schedule_free(
    training: TrainingConfig, learning_rate: float | Float[Array, ""]
) -> optax.GradientTransformation:
    base = optax.chain(
        _clipping(training),
        optax.scale_by_adam(b1=0.0),  # the interpolation takes the place of the momentum
        _decay(training),
        optax.scale(-1.0),
        optax.stateless(lambda u, _: jax.tree.map(lambda leaf: learning_rate * leaf, u)),
    )
    return optax.contrib.schedule_free(base, learning_rate, b1=_INTERPOLATION)
