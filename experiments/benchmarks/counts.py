"""How many floating-point operations the model asks for, counted from its config.

Forward, per directed edge, with n_s scalars, n_t tensor channels, perceptrons of one hidden layer
of width n_s, d = (l_max + 1)² components, n_w = n_t (l_max + 1) environment weights:

* matrix products, 2 (inputs x outputs) each: radial (n_b, n_s), scalar embedding (n_s, n_s, n_s),
  tensor embedding (n_s, n_w), first environment (n_s, n_s + n_w), layer k = 0..L-1
  (n_s (k + 1) + n_t, n_s, n_s + n_w; the last without n_w), readout (n_s (L + 1), n_s, 1);
* tensor products, per channel: 3 for every non-zero coefficient C_ijk of every path (two products
  and a sum), and 2 for every component of every path (its weight);
* environments, per channel: 2 d per layer to weight and sum the harmonics, d for the first tensors.

A derivative by an operation that is linear in each of its factors costs that operation once more
for every factor. So forces take the matrix products twice (forward, and back to the features) and
the products of tensors three times. A training step differentiates all of that again, by the
features and the weights: six times, and nine times.

A program may do with less, by contracting coefficients once per atom, and with more, by padding,
activations, harmonics, and the weights of a quantum circuit, which are not counted here.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from allegro_jax.nn.irreps import (
    coupling_coefficients,
    coupling_paths,
    dimension,
    harmonic_irreps,
    track_irreps,
)

if TYPE_CHECKING:
    from allegro_jax.configs import AllegroConfig

MATMUL_PASSES = {"energy": 1, "inference": 2, "training": 6}
PRODUCT_PASSES = {"energy": 1, "inference": 3, "training": 9}


class Operations(NamedTuple):
    """Floating-point operations of one call.

    Attributes:
        matmul: Of matrix products.
        products: Of tensor products and environments.
    """

    matmul: float
    products: float


def operations(config: AllegroConfig, edges: int, task: str) -> Operations:
    """Counts the operations of a call; see the top of this module.

    Args:
        config: The model, with perceptrons of one hidden layer.
        edges: Directed edges, padding included if it is to be counted.
        task: "energy", "inference" or "training".
    """
    return Operations(
        edges * MATMUL_PASSES[task] * matmul_per_edge(config),
        edges * PRODUCT_PASSES[task] * products_per_edge(config),
    )


def matmul_per_edge(config: AllegroConfig) -> int:
    """Operations of the matrix products of one edge, forward."""
    scalars, tensors, layers = (
        config.num_scalar_features,
        config.num_tensor_features,
        config.num_layers,
    )
    weights = tensors * (config.l_max + 1)
    shapes = [
        (config.num_bessels, scalars),
        (scalars, config.scalar_embed_mlp.width, scalars),
        (scalars, weights),
        (scalars, scalars + weights),
        (scalars * (layers + 1), *config.readout.hidden, _readout_outputs(config)),
    ]
    for layer in range(layers):
        outputs = scalars + (weights if layer < layers - 1 else 0)
        shapes.append((scalars * (layer + 1) + tensors, config.allegro_mlp.width, outputs))
    return sum(2 * a * b for shape in shapes for a, b in itertools.pairwise(shape))


def _readout_outputs(config: AllegroConfig) -> int:
    return getattr(config.readout, "features", 1)


def products_per_edge(config: AllegroConfig) -> int:
    """Operations of tensor products and environments of one edge, forward."""
    harmonics = harmonic_irreps(config.l_max)
    track = track_irreps(config.l_max, config.parity, config.num_layers)
    per_channel = dimension(harmonics) * (1 + 2 * config.num_layers)
    for first, out in itertools.pairwise(track):
        for path in coupling_paths(first, harmonics, out):
            coefficients = coupling_coefficients(path.first.l, path.second.l, path.out.l)
            per_channel += 3 * int(np.count_nonzero(coefficients)) + 2 * path.out.dim
    return per_channel * config.num_tensor_features


def number_of_blocks(config: Any, graph: Any) -> int:
    """Blocks in which a padded batch is evaluated; see `allegro_jax.models.blocks`."""
    from allegro_jax.models.blocks import plan_blocks

    plan = plan_blocks(config, graph)
    if plan is None:
        return 1
    n_atoms = int(graph.n_node[:-1].sum())  # the last graph is padding
    offsets = np.searchsorted(np.asarray(graph.receivers), np.arange(n_atoms + 1))
    first = blocks = 0
    while first < n_atoms:
        full = int(np.searchsorted(offsets, offsets[first] + plan.edges, side="right")) - 1
        first, blocks = min(full, first + plan.atoms), blocks + 1
    return blocks
