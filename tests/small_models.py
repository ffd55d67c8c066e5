"""Small models for tests: every architecture with every readout, compiled in about a second."""

import itertools
from typing import Any

import pytest

from allegro_jax.configs import (
    FrozenQDIReadout,
    LinearControl,
    MLPConfig,
    MLPControl,
    MLPReadout,
    ModelConfig,
    Precision,
    QDIReadout,
    StackedMLPReadout,
    TrigonometricControl,
    config_class,
)

DOUBLE = Precision("float64", "float64", "float64")
READOUTS = {
    "mlp": MLPReadout((8,)),
    "stacked": StackedMLPReadout(hidden=(8,), features=4, final_hidden=(8, 8)),
    "qdi": QDIReadout(hidden=(8,), features=4, n_qubits=2, depth=1, final_width=4),
}
CONTROLS = {
    "mlp control": MLPControl(hidden=(8,), features=4, final_hidden=(6, 5)),
    "trigonometric": TrigonometricControl(hidden=(8,), features=2, outputs=2, final_width=4),
    "frozen": FrozenQDIReadout(hidden=(8,), features=4, n_qubits=2, depth=1, final_width=4),
    "linear": LinearControl(hidden=(8,), features=4, outputs=2, final_width=4),
}
"""Controls of QDI; not in `MODELS`, since they share their parts with the readouts above."""

SIZES = {
    "2025": {
        "l_max": 1,
        "num_scalar_features": 8,
        "num_tensor_features": 4,
        "scalar_embed_mlp": MLPConfig(1, 8),
        "allegro_mlp": MLPConfig(1, 8),
    },
    "2023": {
        "l_max": 1,
        "num_tensor_features": 4,
        "two_body_widths": (8, 8),
        "latent_widths": (8, 8),
    },
}
MODELS = list(itertools.product(SIZES, READOUTS))
"""Architecture and readout, as `small_config` takes them."""


def everyday(*chosen: tuple[str, str]) -> list[Any]:
    """All models for tests that compile much: those that are not chosen are slow tests."""
    return [
        pytest.param(names, id=" ".join(names), marks=[] if names in chosen else pytest.mark.slow)
        for names in MODELS
    ]


EVERYDAY_MODELS = everyday(("2025", "mlp"), ("2025", "qdi"), ("2023", "mlp"))


def small_config(architecture: str = "2025", readout: str = "mlp", **options) -> ModelConfig:
    """A config of these sizes, except for what `options` say otherwise."""
    defaults = {
        "type_names": ("H", "C", "O", "Cu"),
        "cutoff": 4.0,
        "num_layers": 2,
        "readout": (READOUTS | CONTROLS)[readout],
        "avg_num_neighbors": 18.0,
    }
    return config_class(architecture)(**(defaults | SIZES[architecture] | options))
