"""Circuits on real devices: shots, noise, and programs to run there; see docs/circuits.md.

`allegro_jax.quantum.hardware.potentials` does this for a whole potential.
"""

from allegro_jax.quantum.hardware.noise import (
    Hardware,
    Readings,
    measure_on,
    outcome_probabilities,
    shift_rule,
)
from allegro_jax.quantum.hardware.openqasm import to_openqasm

__all__ = [
    "Hardware",
    "Readings",
    "measure_on",
    "outcome_probabilities",
    "shift_rule",
    "to_openqasm",
]
