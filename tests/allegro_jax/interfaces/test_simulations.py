"""What a calculator is for, with ASE's own tools: relaxation, phonons, MD at given T and p.

Each test is also an example: replace `stored("cu")` by `Potential.load(folder)`.
"""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.md.langevin import Langevin
from ase.md.nptberendsen import NPTBerendsen
from ase.optimize import BFGS
from ase.phonons import Phonons

from tests.physics.measurements import copper, stored, thermalise

LATTICE_CONSTANT = 3.63
"""Å; PBE copper at rest, which the potential of these tests was trained on."""


@pytest.fixture(scope="module")
def potential():
    return stored("cu")


def test_relaxing_atoms_and_cell_finds_fcc_copper():
    atoms = bulk("Cu", a=3.5, cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.calc = stored("cu", "float64").calculator()
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-4, steps=100)
    assert atoms.get_volume() == pytest.approx(LATTICE_CONSTANT**3, rel=0.02)
    assert np.abs(atoms.get_stress()).max() < 1e-4
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(distances, distances[0], rtol=1e-3)


def test_phonons_of_copper_have_acoustic_branches_and_the_measured_band_width(tmp_path):
    atoms = bulk("Cu", a=LATTICE_CONSTANT)
    calculator = stored("cu", "float64").calculator()
    phonons = Phonons(atoms, calculator, supercell=(4, 4, 4), delta=0.02, name=tmp_path / "phonon")
    phonons.run()
    phonons.read(acoustic=True)
    gamma, x = 1000.0 * phonons.band_structure([[0, 0, 0], [0.5, 0.0, 0.5]])  # meV
    np.testing.assert_allclose(gamma, 0.0, atol=0.1)
    measured = 29.8  # 7.2 THz by neutrons: Svensson, Brockhouse & Rowe, Phys. Rev. 155, 619 (1967)
    assert x.max() == pytest.approx(measured, rel=0.15)
    assert calculator.n_builds <= 2, "a displacement is smaller than the skin"


def test_langevin_dynamics_reaches_its_temperature(potential):
    atoms = copper(3)
    calculator = atoms.calc = potential.calculator()
    thermalise(atoms, 600)
    rng = np.random.default_rng(0)
    options = {"temperature_K": 300, "friction": 0.05 / units.fs, "fixcm": False, "rng": rng}
    dynamics = Langevin(atoms, 2 * units.fs, **options)
    dynamics.run(50)
    temperatures = [atoms.get_temperature() for _ in dynamics.irun(150)]
    assert np.mean(temperatures) == pytest.approx(300, rel=0.15)
    assert len(calculator.capacities) <= 2


def test_dynamics_at_constant_pressure_expands_a_compressed_crystal(potential):
    atoms = copper(2)
    atoms.set_cell(atoms.cell * 0.97, scale_atoms=True)
    calculator = atoms.calc = potential.calculator()
    thermalise(atoms, 300)
    before = pressure(atoms)
    options = {
        "temperature_K": 300,
        "pressure_au": 0.0,
        "taut": 50 * units.fs,
        "taup": 100 * units.fs,
        "compressibility_au": 1 / (140 * units.GPa),
    }
    NPTBerendsen(atoms, 2 * units.fs, **options).run(200)
    assert before > 5 * units.GPa
    assert abs(pressure(atoms)) < 2 * units.GPa
    assert atoms.get_volume() == pytest.approx(8 * LATTICE_CONSTANT**3, rel=0.03)
    assert calculator.n_builds < 10, "a cell that breathes needs no new list at every step"


def pressure(atoms):
    """Of atoms and motion, eV/Å³."""
    return -np.trace(atoms.get_stress(voigt=False, include_ideal_gas=True)) / 3
