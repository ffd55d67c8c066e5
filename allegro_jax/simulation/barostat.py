"""A step at constant pressure: stochastic cell rescaling, with a Langevin thermostat.

With λ = √V, Bernetti & Bussi, J. Chem. Phys. 153, 114107 (2020), have

    dλ = -½ λ (β/τ) (P₀ - P - kT/2V) dt + √(kT β / 2τ) dW,

P being the pressure of atoms and motion. Positions and cell are scaled by V^⅓ and momenta by its
inverse, in the middle of the drift, so that forces belong to the positions when they are used.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.simulation.integrators import (
    Evaluate,
    Numbers,
    drifted,
    kicked,
    thermalised,
    with_new_forces,
)
from allegro_jax.simulation.state import Evaluation, State, kinetic_energy, volume

_VOLUME_STREAM = 0x7FFFFFFF  # of random numbers; those of the thermostat are numbered by step


def stochastic_cell_rescaling(
    state: State, evaluate: Evaluate, settings: Numbers
) -> tuple[State, Evaluation]:
    """A step: kick, drift, noise, change of volume, drift, kick."""
    dt, masses = settings["dt"], settings["masses"]
    state = drifted(kicked(state, 0.5 * dt), 0.5 * dt, masses)
    state = thermalised(state, settings)
    state, strain = _rescaled(state, settings)
    before = state.virial
    state = drifted(state, 0.5 * dt, masses)
    state, evaluation = with_new_forces(state, evaluate)
    # dE = tr(virial)/3 d(ln V), by the trapezoidal rule over the change of volume.
    work = strain * 0.5 * (jnp.trace(before) + jnp.trace(state.virial)) / 3.0
    state = kicked(state, 0.5 * dt)
    return state._replace(step=state.step + 1, received=state.received + work), evaluation


def pressure(state: State, masses: Float[Array, "atoms"]) -> Float[Array, ""]:
    """(2K - tr virial) / 3V, eV/Å³."""
    twice_kinetic = 2.0 * kinetic_energy(state.momenta, masses)
    return (twice_kinetic - jnp.trace(state.virial)) / (3.0 * volume(state.cell))


def _rescaled(state: State, settings: Numbers) -> tuple[State, Array]:
    """The state at its new volume, and ln V'/V; the change of kinetic energy is in `received`."""
    old, masses = volume(state.cell), settings["masses"]
    dt, kT, mobility = settings["dt"], settings["kT"], settings["mobility"]
    root = jnp.sqrt(old)
    excess = settings["pressure"] - pressure(state, masses) - 0.5 * kT / old
    key = jax.random.fold_in(jax.random.key(settings["seed"]), _VOLUME_STREAM)
    noise = jax.random.normal(jax.random.fold_in(key, state.step), (), root.dtype)
    new_root = root - 0.5 * root * mobility * excess * dt
    new_root = new_root + jnp.sqrt(0.5 * kT * mobility * dt) * noise
    strain = 2.0 * jnp.log(new_root / root)  # a volume below zero becomes NaN, which ends the run
    scale = jnp.exp(strain / 3.0)
    momenta = state.momenta / scale
    heat = kinetic_energy(momenta, masses) - kinetic_energy(state.momenta, masses)
    state = state._replace(
        positions=state.positions * scale,
        momenta=momenta,
        cell=state.cell * scale,
        received=state.received + heat,
    )
    return state, strain
