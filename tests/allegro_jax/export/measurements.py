"""How far an exported potential is from the library's, and what a step costs; see docs.

    python -m tests.allegro_jax.export.measurements [FOLDER]

FOLDER holds a potential for copper; the default is that of tests/physics. Prints one line of JSON
per size: relative deviations of energy, forces and stress of a sheared and rattled crystal (norms),
and the CPU time of a step of both calculators. That of the library keeps a neighbour list with a
skin; the exported one searches in every step.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from ase.build import bulk

from allegro_jax.export import load
from allegro_jax.potential import Potential

STORED = Path(__file__).parents[2] / "physics" / "potentials" / "cu"
REPEATS = (1, 3, 6)


def copper(repeats):
    atoms = bulk("Cu", cubic=True) * repeats
    strain = np.array([[0.02, 0.03, 0.0], [0.0, -0.01, 0.02], [0.01, 0.0, 0.0]])
    atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    atoms.rattle(0.05, seed=0)
    return atoms


def deviation(found, expected):
    return float(np.linalg.norm(np.subtract(found, expected)) / np.linalg.norm(expected))


def seconds_per_step(atoms, calculator):
    """CPU seconds of a step, the mean of 20 after three that compile; atoms move a little."""
    atoms, rng = atoms.copy(), np.random.default_rng(0)
    atoms.calc = calculator
    for step in range(23):
        if step == 3:
            start = time.process_time()
        atoms.positions += rng.normal(0.0, 1e-3, atoms.positions.shape)
        atoms.get_forces()
    return (time.process_time() - start) / 20


def main(folder=STORED):
    potential = Potential.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        exported = load(potential.export(Path(scratch) / "model.aj"))
    for repeats in REPEATS:
        atoms = copper(repeats)
        atoms.calc = potential.calculator()
        found = exported(atoms)
        line = {
            "atoms": len(atoms),
            "energy": deviation(found.energy, atoms.get_potential_energy()),
            "forces": deviation(found.forces, atoms.get_forces()),
            "stress": deviation(found.stress, atoms.get_stress(voigt=False)),
            "library_cpu_s": round(seconds_per_step(atoms, potential.calculator()), 5),
            "exported_cpu_s": round(seconds_per_step(atoms, exported.calculator()), 5),
            "device": jax.devices()[0].device_kind,
            "jax": jax.__version__,
        }
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
