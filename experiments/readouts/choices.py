"""The readouts that are compared, all made from one QDI readout.

A further one is one more line in `READOUTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from allegro_jax.configs import (
    FrozenQDIReadout,
    LinearControl,
    MLPReadout,
    QDIReadout,
    Readout,
    StackedMLPReadout,
    TrigonometricControl,
)

WHOLE_SPECTRUM = 81
"""Frequencies, as many as the paper's circuit has, up to which none are left out."""

DRAWN = 40
"""How many of a larger spectrum are drawn, up to sign: as many as the paper's circuit has."""

STACKED_FEATURES, STACKED_WIDTHS = 16, (32, 32)


def mlp(qdi: QDIReadout) -> Readout:
    """Allegro: one perceptron to the energy."""
    return MLPReadout(qdi.hidden, qdi.activation)


def stacked_mlp(qdi: QDIReadout) -> Readout:
    """Allegro+MLP: two perceptrons, the features as many as in the code of the paper."""
    return StackedMLPReadout(qdi.hidden, STACKED_FEATURES, STACKED_WIDTHS, qdi.activation)


def mlp_equal(qdi: QDIReadout) -> Readout:
    """A perceptron with the number of parameters of QDI."""
    from allegro_jax.models.capacity import equal_mlp  # compiles nothing, but needs jax

    return equal_mlp(qdi).config


def trigonometric(qdi: QDIReadout) -> Readout:
    """A trained trigonometric polynomial with the frequencies of the circuit, or 40 of many."""
    whole = 3**qdi.features <= WHOLE_SPECTRUM
    return TrigonometricControl.of(qdi, None if whole else DRAWN)


READOUTS: Mapping[str, Callable[[QDIReadout], Readout]] = {
    "mlp": mlp,
    "stacked_mlp": stacked_mlp,
    "qdi": lambda qdi: qdi,
    "qdi_frozen": FrozenQDIReadout.of,
    "mlp_equal": mlp_equal,
    "trigonometric": trigonometric,
    "linear": LinearControl.of,
}


def readout(name: str, qdi: QDIReadout) -> Readout:
    """Returns a readout by name.

    Raises:
        ValueError: If there is no such readout.
    """
    return READOUTS[chosen([name])[0]](qdi)


def chosen(names: list[str]) -> list[str]:
    """Returns the names of a list, all of them for ["all"].

    Raises:
        ValueError: If there is no such readout, none at all, or one twice.
    """
    if names == ["all"]:
        return list(READOUTS)
    unknown = [name for name in names if name not in READOUTS]
    if unknown:
        raise ValueError(f"unknown readout {unknown[0]!r}; choose from {', '.join(READOUTS)}, all")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected readouts, each once; got {names}")
    return names
