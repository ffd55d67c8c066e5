"""How long a potential takes, and what it costs by the compiler's own count."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jraph
import numpy as np

from allegro_jax.committee import Committee, predict_members
from allegro_jax.configs import ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.graphs import GraphDataset, ordered_batches
from allegro_jax.models.build import build_model
from allegro_jax.potential import Potential, predict
from allegro_jax.programs import Program, layout
from allegro_jax.training.footprint import program_bytes


class Cost(NamedTuple):
    """XLA's cost analysis of one pass over a data set, padding included; the same on every run.

    It is that of the program before it is compiled, and so does not depend on the machine.

    Attributes:
        flops: Floating-point operations.
        bytes_accessed: Bytes read and written by the operations, before any are fused.
    """

    flops: float
    bytes_accessed: float


class Latency(NamedTuple):
    """Wall time of passes over a data set: energies and forces of every structure.

    Attributes:
        median_s: Median of the passes, s.
        low_s: First quartile, s.
        high_s: Third quartile, s.
        passes: Number of passes timed.
        structures: Structures in a pass.
        atoms: Atoms in a pass.
        batch_size: Structures per call.
    """

    median_s: float
    low_s: float
    high_s: float
    passes: int
    structures: int
    atoms: int
    batch_size: int

    @property
    def us_per_atom(self) -> float:
        """Median time per atom, µs."""
        return 1e6 * self.median_s / self.atoms


class InferencePass:
    """A potential, or a committee, compiled for the batches of a data set.

    A pass moves every padded batch to the device, computes energies and forces, and waits for
    the result. Neighbour lists are built beforehand and are not part of it.

    Args:
        potential: What is timed.
        dataset: Structures of one pass.
        batch_size: Structures per call; the last batch may be part full.

    Attributes:
        cost: XLA's cost analysis of one pass.

    Raises:
        ValueError: If `dataset` is empty or has an element that the potential lacks.
    """

    def __init__(self, potential: Potential | Committee, dataset: Dataset, batch_size: int) -> None:
        config = potential.config
        graphs = GraphDataset.build(dataset, config.cutoff, config.atomic_numbers)
        self.batches = ordered_batches(graphs, batch_size)
        self.structures, self.atoms = len(graphs), int(graphs.n_atoms.sum())
        self.batch_size = min(batch_size, len(graphs))
        self._params = jax.device_put(potential.params)
        self._predict = predict_members if isinstance(potential, Committee) else predict
        evaluation = functools.partial(self._predict, build_model(config))
        self._program = Program(evaluation, graph_argument=1)
        for graph in self.batches:
            self._program.compiled(self._params, graph)
        self.cost = pass_cost(config, self._params, self.batches, self._predict)

    @property
    def compile_s(self) -> float:
        """Seconds that compilation took."""
        return self._program.compile_s

    @property
    def compilations(self) -> int:
        """Programs compiled: one for each capacity."""
        return self._program.compilations

    @property
    def memory_bytes(self) -> int:
        """What the largest batch needs at most, by XLA's plan: parameters, batch and results."""
        programs = [self._program.compiled(self._params, graph) for graph in self.batches]
        return max(sum(program_bytes(program)) for program in programs)

    def seconds(self) -> float:
        """Makes one pass and returns its wall time, s."""
        begin = time.perf_counter()
        results = [self._program(self._params, graph) for graph in self.batches]
        jax.block_until_ready([(result.energy, result.forces) for result in results])
        return time.perf_counter() - begin


def pass_cost(
    config: ModelConfig,
    params: Any,
    batches: Sequence[jraph.GraphsTuple],
    predictions: Callable[..., Any] = predict,
) -> Cost:
    """Returns XLA's cost analysis of one pass over padded batches; nothing is compiled.

    Args:
        config: Architecture.
        params: Parameters, or their shapes and types.
        batches: Batches of the pass, in the layout of `allegro_jax.graphs`.
        predictions: What is evaluated, of a model, its parameters and a batch.
    """
    model = build_model(config)
    # In one piece: the compiler counts the body of a loop over blocks once.
    in_one_piece = jax.jit(functools.partial(predictions, model, in_blocks=False))
    costs: dict[Hashable, dict[str, float]] = {}
    total = np.zeros(2)
    for graph in batches:
        key = layout(graph)
        if key not in costs:
            costs[key] = in_one_piece.lower(params, graph).cost_analysis() or {}
        total += [costs[key].get(name, np.nan) for name in ("flops", "bytes accessed")]
    return Cost(*total.tolist())


def measure(passes: Sequence[InferencePass], repeats: int) -> list[Latency]:
    """Times several potentials side by side.

    After one warm-up pass each, the potentials take turns, so that a slow moment of the machine
    falls on all of them alike.

    Args:
        passes: What to time.
        repeats: Timed passes of each.
    """
    for item in passes:
        item.seconds()
    times = np.array([[item.seconds() for item in passes] for _ in range(repeats)])
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75], axis=0)
    return [
        Latency(
            float(median[k]),
            float(low[k]),
            float(high[k]),
            repeats,
            item.structures,
            item.atoms,
            item.batch_size,
        )
        for k, item in enumerate(passes)
    ]
