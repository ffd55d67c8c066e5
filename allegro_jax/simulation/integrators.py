"""Steps at constant energy and with a Langevin thermostat; pure functions.

A step takes a state whose forces belong to its positions to the next such state:
`step(state, evaluate, settings) -> (state, evaluation)`. `settings` holds `dt` (Å √(u/eV)), `seed`,
`masses` (u), `freedom` (degrees of freedom) and what the ensemble adds. A step of length zero
changes nothing but forces, energy and virial, which is how a simulation gets its first ones.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.simulation.state import Evaluation, State, evaluated, kinetic_energy

Evaluate = Callable[[Array, Array], Evaluation]
"""From positions and cell to energy, forces and virial."""

Numbers = Mapping[str, Any]
Step = Callable[[State, Evaluate, Numbers], tuple[State, Evaluation]]


def kicked(state: State, dt: Array) -> State:
    """Forces change momenta for a time."""
    return state._replace(momenta=state.momenta + dt * state.forces)


def drifted(state: State, dt: Array, masses: Float[Array, "atoms"]) -> State:
    """Momenta change positions for a time."""
    return state._replace(positions=state.positions + dt * state.momenta / masses[:, None])


def with_new_forces(state: State, evaluate: Evaluate) -> tuple[State, Evaluation]:
    """Evaluates the potential at the positions of the state."""
    evaluation = evaluate(state.positions, state.cell)
    return evaluated(state, evaluation), evaluation


def velocity_verlet(
    state: State, evaluate: Evaluate, settings: Numbers
) -> tuple[State, Evaluation]:
    """A step of Newton's equations (Swope et al., J. Chem. Phys. 76, 637 (1982))."""
    dt, masses = settings["dt"], settings["masses"]
    state = drifted(kicked(state, 0.5 * dt), dt, masses)
    state, evaluation = with_new_forces(state, evaluate)
    state = kicked(state, 0.5 * dt)
    return state._replace(step=state.step + 1), evaluation


def langevin(state: State, evaluate: Evaluate, settings: Numbers) -> tuple[State, Evaluation]:
    """A step in the BAOAB splitting: kick, drift, noise, drift, kick."""
    dt, masses = settings["dt"], settings["masses"]
    state = drifted(kicked(state, 0.5 * dt), 0.5 * dt, masses)
    state = thermalised(state, settings)
    state = drifted(state, 0.5 * dt, masses)
    state, evaluation = with_new_forces(state, evaluate)
    state = kicked(state, 0.5 * dt)
    return state._replace(step=state.step + 1), evaluation


def thermalised(state: State, settings: Numbers) -> State:
    """Exact solution of friction and noise over a step; the heat goes into `received`."""
    masses, kept = settings["masses"], jnp.exp(-settings["friction"] * settings["dt"])
    key = jax.random.fold_in(jax.random.key(settings["seed"]), state.step)
    width = jnp.sqrt(masses[:, None] * settings["kT"] * (1.0 - kept**2))
    noise = jax.random.normal(key, state.momenta.shape, state.momenta.dtype)
    momenta = kept * state.momenta + width * noise
    heat = kinetic_energy(momenta, masses) - kinetic_energy(state.momenta, masses)
    return state._replace(momenta=momenta, received=state.received + heat)
