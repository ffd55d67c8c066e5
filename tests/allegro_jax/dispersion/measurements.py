"""What D3 costs and what a shorter cutoff leaves out; prints JSON lines.

python -m tests.allegro_jax.dispersion.measurements
"""

import json
import sys
import time

from ase import Atoms
from ase.build import bulk

from allegro_jax.configs import D3
from allegro_jax.datasets import Structure, load
from allegro_jax.dispersion import dispersion_terms

REPEATS = 3


def measure(atoms: Atoms, dispersion: D3) -> dict[str, float | int | str]:
    """CPU time of energy, forces, stress and atomic energies, and the energy per atom."""
    structure = Structure.from_atoms(atoms)
    times = []
    for _ in range(REPEATS):
        begin = time.process_time()
        terms = dispersion_terms(structure, dispersion)
        times.append(time.process_time() - begin)
    return {
        "correction": dispersion.name,
        "atoms": len(atoms),
        "cpu_ms": round(1000 * min(times), 2),
        "meV_per_atom": round(1000 * terms.energy / len(atoms), 2),
    }


def main() -> None:
    structures = {
        "aspirin": load("rmd17-aspirin").to_atoms(0),
        "copper, 32 atoms": bulk("Cu", a=3.63, cubic=True) * 2,
        "copper, 500 atoms": bulk("Cu", a=3.63, cubic=True) * 5,
    }
    corrections = [D3("pbe"), D3("pbe", cutoff=15.0), D3("pbe", three_body=True, cutoff=15.0)]
    for name, atoms in structures.items():
        for correction in corrections[: 2 if len(atoms) > 100 else 3]:  # triples take their time
            values = {"structure": name, **measure(atoms, correction)}
            sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
