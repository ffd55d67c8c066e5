import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import allegro_jax.datasets as datasets_package
from allegro_jax import units
from allegro_jax.datasets import load, names

FOLDER = Path(datasets_package.__file__).parent / "data"


@pytest.fixture(autouse=True)
def shipped_only(monkeypatch):
    monkeypatch.delenv("ALLEGRO_JAX_DATA", raising=False)


@pytest.mark.parametrize(
    ("name", "structures", "elements", "force_rms"),
    [
        ("rmd17-aspirin", 2000, (1, 6, 8), (1.1, 1.4)),
        ("rmd17-benzene", 2000, (1, 6), (0.8, 1.0)),
        ("culi", 2178, (3, 29), (0.37, 0.38)),
        ("cu", 294, (29,), (0.7, 0.9)),
        ("li", 270, (3,), (0.2, 0.3)),
    ],
)
def test_sets_have_the_published_size_and_plausible_units(name, structures, elements, force_rms):
    data = load(name)
    assert len(data) == structures
    assert data.elements == elements
    low, high = force_rms
    assert low < np.sqrt(np.mean(data.forces**2)) < high
    assert (data.energy < 0).all()


def test_qm9_has_5000_molecules_and_no_forces():
    data = load("qm9")
    assert len(data) == 5000
    assert data.elements == (1, 6, 7, 8, 9)
    assert data.forces is None
    assert data[0].forces is None


def test_qm9_energies_are_electronic_unless_u0_is_asked_for():
    electronic, u0 = load("qm9").energy, load("qm9", target="U0").energy
    with np.load(FOLDER / "qm9.npz") as file:
        np.testing.assert_allclose(u0 - electronic, file["zpve_eV"], atol=1e-8)
    assert (u0 - electronic > 0.2).all()


def test_every_qm9_molecule_is_bound_against_its_atoms():
    # Atomic energies published with QM9 (Ramakrishnan et al. 2014), hartree.
    atoms = {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.718730}
    data = load("qm9", target="U0")
    for molecule in data:
        free = sum(atoms[z] for z in molecule.numbers.tolist()) * units.HARTREE
        per_bond = (free - molecule.energy) / (len(molecule.numbers) - 1)
        assert 2.0 < per_bond < 8.0  # eV; single to triple bonds


@pytest.mark.parametrize("name", ["rmd17-aspirin", "rmd17-benzene", "culi", "li"])
def test_forces_of_every_structure_sum_to_zero(name):
    data = load(name)
    net = np.add.reduceat(data.forces, data.offsets[:-1])
    # Published forces are those of DFT codes that do not remove the net force exactly.
    assert np.abs(net).max() < 0.02


@pytest.mark.parametrize("name", ["rmd17-aspirin", "rmd17-benzene"])
def test_rmd17_has_the_official_split_of_1000_and_1000(name):
    splits = load(name).splits
    assert len(splits["train"]) == len(splits["test"]) == 1000
    assert not set(splits["train"]) & set(splits["test"])
    with np.load(FOLDER / f"{name.replace('-', '_')}.npz") as file:
        assert len(np.unique(file["md17_index"])) == 2000


def test_culi_splits_have_the_documented_sizes_and_cover_the_set():
    splits = load("culi").splits
    assert {key: len(rows) for key, rows in splits.items()} == {
        "train": 1680,
        "valid": 250,
        "test": 248,
        "train_random": 1742,
        "valid_random": 218,
        "test_random": 218,
    }
    for suffix in ("", "_random"):
        rows = np.concatenate([splits[kind + suffix] for kind in ("train", "valid", "test")])
        assert sorted(rows) == list(range(2178))


def test_culi_stress_is_symmetric_and_cells_are_right_handed():
    data = load("culi")
    np.testing.assert_allclose(data.stress, data.stress.transpose(0, 2, 1), atol=1e-6)
    assert (np.linalg.det(data.cell) > 0).all()
    assert data.pbc.all()


def test_shipped_files_are_those_of_the_readme_and_under_15_mb():
    readme = (FOLDER / "README.md").read_text()
    listed = dict(re.findall(r"\| `(\w+\.npz)` \| \d+ \| `([0-9a-f]{64})` \|", readme))
    files = {file.name: file for file in FOLDER.glob("*.npz")}
    assert set(listed) == set(files)
    for name, file in files.items():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == listed[name]
    assert sum(file.stat().st_size for file in files.values()) < 15e6


def test_the_labels_of_culi_are_said_not_to_be_dft():
    assert "not from DFT" in load.__doc__
    assert "not by DFT" in (FOLDER / "README.md").read_text()


def test_names_lists_what_load_knows():
    assert set(names()) == {"rmd17-aspirin", "rmd17-benzene", "qm9", "culi", "cu", "li"}
