"""The readouts by name, as they stand in JSON."""

from collections.abc import Mapping
from typing import Any

from allegro_jax.configs.controls import (
    FrozenQDIReadout,
    LinearControl,
    MLPControl,
    TrigonometricControl,
)
from allegro_jax.configs.quantum import CircuitReadout, QDIReadout
from allegro_jax.configs.readouts import MLPReadout, StackedMLPReadout

Readout = (
    MLPReadout
    | StackedMLPReadout
    | QDIReadout
    | CircuitReadout
    | FrozenQDIReadout
    | MLPControl
    | TrigonometricControl
    | LinearControl
)
READOUT_KINDS: Mapping[str, type] = {
    "mlp": MLPReadout,
    "stacked_mlp": StackedMLPReadout,
    "qdi": QDIReadout,
    "circuit": CircuitReadout,
    "qdi_frozen": FrozenQDIReadout,
    "mlp_control": MLPControl,
    "trigonometric": TrigonometricControl,
    "linear": LinearControl,
}


def tag_readout(readout: Readout) -> str:
    """Returns the name of a readout's class."""
    return next(kind for kind, cls in READOUT_KINDS.items() if type(readout) is cls)


def untag_readout(data: Mapping[str, Any]) -> tuple[dict[str, Any], type]:
    """Splits the JSON form of a readout into its fields and its class."""
    rest = dict(data)
    kind = rest.pop("kind", None)
    if kind not in READOUT_KINDS:
        raise ValueError(f"readout['kind'] must be one of {sorted(READOUT_KINDS)}; got {kind!r}.")
    return rest, READOUT_KINDS[kind]
