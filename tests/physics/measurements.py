"""What the physics tests measure; `python -m tests.physics.measurements` prints JSON lines.

Each line names the measurement and what it was made on: energy drift of NVE runs, compilations
and time of MD through the calculator, and errors of float32.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

import jax
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet

import allegro_jax as aj
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import batch_structures
from allegro_jax.potential import Potential
from tests.physics.conftest import evaluate, make_potential
from tests.small_models import MODELS

FOLDER = Path(__file__).parent / "potentials"


def stored(name: str, float_type: str = "float32") -> Potential:
    """A trained potential of the folder `potentials`, evaluated in the given precision."""
    potential = Potential.load(FOLDER / name)
    precision = aj.Precision(float_type, float_type, float_type)
    config = dataclasses.replace(potential.config, precision=precision)
    return Potential(config, potential.params, potential.atomic_energies)


def aspirin() -> Atoms:
    return aj.load("rmd17-aspirin")[0].to_atoms()


def copper(repeats: int) -> Atoms:
    return bulk("Cu", a=3.64, cubic=True) * repeats


def thermalise(atoms: Atoms, kelvin: float) -> None:
    """Momenta of the Maxwell-Boltzmann distribution without drift or rotation, seed 0."""
    rng = np.random.default_rng(0)
    widths = np.sqrt(units.kB * kelvin * atoms.get_masses())
    atoms.set_momenta(widths[:, None] * rng.normal(size=(len(atoms), 3)))
    Stationary(atoms)
    if not atoms.pbc.any():
        ZeroRotation(atoms)


@dataclasses.dataclass(frozen=True)
class Drift:
    """How a run at constant energy kept it.

    Attributes:
        drift: slope of the total energy, meV per atom and ps.
        fluctuation: its standard deviation about that line, meV per atom.
        kinetic_fluctuation: that of the kinetic energy, to compare with.
    """

    drift: float
    fluctuation: float
    kinetic_fluctuation: float


def nve(potential: Potential, atoms: Atoms, timestep_fs: float, ps: float, kelvin: float) -> Drift:
    """Runs velocity Verlet from random momenta of twice the temperature (half is lost)."""
    atoms.calc = potential.calculator()
    thermalise(atoms, 2 * kelvin)
    energies: list[tuple[float, float]] = []
    dynamics = VelocityVerlet(atoms, timestep_fs * units.fs)
    dynamics.attach(lambda: energies.append((atoms.get_total_energy(), atoms.get_kinetic_energy())))
    dynamics.run(round(1000 * ps / timestep_fs))
    total, kinetic = 1000.0 * np.array(energies).T / len(atoms)
    times = np.arange(len(total)) * timestep_fs / 1000.0
    slope, start = np.polyfit(times, total - total[0], 1)
    rest = total - total[0] - slope * times - start
    return Drift(float(slope), float(rest.std()), float(kinetic.std()))


def thermostat(potential: Potential, atoms: Atoms, timestep_fs: float, steps: int):
    """Runs Langevin dynamics at 600 K from rest and returns the calculator."""
    atoms.calc = potential.calculator()
    options = {"temperature_K": 600, "friction": 0.02 / units.fs, "fixcm": False}
    rng = np.random.default_rng(0)
    Langevin(atoms, timestep_fs * units.fs, rng=rng, **options).run(steps)
    return atoms.calc


def overhead(potential: Potential, atoms: Atoms, steps: int) -> dict[str, float]:
    """CPU time of a step (ms): of the model on a tight list, of the calculator, of NVE MD."""
    graph = jax.device_put(
        batch_structures(
            [Structure.from_atoms(atoms)], potential.config.cutoff, potential.config.atomic_numbers
        )
    )
    thermalise(atoms, 300)
    calculator = atoms.calc = potential.calculator()
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    dynamics.run(10)
    parts = {
        "model": lambda: jax.block_until_ready(potential.predict(graph)),
        "calculator": lambda: calculator.calculate(atoms),
        "nve": lambda: dynamics.run(1),
    }
    # Interleaved, so that whatever else the machine does meets all of them.
    rounds = [{name: _cpu_ms(part, steps) for name, part in parts.items()} for _ in range(5)]
    return {f"{name}_cpu_ms": round(min(one[name] for one in rounds), 3) for name in parts}


def float32_errors(architecture: str, readout: str, structures: list[Atoms]) -> dict[str, float]:
    """Largest deviations of float32 from float64: energies per atom, forces, stress.

    Forces and stresses are relative to their largest component.
    """
    double = make_potential(architecture, readout)
    config = dataclasses.replace(double.config, precision=aj.Precision())
    single = Potential(config, double.params, double.atomic_energies)
    results = [evaluate(potential, structures) for potential in (single, double)]
    pairs = list(zip(*results, strict=True))
    stresses = [pair for pair in pairs if pair[1].stress is not None]
    return {
        "energy_eV_per_atom": max(abs(a.energy - b.energy) / len(b.forces) for a, b in pairs),
        "forces_relative": max(_relative(a.forces, b.forces) for a, b in pairs),
        "stress_relative": max(_relative(a.stress, b.stress) for a, b in stresses),
    }


def _relative(value: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(value - expected).max() / np.abs(expected).max())


def _cpu_ms(function, repeats: int) -> float:
    begin = time.process_time()
    for _ in range(repeats):
        function()
    return 1000.0 * (time.process_time() - begin) / repeats


def main() -> None:
    def line(measurement: str, **values) -> None:
        sys.stdout.write(json.dumps({"measurement": measurement, **values}) + "\n")
        sys.stdout.flush()

    for name in ("aspirin", "aspirin-mlp", "aspirin-qdi", "aspirin-2023", "cu"):
        atoms, timestep = (copper(3), 2.0) if name == "cu" else (aspirin(), 0.5)
        for float_type in ("float32", "float64"):
            result = nve(stored(name, float_type), atoms.copy(), timestep, 1.0, 300)
            line("nve 1 ps", potential=name, dtype=float_type, **dataclasses.asdict(result))
    for name, atoms, timestep in (("aspirin", aspirin(), 0.5), ("cu", copper(5), 2.0)):
        calculator = thermostat(stored(name), atoms, timestep, 500)
        counts = {"compiled": len(calculator.capacities), "lists": calculator.n_builds}
        line("500 steps at 600 K", potential=name, atoms=len(atoms), **counts)
        line("time", potential=name, atoms=len(atoms), **overhead(stored(name), atoms, 20))
    structures = [aspirin()[:13], bulk("NaCl", "rocksalt", a=5.5, cubic=True) * (2, 1, 1)]
    structures[1].rattle(0.1, seed=3)
    for architecture, readout in MODELS:
        errors = float32_errors(architecture, readout, structures)
        line("float32", architecture=architecture, readout=readout, **errors)


if __name__ == "__main__":
    main()
