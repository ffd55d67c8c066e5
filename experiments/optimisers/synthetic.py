"""Two synthetic searches for hyperparameters: error against latency, with noise.

A network of `layers` layers of `width` units is imagined. Its error falls with the number of
parameters until it overfits, which dropout delays; the best learning rate depends on width, depth
and batch size. Its latency grows with its operations. HPO-synth-C adds a limit of memory and one
of stability, a learning rate above which training would diverge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from experiments.optimisers.tasks import Outputs, Task
from samo_cobra import Categorical, Integer, Real, Space

NOISE = 0.05
REFERENCE_POINT = (40.0, 2.5)
"""Error in percent, latency in milliseconds."""

MEMORY_MB = 8.0

BEST_KNOWN = {"HPO-synth": 74.4136, "HPO-synth-C": 73.8443}
"""Fronts of all layers, widths, batches and activations, each with its best rate and dropout."""

SPACE = Space(
    [
        Integer("layers", 1, 8),
        Integer("width", 16, 512, log=True),
        Integer("batch", 8, 256, log=True),
        Real("learning_rate", 1e-4, 1e-1, log=True),
        Real("dropout", 0.0, 0.5),
        Categorical("activation", ("relu", "gelu", "tanh")),
    ]
)

_ACTIVATIONS = {"relu": (0.0, 1.0), "gelu": (-1.0, 1.15), "tanh": (2.0, 1.05)}
"""Change of the error in percent, factor of the latency."""


def _weights(x: Mapping[str, Any]) -> float:
    return x["layers"] * x["width"] ** 2


def error(x: Mapping[str, Any]) -> float:
    """Returns the exact error in percent."""
    size = math.log10(_weights(x))
    best = -1.5 - 0.5 * math.log10(x["width"] / 16) - 0.08 * x["layers"]
    best += 0.5 * math.log10(x["batch"] / 32)
    off = math.log10(x["learning_rate"]) - best
    too_small = 35.0 * math.exp(-0.9 * (size - 2.4))
    misfit = 40.0 * (1.0 - math.exp(-0.8 * off**2))
    too_large = 4.0 * max(0.0, size - 5.2) ** 2 * math.exp(-5.0 * x["dropout"])
    too_much_dropout = 12.0 * x["dropout"] ** 2
    batch = 20.0 / x["batch"] + 0.6 * math.log2(x["batch"] / 8)
    shallow = 3.0 / x["layers"]
    change, _ = _ACTIVATIONS[x["activation"]]
    shares = (too_small, misfit, too_large, too_much_dropout, batch, shallow, change)
    return 5.0 + sum(shares)


def latency_ms(x: Mapping[str, Any]) -> float:
    """Returns the exact latency in milliseconds."""
    _, factor = _ACTIVATIONS[x["activation"]]
    return factor * (0.05 + 0.03 * x["layers"] + 1.8e-6 * _weights(x))


def memory_mb(x: Mapping[str, Any]) -> float:
    """Returns the memory of a training step."""
    activations = x["batch"] * x["width"] * x["layers"]
    return 12e-6 * _weights(x) + 4.8e-5 * activations


def instability(x: Mapping[str, Any]) -> float:
    """Returns by how many powers of ten the learning rate is above the stable ones."""
    limit = -1.6 - 0.5 * math.log10(x["width"] / 16) - 0.1 * x["layers"]
    return math.log10(x["learning_rate"]) - limit


def objectives(x: Mapping[str, Any]) -> Outputs:
    """HPO-synth."""
    return [error(x), latency_ms(x)], []


def limited_objectives(x: Mapping[str, Any]) -> Outputs:
    """HPO-synth-C."""
    return [error(x), latency_ms(x)], [memory_mb(x) / MEMORY_MB - 1.0, instability(x)]


def task(name: str) -> Task:
    """Returns HPO-synth or HPO-synth-C."""
    limited = name == "HPO-synth-C"
    return Task(
        name=name,
        space=SPACE,
        reference_point=REFERENCE_POINT,
        n_constraints=2 if limited else 0,
        function=limited_objectives if limited else objectives,
        noise=NOISE,
        best_known=BEST_KNOWN[name],
    )
