"""Steps on systems whose ensembles are known exactly: oscillators and the ideal gas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.simulation.barostat import pressure, stochastic_cell_rescaling
from allegro_jax.simulation.integrators import langevin, velocity_verlet
from allegro_jax.simulation.nose_hoover import chain_energy, nose_hoover
from allegro_jax.simulation.state import Evaluation, State, kinetic_energy, volume

pytestmark = pytest.mark.usefixtures("x64")
STIFFNESS, KT = 2.0, 0.03


def oscillators(positions, cell):
    """Independent springs at the origin; the virial is not used."""
    energy = 0.5 * STIFFNESS * jnp.sum(positions**2)
    return Evaluation(energy, -STIFFNESS * positions, jnp.zeros((3, 3)), 0, jnp.inf, jnp.inf)


def ideal_gas(positions, cell):
    return Evaluation(
        jnp.zeros(()), jnp.zeros_like(positions), jnp.zeros((3, 3)), 0, jnp.inf, jnp.inf
    )


def start(atoms, evaluate, side=0.0, chain=0):
    rng = np.random.default_rng(0)
    masses = jnp.asarray(rng.uniform(1.0, 3.0, atoms))
    positions = jnp.asarray(rng.normal(size=(atoms, 3))) * np.sqrt(KT / STIFFNESS)
    momenta = jnp.asarray(rng.normal(size=(atoms, 3))) * jnp.sqrt(masses * KT)[:, None]
    found = evaluate(positions, None)
    zeros, nothing = jnp.zeros(chain), jnp.zeros(())
    cell = side * jnp.eye(3)
    state = State(
        jnp.zeros((), int),
        positions,
        momenta,
        cell,
        found.forces,
        found.energy,
        found.virial,
        nothing,
        zeros,
        zeros,
    )
    settings = {"dt": 0.1, "seed": 0, "masses": masses, "freedom": 3 * atoms, "kT": KT}
    return state, settings


def walk(step, state, evaluate, settings, steps, watched):
    """The last state, and a quantity after each step."""

    def body(state, _):
        state, _ = step(state, evaluate, settings)
        return state, watched(state)

    return jax.jit(lambda state: jax.lax.scan(body, state, length=steps))(state)


def total_energy(masses):
    return lambda state: state.energy + kinetic_energy(state.momenta, masses)


def test_the_energy_error_of_velocity_verlet_falls_with_the_square_of_the_step():
    state, settings = start(4, oscillators)
    spreads = []
    for steps in (400, 800):
        options = settings | {"dt": 40.0 / steps}
        energies = walk(
            velocity_verlet, state, oscillators, options, steps, total_energy(settings["masses"])
        )[1]
        spreads.append(float(jnp.std(energies)))
    assert spreads[1] == pytest.approx(spreads[0] / 4, rel=0.1)


def test_langevin_dynamics_samples_positions_and_momenta_of_its_temperature():
    state, settings = start(500, oscillators)
    state = state._replace(momenta=0.0 * state.momenta, positions=0.0 * state.positions)
    settings |= {"friction": 0.5}

    def watched(state):
        return jnp.stack(
            [
                2.0 * kinetic_energy(state.momenta, settings["masses"]) / 1500,
                STIFFNESS * jnp.mean(state.positions**2),
            ]
        )

    kinetic, potential = walk(langevin, state, oscillators, settings, 600, watched)[1][100:].T
    # BAOAB has the positions of oscillators exactly, momenta to second order in the step.
    assert float(potential.mean()) == pytest.approx(KT, rel=0.02)
    assert float(kinetic.mean()) == pytest.approx(KT, rel=0.02)


def test_what_noise_and_friction_gave_is_accounted_for():
    state, settings = start(20, oscillators)
    settings |= {"friction": 0.5, "dt": 0.02}
    energy = total_energy(settings["masses"])
    energies, kept = walk(
        langevin,
        state,
        oscillators,
        settings,
        500,
        lambda state: jnp.stack([energy(state), energy(state) - state.received]),
    )[1].T
    assert float(jnp.std(kept)) < 0.01 * float(jnp.std(energies))


def test_a_nose_hoover_chain_conserves_its_energy_and_samples_the_temperature():
    state, settings = start(5, oscillators, chain=3)
    settings |= {"thermostat_time": 2.0}
    energy = total_energy(settings["masses"])

    def watched(state):
        return jnp.stack(
            [
                energy(state) + chain_energy(state, settings),
                2.0 * kinetic_energy(state.momenta, settings["masses"]) / settings["freedom"],
            ]
        )

    conserved, temperature = walk(nose_hoover, state, oscillators, settings, 15_000, watched)[1].T
    assert float(jnp.std(conserved)) < 0.01 * 15 * KT
    assert float(jnp.abs(conserved[-1] - conserved[0])) < 0.02 * 15 * KT
    assert float(temperature.mean()) == pytest.approx(KT, rel=0.03)
    assert float(jnp.std(temperature)) == pytest.approx(KT * np.sqrt(2 / 15), rel=0.1)


def test_cell_rescaling_samples_the_volumes_of_an_ideal_gas():
    # p(V) ~ V^N exp(-P V / kT), so the mean is (N + 1) kT / P and the variance (N + 1) (kT / P)².
    atoms, outside = 10, 0.001
    expected = (atoms + 1) * KT / outside
    state, settings = start(atoms, ideal_gas, side=expected ** (1 / 3))
    settings |= {"friction": 0.5, "pressure": outside, "mobility": 60.0}
    volumes = walk(
        stochastic_cell_rescaling,
        state,
        ideal_gas,
        settings,
        35_000,
        lambda state: volume(state.cell),
    )[1]
    assert float(volumes.mean()) == pytest.approx(expected, rel=0.03)
    assert float(volumes.std()) == pytest.approx(expected / np.sqrt(atoms + 1), rel=0.1)


def test_the_pressure_of_an_ideal_gas_is_that_of_its_law():
    state, settings = start(10_000, ideal_gas, side=40.0)
    assert float(pressure(state, settings["masses"])) == pytest.approx(
        10_000 * KT / 40.0**3, rel=0.02
    )


@pytest.mark.parametrize(
    "step", [velocity_verlet, langevin, nose_hoover, stochastic_cell_rescaling]
)
def test_a_step_of_no_length_changes_nothing_but_the_forces(step):
    state, settings = start(3, oscillators, side=5.0, chain=3)
    settings |= {"dt": 0.0, "friction": 0.5, "thermostat_time": 2.0, "pressure": 1.0}
    settings |= {"mobility": 1.0}
    after, _ = step(state._replace(forces=0.0 * state.forces), oscillators, settings)
    for name in set(State._fields) - {"step", "forces"}:
        np.testing.assert_allclose(getattr(after, name), getattr(state, name), atol=1e-15)
    np.testing.assert_array_equal(after.forces, state.forces)
