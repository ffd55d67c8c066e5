"""The D3 correction: published numbers, derivatives, any periodicity, errors that help."""

import dataclasses
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from allegro_jax.configs import D3
from allegro_jax.datasets import Structure, load
from allegro_jax.dispersion import check_available, dispersion_terms, subtract_dispersion

pytest.importorskip("dftd3")

PBE = D3("pbe")
SMOOTH = D3("pbe", cutoff=10.0)


def terms(atoms, dispersion=PBE):
    return dispersion_terms(Structure.from_atoms(atoms), dispersion)


def test_water_has_the_energy_that_the_library_documents():
    assert terms(molecule("H2O")).energy == pytest.approx(-0.009781920198843976, rel=1e-6)
    tpss = terms(molecule("H2O"), D3("TPSS"))
    assert tpss.energy == pytest.approx(-0.011441640787279111, rel=1e-6)


def test_far_atoms_attract_with_the_sixth_power_of_the_distance():
    near, far = (terms(Atoms("Ar2", [[0, 0, 0], [0, 0, r]])).energy for r in (10.0, 20.0))
    assert near < far < 0
    assert near / far == pytest.approx(2.0**6, rel=0.1)  # C8 adds a little
    # C6 of two argon atoms: 64.3 Hartree Bohr⁶ (Kumar & Meath, Mol. Phys. 54, 823 (1985)).
    bohr, hartree = 0.529177, 27.2114
    assert -far * (20.0 / bohr) ** 6 / hartree == pytest.approx(64.3, rel=0.05)


@pytest.mark.parametrize("dispersion", [SMOOTH, D3("pbe", "zero", True, 8.0)], ids=str)
def test_forces_and_stress_are_derivatives_of_the_energy(dispersion):
    atoms = bulk("NaCl", "rocksalt", a=5.5, cubic=True)
    atoms.rattle(0.1, seed=0)
    found, h = terms(atoms, dispersion), 1e-3

    def moved(step):
        other = atoms.copy()
        other.positions[2] += [step, -step, 2 * step]
        return terms(other, dispersion).energy

    def strained(step):
        other = atoms.copy()
        strain = step * np.array([[1.0, 0.5, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
        other.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
        return terms(other, dispersion).energy

    slope = -(moved(h) - moved(-h)) / (2 * h)
    assert found.forces[2] @ [1, -1, 2] == pytest.approx(slope, abs=1e-7)
    slope = (strained(h) - strained(-h)) / (2 * h) / atoms.get_volume()
    assert found.stress[0, 0] + found.stress[0, 1] == pytest.approx(slope, abs=1e-7)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-12)
    assert found.atomic_energies.sum() == pytest.approx(found.energy, rel=1e-12)


def test_a_slab_has_one_energy_however_its_cell_is_written():
    # s-dftd3 1.7 folds atoms into cells that do not repeat, and minds the order of the vectors.
    slab = fcc111("Cu", (1, 1, 3), vacuum=40.0)
    as_crystal = slab.copy()
    as_crystal.pbc = True
    expected = terms(as_crystal, SMOOTH)
    for order in ([0, 1, 2], [0, 2, 1], [2, 0, 1]):
        for height, shift in ((0.0, 0.0), (3.0, -7.0), (80.0, 50.0)):
            cell = slab.cell.array.copy()
            cell[2] = [0.0, 0.2 * height, height]
            other = Atoms(slab.numbers, slab.positions, cell=cell[order])
            other.pbc = np.array([True, True, False])[order]
            other.positions += [0.3, 0.1, shift]
            found = terms(other, SMOOTH)
            assert found.energy == pytest.approx(expected.energy, rel=1e-12)
            np.testing.assert_allclose(found.forces, expected.forces, atol=1e-12)
            assert (found.stress is None) == (height == 0.0)


def test_a_molecule_does_not_mind_a_cell():
    free, boxed = molecule("C6H6"), molecule("C6H6")
    boxed.cell = np.eye(3) * 2.0
    assert terms(boxed).energy == pytest.approx(terms(free).energy, rel=1e-14)
    assert terms(boxed).stress is None


def test_a_supercell_has_multiples_of_the_energy():
    one, eight = (terms(bulk("Cu", cubic=True) * n, SMOOTH) for n in (1, 2))
    assert eight.energy == pytest.approx(8 * one.energy, rel=1e-12)
    np.testing.assert_allclose(eight.stress, one.stress, atol=1e-12)


def test_labels_that_are_missing_stay_missing():
    data = load("cu").select([0, 1])
    data = dataclasses.replace(data, stress=np.full((2, 3, 3), 0.01))
    data.energy[1] = np.nan
    data.forces[0, 1] = np.nan
    bare = subtract_dispersion(data, SMOOTH)
    expected = [dispersion_terms(structure, SMOOTH) for structure in data]
    assert data.energy[0] - bare.energy[0] == pytest.approx(expected[0].energy)
    assert np.isnan(bare.energy[1])
    np.testing.assert_array_equal(np.isnan(bare.forces), np.isnan(data.forces))
    np.testing.assert_allclose(data.stress - bare.stress, [term.stress for term in expected])
    assert bare.name == data.name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: check_available(D3("pbee")), "PBEE-D3.*did you mean 'pbe'"),
        (lambda: check_available(D3("hse06", "op")), "no parameters for HSE06-D3.OP.*damping"),
        (lambda: terms(Atoms("Mc")), "no coefficients for Mc"),
        (lambda: terms(Atoms("H2", np.zeros((2, 3)))), "cannot evaluate"),
    ],
)
def test_what_d3_does_not_have_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "dftd3", None)
    with pytest.raises(ModuleNotFoundError, match=r"allegro-jax\[dispersion\]"):
        check_available(D3("pbe"))
