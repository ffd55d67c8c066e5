"""Properties of crystals, on potentials whose properties are known."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.eos import birchmurnaghan

from allegro_jax import units
from experiments.crystals.command import compute
from experiments.crystals.elastic import Elastic, elastic_constants
from experiments.crystals.equation_of_state import equation_of_state, fitted
from experiments.crystals.phonons import phonons, repeats
from experiments.crystals.pictures import picture
from experiments.crystals.properties import Settings, properties_of, summary
from experiments.crystals.structures import crystal, relaxed

EXACT = {"fmax": 1e-6}


@pytest.fixture(scope="module")
def copper():
    return relaxed(bulk("Cu", a=3.5), EMT(), 1e-6, cell=True)


@pytest.fixture(scope="module")
def elastic(copper):
    return elastic_constants(copper, EMT(), strain=0.002, **EXACT)


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("phonopy")
    return properties_of(bulk("Cu"), EMT(), Settings(length=6.0, points=5, fmax=1e-3))


def test_the_equation_of_state_and_the_elastic_constants_have_one_bulk_modulus(copper, elastic):
    state = equation_of_state(copper, EMT(), span=0.04, points=7, **EXACT)
    cubic = elastic.cubic
    assert state.bulk_modulus == pytest.approx((cubic["C11"] + 2 * cubic["C12"]) / 3, rel=5e-3)
    assert state.bulk_modulus == pytest.approx(elastic.moduli["bulk"], rel=5e-3)
    assert state.bulk_modulus == pytest.approx(134.4, abs=0.5)  # of EMT in the manual of ASE
    assert state.volume == pytest.approx(copper.get_volume(), rel=1e-3)
    assert state.energy == pytest.approx(copper.get_potential_energy(), abs=1e-4)
    assert 3 < state.derivative < 6
    assert elastic.asymmetry < 1e-3
    assert elastic.stable


def test_an_equation_of_state_is_fitted_to_its_own_curve():
    volumes = np.linspace(10.0, 14.0, 9)
    state = fitted(list(volumes), list(birchmurnaghan(volumes, -3.0, 0.8, 4.5, 11.7)))
    numbers = (state.volume, state.energy, state.bulk_modulus * units.GPA, state.derivative)
    assert numbers == pytest.approx((11.7, -3.0, 0.8, 4.5), rel=1e-6)
    assert state.residual < 1e-8
    with pytest.raises(ValueError, match="outside of the volumes"):
        fitted(list(volumes[5:]), list(birchmurnaghan(volumes[5:], -3.0, 0.8, 4.5, 11.7)))


@pytest.mark.slow
def test_cubic_constants_do_not_depend_on_the_choice_of_cell(elastic):
    conventional = relaxed(bulk("Cu", cubic=True), EMT(), 1e-6, cell=True)
    other = elastic_constants(conventional, EMT(), strain=0.002, **EXACT)
    assert other.cubic == pytest.approx(elastic.cubic, rel=1e-4)
    assert elastic.stable
    assert set(elastic.cubic) == {"C11", "C12", "C44"}


@pytest.mark.slow
def test_forces_between_pairs_obey_the_relation_of_cauchy():
    argon = LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0, ro=4.5, smooth=True)
    atoms = relaxed(bulk("Ar", "fcc", a=5.2), argon, 1e-7, cell=True)
    cubic = elastic_constants(atoms, argon, strain=0.001, **EXACT).cubic
    assert cubic["C12"] == pytest.approx(cubic["C44"], rel=2e-3)
    assert cubic["C11"] > cubic["C12"] > 0


@pytest.mark.slow
def test_a_hexagonal_crystal_is_not_called_cubic_and_is_isotropic_in_its_plane():
    atoms = relaxed(bulk("Cu", "hcp", a=2.54), EMT(), 1e-6, cell=True)
    found = elastic_constants(atoms, EMT(), strain=0.002, **EXACT)
    c = found.constants
    assert found.cubic is None
    assert c[5, 5] == pytest.approx((c[0, 0] - c[0, 1]) / 2, rel=0.01)
    assert c[0, 0] == pytest.approx(c[1, 1], rel=0.01)
    assert c[2, 2] > 1.05 * c[0, 0]


def test_moduli_of_an_isotropic_solid_are_its_own():
    bulk_modulus, shear = 100.0, 40.0
    matrix = np.diag([2 * shear] * 3 + [shear] * 3)
    matrix[:3, :3] += bulk_modulus - 2 * shear / 3
    assert Elastic(matrix, 0.0).moduli == pytest.approx({"bulk": 100.0, "shear": 40.0})
    matrix[5, 5] = -1.0
    assert not Elastic(matrix, 0.0).stable
    with pytest.raises(ValueError, match="softer"):
        _ = Elastic(matrix, 0.0).moduli


def test_phonons_begin_at_zero_and_bend_the_sound_of_the_elastic_constants(found):
    np.testing.assert_allclose(found.phonons.special["G"], 0.0, atol=1e-3)
    assert found.phonons.lowest > -1e-3
    transverse, other, longitudinal = found.phonons.special["X"]
    assert transverse == pytest.approx(other, rel=1e-3)
    # At X the branch has bent below the line of long waves: f < v q / 2π, and not below 2/π of it.
    density = 63.546 * 1.66054e-27 / (found.crystal.get_volume() * 1e-30)  # kg/m³
    lattice = (4 * found.crystal.get_volume()) ** (1 / 3) * 1e-10
    line = np.sqrt(found.elastic.cubic["C11"] * 1e9 / density) / lattice / 1e12  # THz
    assert 0.9 * 2 / np.pi * line < longitudinal < line


def test_all_is_said_drawn_and_written(found):
    text = summary(found)
    assert "Cu, FCC(a=3.589" in text
    for word in ("bulk modulus", "C44", "phonons, THz", "X  "):
        assert word in text
    assert picture(found).startswith(b"\x89PNG")
    assert found.crystal.get_stress() == pytest.approx(0.0, abs=1e-3)  # its own, not the last one's
    assert found.crystal.get_forces().shape == (1, 3)
    values = json.loads(json.dumps(found.to_json()))
    assert values["elastic"]["cubic"]["C11"] == pytest.approx(172.6, abs=1.0)
    assert values["phonons"]["special"]["G"] == pytest.approx([0.0] * 3, abs=1e-3)


def test_a_supercell_is_as_thick_as_asked_in_every_direction():
    assert repeats(bulk("Cu", cubic=True), 7.0) == (2, 2, 2)
    assert repeats(bulk("Cu"), 7.0) == (4, 4, 4)  # planes are 2.08 Å apart, not 2.55


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: crystal("Nowhere.cif"), "neither a file nor a crystal"),
        (lambda: crystal("NaCl"), "--crystalstructure"),
        (lambda: Settings(quantities=("eos", "colour")), "some of eos, elastic, phonons.*colour"),
        (lambda: Settings(fmax=0.0), "fmax"),
        (lambda: elastic_constants(bulk("Cu"), EMT(), strain=0.5, fmax=1.0), "small and positive"),
        (lambda: equation_of_state(bulk("Cu"), EMT(), span=0.1, points=3, fmax=1.0), "5 volumes"),
        (lambda: phonons(bulk("Cu"), EMT(), length=0.0, displacement=0.1), "lengths in Å"),
        (lambda: compute("/nowhere", "Cu"), "does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_molecule_is_no_crystal(tmp_path):
    file = tmp_path / "water.xyz"
    file.write_text("1\n\nO 0.0 0.0 0.0\n")
    with pytest.raises(ValueError, match="repeat in three directions"):
        crystal(str(file))
