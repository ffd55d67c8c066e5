"""The search spaces: six hyperparameters of Allegro and three more of each variant.

The names and the split in six and three are those of Laskaris et al., Comput. Mater. Sci. 270,
114742 (2026), sections 3.4 and 3.5. The paper does not print its ranges. The ranges here enclose
its best values (Tables 1 to 3: cutoff 5 to 12 Å, envelope exponent 5 to 12, batch 1 to 5, layers
2 to 4, edge MLP 4 to 128, learning rate 9.35e-4 to 5.4e-3; final MLP 4 to 1024; QDI depth 1 to 4,
features 4 to 21, layer after the circuit 4 to 128) and reach a little further where a bound of the
paper seems to have been active or where cheaper models may lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

VARIANTS = ("allegro", "allegro-mlp", "allegro-qdi")
CONTROLS = ("control-mlp", "control-trigonometric", "control-frozen", "control-linear")
"""Variants with the hyperparameters of Allegro+QDI, but without a trained circuit."""

RANGES: dict[str, tuple[float, float]] = {
    "cutoff": (3.0, 12.0),  # Å
    "envelope_exponent": (3.0, 12.0),
    "batch_size": (1, 10),
    "num_layers": (1, 4),
    "edge_mlp_width": (4, 128),
    "learning_rate": (5e-4, 2e-2),
    "mlp_features": (2, 64),
    "mlp_width_1": (4, 1024),
    "mlp_width_2": (4, 1024),
    "qdi_encodings": (1, 5),  # features = encodings * n_qubits
    "qdi_depth": (1, 4),
    "qdi_final_width": (4, 128),
}

BULK_CUTOFF = (3.5, 8.0)
"""Å. In a metal the edges grow with the cube of the cutoff: 12 Å in copper is 610 neighbours."""

DEFAULTS: dict[str, Any] = {
    "cutoff": 5.0,
    "envelope_exponent": 6.0,
    "batch_size": 5,
    "num_layers": 1,
    "edge_mlp_width": 32,
    "learning_rate": 1e-2,
    "mlp_features": 16,
    "mlp_width_1": 32,
    "mlp_width_2": 32,
    "qdi_encodings": 1,
    "qdi_depth": 1,
    "qdi_final_width": 16,
}
"""First trial of every search: a plain model that trains well, clipped into the ranges."""

SHARED = tuple(RANGES)[:6]
EXTRA = {"allegro": (), "allegro-mlp": tuple(RANGES)[6:9], "allegro-qdi": tuple(RANGES)[9:12]}
EXTRA |= dict.fromkeys(CONTROLS, EXTRA["allegro-qdi"])
LOG = frozenset(
    {"edge_mlp_width", "learning_rate", "mlp_features", "mlp_width_1", "mlp_width_2"}
    | {"qdi_final_width"}
)
REAL = frozenset({"cutoff", "envelope_exponent", "learning_rate"})


def ranges(dataset: str) -> dict[str, tuple[float, float]]:
    """Returns the range of every hyperparameter for a data set."""
    bulk = dataset in ("culi", "cu", "li")
    return {**RANGES, "cutoff": BULK_CUTOFF} if bulk else dict(RANGES)


def names(variant: str) -> tuple[str, ...]:
    """Returns the names of the hyperparameters of a variant.

    Raises:
        ValueError: If there is no such variant.
    """
    if variant not in EXTRA:
        raise ValueError(f"unknown variant {variant!r}; known: {', '.join(EXTRA)}")
    return SHARED + EXTRA[variant]


def search_space(
    variant: str, limits: Mapping[str, tuple[float, float]]
) -> dict[str, BaseDistribution]:
    """Returns the Optuna distributions of a variant.

    Raises:
        ValueError: If there is no such variant, or a range is empty.
    """
    from optuna.distributions import FloatDistribution, IntDistribution  # 0.3 s

    space: dict[str, BaseDistribution] = {}
    for name in names(variant):
        low, high = limits[name]
        if low > high:
            raise ValueError(f"range of {name} must be (low, high), got ({low}, {high})")
        kind = FloatDistribution if name in REAL else IntDistribution
        space[name] = kind(low, high, log=name in LOG)
    return space


def default_trial(variant: str, limits: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Returns the configuration of the first trial, clipped into the ranges."""
    trial = {}
    for name in names(variant):
        low, high = limits[name]
        trial[name] = type(DEFAULTS[name])(min(max(DEFAULTS[name], low), high))
    return trial
