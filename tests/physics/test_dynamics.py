"""Molecular dynamics with trained potentials: energy is kept, and little is compiled."""

import pytest
from ase import units
from ase.md.verlet import VelocityVerlet

from .measurements import aspirin, copper, nve, stored, thermalise, thermostat


@pytest.mark.slow
@pytest.mark.parametrize("name", ["aspirin", "aspirin-2023", "aspirin-mlp", "aspirin-qdi"])
def test_a_picosecond_of_aspirin_keeps_its_energy(name):
    result = nve(stored(name), aspirin(), timestep_fs=0.5, ps=1.0, kelvin=300)
    assert abs(result.drift) < 0.1
    assert result.fluctuation < 0.05 * result.kinetic_fluctuation


def test_a_picosecond_of_copper_keeps_its_energy():
    result = nve(stored("cu"), copper(2), timestep_fs=2.0, ps=1.0, kelvin=300)
    assert abs(result.drift) < 0.02
    assert result.fluctuation < 0.01 * result.kinetic_fluctuation


def test_the_energy_error_falls_with_the_square_of_the_time_step(everyday_potential, ethanol):
    # So of forces that are exactly the gradient, also as pairs cross the cutoff.
    errors = []
    for timestep_fs in (0.2, 0.1):
        atoms = ethanol.copy()
        atoms.calc = everyday_potential.calculator()
        thermalise(atoms, 50)
        before = atoms.get_total_energy()
        VelocityVerlet(atoms, timestep_fs * units.fs).run(round(10 / timestep_fs))
        errors.append(abs(atoms.get_total_energy() - before))
    assert errors[1] == pytest.approx(errors[0] / 4, rel=0.2)


@pytest.mark.parametrize(
    ("name", "repeats"), [("aspirin", 1), ("cu", 2), pytest.param("cu", 5, marks=pytest.mark.slow)]
)
def test_500_steps_of_aspirin_and_of_copper_compile_at_most_twice_again(name, repeats):
    atoms, timestep = (aspirin(), 0.5) if name == "aspirin" else (copper(repeats), 2.0)
    potential = stored(name)
    step = potential.calculator().sharded.program
    before = step._cache_size()
    calculator = thermostat(potential, atoms, timestep, steps=500)
    assert step._cache_size() - before <= len(calculator.capacities) <= 1 + 2
    assert calculator.n_builds < 50
