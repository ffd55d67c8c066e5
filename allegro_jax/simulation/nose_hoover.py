"""A step with a Nosé-Hoover chain; Martyna et al., Mol. Phys. 87, 1117 (1996), eqs. 27 to 33."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.simulation.integrators import Evaluate, Numbers, velocity_verlet
from allegro_jax.simulation.state import Evaluation, State, kinetic_energy

_WEIGHT = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
_WEIGHTS = (_WEIGHT, 1.0 - 2.0 * _WEIGHT, _WEIGHT)  # Suzuki-Yoshida, fourth order


def nose_hoover(state: State, evaluate: Evaluate, settings: Numbers) -> tuple[State, Evaluation]:
    """Half a step of the chain, a step of the atoms, half a step of the chain."""
    state = _chain_moved(state, settings)
    state, evaluation = velocity_verlet(state, evaluate, settings)
    return _chain_moved(state, settings), evaluation


def chain_energy(state: State, settings: Numbers) -> Float[Array, ""]:
    """What the chain adds to the conserved energy, eV: Σ p²/2Q + g kT ξ₁ + kT (ξ₂ + ...)."""
    kinetic = 0.5 * jnp.sum(state.chain_momenta**2 / _chain_masses(state, settings))
    weights = jnp.ones_like(state.chain_positions).at[0].set(settings["freedom"])
    return kinetic + settings["kT"] * jnp.sum(weights * state.chain_positions)


def _chain_masses(state: State, settings: Numbers) -> Float[Array, "chain"]:
    """Q₁ = g kT τ², the others kT τ²: all of them swing in about the time τ."""
    weights = jnp.ones_like(state.chain_momenta).at[0].set(settings["freedom"])
    return weights * settings["kT"] * settings["thermostat_time"] ** 2


def _chain_moved(state: State, settings: Numbers) -> State:
    """Half a time step of the chain, which scales the momenta of the atoms."""
    kinetic = kinetic_energy(state.momenta, settings["masses"])
    scale = jnp.ones_like(kinetic)
    masses = _chain_masses(state, settings)
    positions = list(state.chain_positions)
    momenta = list(state.chain_momenta)
    for weight in _WEIGHTS:
        half = 0.5 * weight * settings["dt"]
        momenta = _kicked(momenta, masses, kinetic, half, settings, outside_in=True)
        factor = jnp.exp(-half * momenta[0] / masses[0])
        kinetic, scale = kinetic * factor**2, scale * factor
        positions = [x + half * p / q for x, p, q in zip(positions, momenta, masses, strict=True)]
        momenta = _kicked(momenta, masses, kinetic, half, settings, outside_in=False)
    return state._replace(
        momenta=scale * state.momenta,
        chain_positions=jnp.stack(positions),
        chain_momenta=jnp.stack(momenta),
    )


def _kicked(
    momenta: list[Array],
    masses: Array,
    kinetic: Array,
    time: Array,
    settings: Numbers,
    *,
    outside_in: bool,
) -> list[Array]:
    """Momenta of the thermostats after half of `time`, one after the other."""
    momenta = list(momenta)
    order = range(len(momenta))
    for k in reversed(order) if outside_in else order:
        if k == 0:
            force = 2.0 * kinetic - settings["freedom"] * settings["kT"]
        else:
            force = momenta[k - 1] ** 2 / masses[k - 1] - settings["kT"]
        drag = jnp.ones_like(kinetic)
        if k + 1 < len(momenta):
            drag = jnp.exp(-0.25 * time * momenta[k + 1] / masses[k + 1])
        momenta[k] = drag * (drag * momenta[k] + 0.5 * time * force)
    return momenta
