"""Makes parity vectors with the authors' PyTorch code. For development only; no test runs it.

Made with Python 3.11, torch 2.13.0, nequip 0.19.1, nequip-allegro 0.8.3, e3nn 0.6.0 and ase 3.29.0
in an environment of their own:

    python3 -m venv torch-env
    torch-env/bin/pip install torch==2.13.0
    torch-env/bin/pip install nequip==0.19.1 nequip-allegro==0.8.3
    torch-env/bin/python tests/parity/make_vectors.py tests/parity             # all vectors
    torch-env/bin/python tests/parity/make_vectors.py tests/parity lmax4_parity  # one of them

and, to prove that an exported model goes home (`python -m experiments.convert FOLDER home.npz`):

    torch-env/bin/python tests/parity/make_vectors.py --check home.npz tests/parity/lmax4_parity.npz

which loads `home.npz` strictly into PyTorch and evaluates it on the structures of the vector.

`real_package.nequip.zip` is `nequip-package build real_best.ckpt` with the same versions, without
its Python sources and whatever else the eager model does not use.

Keys of a vector: `config_json` (arguments of `AllegroModel`), `sd/<state-dict key>`,
`in/{pos,types,edge_index,cell,edge_cell_shift,batch,num_atoms,pbc}` and
`out/{energy,atomic_energy,forces,stress}`; cells and stresses have one row for each structure.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from allegro.model import AllegroModel
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import neighbor_list
from nequip.data import AtomicDataDict as Keys
from nequip.utils.global_state import set_global_state

BESSEL = {
    "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
    "num_bessels": 8,
    "bessel_trainable": False,
    "polynomial_cutoff_p": 6,
}
SPLINE = {"_target_": "allegro.nn.TwoBodySplineScalarEmbed", "num_splines": 10, "spline_span": 6}


def mlps(depth: int, width: int, nonlinearity: str | None = "silu") -> dict:
    return {
        f"{name}_{key}": value
        for name in ("scalar_embed_mlp", "allegro_mlp", "readout_mlp")
        for key, value in [
            ("hidden_layers_depth", depth),
            ("hidden_layers_width", width),
            ("nonlinearity", nonlinearity),
        ]
    }


def settings(seed: int, type_names: list[str], **changes) -> dict:
    """A small model in float64 with the given changes."""
    return {
        "seed": seed,
        "model_dtype": "float64",
        "type_names": type_names,
        "r_max": 4.0,
        "l_max": 2,
        "parity": True,
        "radial_chemical_embed": BESSEL,
        "num_layers": 2,
        "num_scalar_features": 8,
        "num_tensor_features": 4,
        **mlps(1, 8),
        "avg_num_neighbors": 6.3,
        **changes,
    }


def zbl(type_names: list[str], p: float) -> dict:
    return {
        "_target_": "nequip.nn.pair_potential.ZBL",
        "units": "metal",
        "chemical_species": type_names,
        "polynomial_cutoff_p": p,
    }


def rattled(atoms: Atoms, seed: int, amplitude: float = 0.1) -> Atoms:
    noise = np.random.default_rng(seed).normal(0.0, amplitude, (len(atoms), 3))
    atoms.positions += noise
    return atoms


def strained(atoms: Atoms, strain: list[list[float]]) -> Atoms:
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + np.array(strain)), scale_atoms=True)
    return atoms


def slab() -> Atoms:
    """Au on Cu(111), periodic in two directions and thinner than the cutoff along them."""
    atoms = fcc111("Cu", (1, 2, 3), vacuum=5.0, orthogonal=False)
    atoms.symbols[-2:] = "Au"
    return rattled(atoms, 5)


def wire() -> Atoms:
    """A zigzag chain, periodic along y; the other two rows of the cell only fill the space."""
    positions = [[4.0, 0.3, 4.1], [5.2, 1.4, 4.6], [3.1, 1.9, 5.0]]
    cell = [[9.0, 0.0, 0.0], [0.8, 2.9, 0.5], [0.0, 0.0, 10.0]]
    return Atoms("CHO", positions, cell=cell, pbc=(False, True, False))


def triclinic() -> Atoms:
    """Two strongly skewed atoms, cutoff far beyond the smallest height of the cell."""
    cell = [[3.1, 0.2, 0.1], [2.4, 2.9, -0.3], [-1.6, 1.2, 3.3]]
    return Atoms("NaCl", [[0.1, -0.2, 0.3], [2.1, 2.4, 1.4]], cell=cell, pbc=True)


def crystals() -> list[Atoms]:
    """Three crystals of different sizes, shapes and kinds of atoms."""
    rocksalt = rattled(bulk("NaCl", "rocksalt", 5.6), 1)
    strain = [[0.02, 0.03, 0.0], [0.0, -0.05, 0.0], [0.0, 0.0, 0.0]]
    sheared = strained(bulk("Na", "bcc", 4.2, cubic=True), strain)
    cubic = rattled(bulk("NaCl", "rocksalt", 5.5, cubic=True), 2, 0.2)
    return [rocksalt, rattled(sheared, 3), cubic]


ACID = "CH3COOH"
HCO = ["H", "C", "O"]
CUTOFFS = {"H": 2.5, "C": {"H": 3.1, "O": 3.7}, "O": {"C": 3.3}}
SHIFTS = {"H": -13.6, "C": -1029.1, "O": -2041.3}

VECTORS = {
    "zbl_edge_cutoffs": lambda: (
        settings(
            31,
            HCO,
            radial_chemical_embed={**BESSEL, "num_bessels": 6, "polynomial_cutoff_p": 5},
            per_edge_type_cutoff=CUTOFFS,
            pair_potential=zbl(HCO, 4.0),
            per_type_energy_shifts=SHIFTS,
        ),
        [rattled(molecule(ACID), 1)],
    ),
    "layers4_parity": lambda: (
        settings(32, HCO, num_layers=4, num_tensor_features=2),
        [rattled(molecule(ACID), 2)],
    ),
    "layers4_noparity_gelu": lambda: (
        settings(33, HCO, l_max=1, num_layers=4, parity=False, **mlps(2, 8, "gelu")),
        [rattled(molecule(ACID), 3)],
    ),
    "lmax3_parity": lambda: (
        settings(41, HCO, l_max=3, num_tensor_features=2),
        [rattled(molecule("CH3OH"), 6)],
    ),
    "lmax3_3layers_parity": lambda: (
        settings(34, HCO, l_max=3, num_layers=3, num_tensor_features=2),
        [rattled(molecule("CH3OH"), 4)],
    ),
    "lmax4_parity": lambda: (
        settings(35, HCO, l_max=4, num_tensor_features=2),
        [rattled(molecule("CH3OH"), 5)],
    ),
    "slab_mixed_pbc": lambda: (
        settings(36, ["Cu", "Au"], r_max=4.5, per_type_energy_scales={"Cu": 1.3, "Au": 0.7}),
        [slab()],
    ),
    "wire_one_pbc_zbl": lambda: (
        settings(37, HCO, l_max=1, r_max=4.7, pair_potential=zbl(HCO, 6.0)),
        [wire()],
    ),
    "triclinic_trainable": lambda: (
        settings(
            38,
            ["Na", "Cl"],
            r_max=5.0,
            radial_chemical_embed={**BESSEL, "bessel_trainable": True, "polynomial_cutoff_p": 6.5},
            per_type_energy_scales=1.4,
            per_type_energy_shifts={"Na": -1.3, "Cl": -3.4},
            per_type_energy_scales_trainable=True,
            per_type_energy_shifts_trainable=True,
        ),
        [triclinic()],
    ),
    "batch_crystals_spline": lambda: (
        settings(
            39,
            ["Na", "Cl"],
            l_max=1,
            radial_chemical_embed=SPLINE,
            radial_chemical_embed_dim=6,
            per_edge_type_cutoff={"Na": {"Cl": 3.6}},
            avg_num_neighbors={"Na": 11.0, "Cl": 9.5},
            forward_normalize=False,
        ),
        crystals(),
    ),
    "batch_molecules_depth0": lambda: (
        settings(40, HCO, l_max=1, num_layers=3, **mlps(0, 8), tp_path_channel_coupling=False),
        [rattled(molecule(name), k) for k, name in enumerate(["H2O", ACID, "CO2"])],
    ),
}


def build(arguments: dict) -> torch.nn.Module:
    return AllegroModel(**arguments).eval()


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Moves every parameter away from its initial value, those that start at constants too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter += 0.1 * noise


def inputs(structures: list[Atoms], arguments: dict) -> dict[str, np.ndarray]:
    """One batch with all edges up to the cutoff, centre first."""
    names = arguments["type_names"]
    types = [names.index(symbol) for atoms in structures for symbol in atoms.symbols]
    sizes = [len(atoms) for atoms in structures]
    starts = np.cumsum(sizes) - sizes
    found = [neighbor_list("ijS", atoms, arguments["r_max"]) for atoms in structures]
    edges = [np.stack(item[:2]) + start for item, start in zip(found, starts, strict=True)]
    arrays = {
        "pos": np.concatenate([atoms.positions for atoms in structures]),
        "types": np.array(types),
        "edge_index": np.concatenate(edges, axis=1),
        "batch": np.repeat(np.arange(len(sizes)), sizes),
        "num_atoms": np.array(sizes),
    }
    if any(atoms.pbc.any() for atoms in structures):
        arrays["cell"] = np.stack([atoms.cell.array for atoms in structures])
        arrays["edge_cell_shift"] = np.concatenate([item[2] for item in found]).astype(float)
        arrays["pbc"] = np.stack([atoms.pbc for atoms in structures])
    return arrays


def evaluate(model: torch.nn.Module, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = {
        "pos": Keys.POSITIONS_KEY,
        "types": Keys.ATOM_TYPE_KEY,
        "edge_index": Keys.EDGE_INDEX_KEY,
        "cell": Keys.CELL_KEY,
        "edge_cell_shift": Keys.EDGE_CELL_SHIFT_KEY,
        "batch": Keys.BATCH_KEY,
        "num_atoms": Keys.NUM_NODES_KEY,
    }
    used = {name: torch.as_tensor(arrays[key]) for key, name in names.items() if key in arrays}
    result = model({name: _long(array) for name, array in used.items()})
    wanted = {
        "energy": Keys.TOTAL_ENERGY_KEY,
        "atomic_energy": Keys.PER_ATOM_ENERGY_KEY,
        "forces": Keys.FORCE_KEY,
    }
    if "cell" in arrays:
        wanted["stress"] = Keys.STRESS_KEY
    return {key: result[name].detach().numpy() for key, name in wanted.items()}


def _long(array: torch.Tensor) -> torch.Tensor:
    return array if array.is_floating_point() else array.long()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def make(name: str, folder: Path) -> None:
    arguments, structures = VECTORS[name]()
    model = build(arguments)
    randomise(model, arguments["seed"])
    arrays = inputs(structures, arguments)
    entries = {f"sd/{key}": value.numpy() for key, value in model.state_dict().items()}
    entries |= {f"in/{key}": value for key, value in arrays.items()}
    entries |= {f"out/{key}": value for key, value in evaluate(model, arrays).items()}
    path = folder / f"{name}.npz"
    np.savez_compressed(path, config_json=json.dumps(arguments), **entries)
    say(f"{name}: {path.stat().st_size / 1000:.0f} kB, {arrays['edge_index'].shape[1]} edges")


def check(home: Path, vector: Path) -> None:
    """Loads an exported model strictly and compares it with what the vector's model gave."""
    with np.load(home) as file, np.load(vector) as expected:
        model = build(json.loads(str(file["config_json"])))
        state = {key[3:]: torch.as_tensor(file[key]) for key in file.files if key[:3] == "sd/"}
        model.load_state_dict(state, strict=True)
        arrays = {key[3:]: expected[key] for key in expected.files if key[:3] == "in/"}
        for key, ours in evaluate(model, arrays).items():
            theirs = expected[f"out/{key}"]
            deviation = np.abs(ours - theirs).max() / np.abs(theirs).max()
            say(f"{key}: worst relative deviation {deviation:.1e}")


def main(arguments: list[str]) -> None:
    set_global_state(allow_tf32=False)
    if arguments[0] == "--check":
        check(Path(arguments[1]), Path(arguments[2]))
        return
    for name in arguments[1:] or VECTORS:
        make(name, Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
