"""What is known of a trial before it trains: its number of parameters, and what a pass costs.

The number of parameters is called thousands of times while a sampler searches for the next trial,
so it is put together from sizes of the whole model, found once for each number of layers, and
arithmetic on the widths of the readout.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any

import jax
from ml_collections import ConfigDict

from allegro_jax.configs import (
    LinearControl,
    MLPReadout,
    QDIReadout,
    Readout,
    StackedMLPReadout,
    TrigonometricControl,
)
from allegro_jax.datasets import Splits
from allegro_jax.graphs import GraphDataset, ordered_batches
from allegro_jax.models.capacity import count_parameters
from allegro_jax.models.energy import parameter_shapes
from allegro_jax.timing import pass_cost
from experiments import spaces
from experiments.models import model_config, readout
from experiments.objectives import limits, shown


class KnownQuantities:
    """Quantities of one variant's trials that need no training.

    Args:
        variant: See `experiments.spaces`.
        config: Settings of the search, resolved.
        splits: Structures.
    """

    def __init__(self, variant: str, config: ConfigDict, splits: Splits) -> None:
        self._variant, self._config, self._splits = variant, config, splits
        self.limits = {n: v for n, v in limits(config).items() if n in ("parameters", "flops")}
        # One instance is kept by its sampler for the whole search.
        self._without_readout = functools.cache(self._count_without_readout)

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Returns the limited quantities of a trial by name."""
        return {name: getattr(self, name)(params) for name in self.limits}

    def parameters(self, params: Mapping[str, Any]) -> float:
        """Returns the number of parameters; takes microseconds."""
        rest, n_scalars = self._without_readout(params["num_layers"])
        chosen = readout(self._variant, params, self._config.model.n_qubits)
        return float(rest + readout_parameters(chosen, n_scalars))

    def flops(self, params: Mapping[str, Any]) -> float:
        """Returns XLA's count for a pass over the test set; takes a second or two."""
        model = model_config(self._variant, params, self._config.model, self._splits.train)
        graphs = GraphDataset.build(self._splits.test, model.cutoff, model.atomic_numbers)
        batches = ordered_batches(graphs, self._config.timing.batch_size)
        return pass_cost(model, parameter_shapes(model), batches).flops

    def excess(self, params: Mapping[str, Any]) -> float:
        """Returns the share by which the parameters are above their limit; allowed where <= 0."""
        return self.parameters(params) / self.limits["parameters"] - 1.0

    def check_reachable(self) -> None:
        """Checks that some point of the space keeps every known limit.

        The smallest model of the space has the least of all known quantities.

        Raises:
            ValueError: If a limit is below that.
        """
        least = self(self._cheapest())
        for name, limit in self.limits.items():
            if least[name] > limit:
                raise ValueError(
                    f"no trial of {self._variant!r} can keep {name} at or below "
                    f"{shown(name, limit)}: the least in the space is {shown(name, least[name])}; "
                    f"raise config.constraints.{name}, or widen config.ranges or shrink "
                    "config.model"
                )

    def _cheapest(self) -> dict[str, Any]:
        """Returns the corner of the space where everything is smallest."""
        ranges = self._config.ranges
        return {name: ranges[name][0] for name in spaces.names(self._variant)}

    def _count_without_readout(self, num_layers: int) -> tuple[int, int]:
        """Returns the parameters outside the readout, and the scalars that it takes."""
        params = {**self._cheapest(), "num_layers": num_layers}
        model = model_config(self._variant, params, self._config.model, self._splits.train)
        one, two = (_size(dataclasses.replace(model, readout=MLPReadout((n,)))) for n in (1, 2))
        return 2 * one - two, two - one - 1


def readout_parameters(config: Readout, n_scalars: int) -> int:
    """Counts the parameters of a readout from its widths.

    Args:
        config: Readout.
        n_scalars: Scalars of an edge.
    """
    if isinstance(config, MLPReadout):
        return _perceptron(n_scalars, *config.hidden, 1)
    if isinstance(config, StackedMLPReadout):
        first = _perceptron(n_scalars, *config.hidden, config.features)
        return first + _perceptron(config.features, *config.final_hidden, 1)
    if isinstance(config, QDIReadout):
        angles = 3 * config.n_qubits * config.depth * (config.features // config.n_qubits + 1)
        return _bottleneck(config, n_scalars, angles, config.n_qubits)
    if type(config) is LinearControl:
        linear = config.features * config.outputs
        return _bottleneck(config, n_scalars, linear, config.outputs)
    if isinstance(config, TrigonometricControl):
        linear = 2 * config.n_frequencies * config.outputs
        return _bottleneck(config, n_scalars, linear, config.outputs)
    return _counted(config, n_scalars)


def _bottleneck(
    config: QDIReadout | LinearControl, n_scalars: int, inner: int, outputs: int
) -> int:
    """A perceptron to the features, `inner` parameters to the outputs, and two linear maps."""
    first = _perceptron(n_scalars, *config.hidden, config.features)
    return first + inner + _perceptron(outputs, config.final_width, 1) + config.final_width


def _perceptron(*widths: int) -> int:
    return sum(rows * columns for rows, columns in itertools.pairwise(widths))


@functools.lru_cache(maxsize=4096)
def _counted(config: Readout, n_scalars: int) -> int:
    return count_parameters(config, n_scalars)


def _size(model: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(parameter_shapes(model)))
