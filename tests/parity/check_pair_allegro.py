"""Compares what nequip compiled for `pair_style allegro` with the potential that went there.

For development only; no test runs it. Here, then in nequip's environment (see
`experiments/nequip_checkpoint.py`), then there again:

    python -m tests.parity.check_pair_allegro make tests/physics/potentials/cu work
    python experiments/nequip_checkpoint.py work/home.npz work/frames.xyz work/home.ckpt
    nequip-compile work/home.ckpt work/home.nequip.pt2 --mode aotinductor --device cpu \\
        --target pair_allegro
    python tests/parity/check_pair_allegro.py check work/home.nequip.pt2 work/frames.xyz

`check` calls the compiled model as LAMMPS does, with images of atoms as ghosts.
"""

import sys
from pathlib import Path

import numpy as np


def make(folder: str, work: str) -> None:
    """Writes the weights for nequip, and rattled copper with our energies, forces, stresses."""
    from ase.build import bulk
    from ase.io import write

    from allegro_jax.potential import Potential

    potential = Potential.load(folder)
    Path(work).mkdir(parents=True, exist_ok=True)
    potential.save_nequip(Path(work) / "home.npz")
    frames = []
    for seed in range(3):
        atoms = bulk("Cu", cubic=True) * (1, 1, 2)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = potential.calculator()
        atoms.get_stress()
        frames.append(atoms)
    write(Path(work) / "frames.xyz", frames)


def check(compiled: str, frames: str) -> None:
    """Prints the worst deviations."""
    from ase.io import read

    model, names = _load(compiled)
    worst: dict[str, float] = {}
    for atoms in read(frames, ":"):
        found = _evaluate(model, names, atoms)
        for name, value in found.items():
            expected = atoms.calc.results[name]
            deviation = np.abs(value - expected).max() / np.abs(expected).max()
            worst[name] = max(worst.get(name, 0.0), float(deviation))
    for name, deviation in worst.items():
        sys.stdout.write(f"{name}: worst relative deviation {deviation:.1e}\n")


def _load(compiled):
    import torch

    model = torch._inductor.aoti_load_package(compiled)
    metadata = model.get_metadata()
    names = metadata["type_names"].split()
    return model, (names, float(metadata["r_max"]))


def _evaluate(model, of_model, atoms):
    """Energy, forces and stress, with every neighbour outside of the cell as a ghost."""
    import torch
    from ase.neighborlist import neighbor_list

    names, cutoff = of_model
    types = np.array([names.index(name) for name in atoms.get_chemical_symbols()])
    i, j, shifts = neighbor_list("ijS", atoms, cutoff)
    outside = shifts.any(axis=1)
    owners = np.concatenate([np.arange(len(atoms)), j[outside]])
    rows = j.copy()
    rows[outside] = np.arange(len(atoms), len(owners))
    positions = atoms.positions[owners]
    positions[len(atoms) :] += shifts[outside] @ atoms.cell.array
    inputs = (positions, np.stack([i, rows]), types[owners])
    energies, forces, virial = (
        part.detach().numpy() for part in model([torch.as_tensor(array) for array in inputs])
    )
    folded = np.zeros((len(atoms), 3))
    np.add.at(folded, owners, forces)
    stress = -virial.reshape(3, 3) / atoms.get_volume()
    return {
        "energy": energies[: len(atoms)].sum(),
        "forces": folded,
        "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
    }


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"make": make, "check": check}[command](*paths)
