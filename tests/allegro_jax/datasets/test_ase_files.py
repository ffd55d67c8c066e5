import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from allegro_jax.datasets import load

VOIGT = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
FORCES = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])


def copper(energy=-3.5, **labels):
    atoms = Atoms("Cu2", [[0, 0, 0], [1.8, 1.8, 0]], cell=[3.6, 3.6, 3.6], pbc=[True, True, False])
    atoms.calc = SinglePointCalculator(atoms, energy=energy, **labels)
    return atoms


def write(path, frames):
    ase.io.write(path, frames)
    return path


def test_extxyz_gives_geometry_and_labels_of_every_frame(tmp_path):
    frames = [copper(-3.5 - k, forces=FORCES * k, stress=VOIGT * k) for k in range(3)]
    frames[1].positions[0, 2] = 0.25
    data = load(write(tmp_path / "copper.extxyz", frames))
    assert data.name == "copper"
    np.testing.assert_allclose(data.energy, [-3.5, -4.5, -5.5])
    np.testing.assert_allclose(data[2].forces, FORCES * 2)
    np.testing.assert_allclose(data[1].positions[0], [0, 0, 0.25])
    np.testing.assert_array_equal(data.pbc, [[True, True, False]] * 3)
    np.testing.assert_allclose(data.cell, [np.eye(3) * 3.6] * 3)
    # xx, yy, zz, yz, xz, xy
    np.testing.assert_allclose(data[1].stress, [[1, 6, 5], [6, 2, 4], [5, 4, 3]])


@pytest.mark.parametrize("suffix", [".traj", ".json"])
def test_other_formats_of_ase_load_as_well(tmp_path, suffix):
    data = load(write(tmp_path / f"copper{suffix}", [copper(forces=FORCES)]))
    np.testing.assert_allclose(data.forces, FORCES)


def test_reference_labels_go_before_those_of_a_calculator(tmp_path):
    atoms = copper(forces=FORCES)
    atoms.info["REF_energy"] = -7.0
    atoms.arrays["REF_forces"] = 2 * FORCES
    data = load(write(tmp_path / "a.extxyz", atoms))
    assert data.energy[0] == -7.0
    np.testing.assert_allclose(data.forces, 2 * FORCES)


def test_keys_can_be_named(tmp_path):
    atoms = copper(forces=FORCES)
    atoms.info["b3lyp"] = -9.0
    atoms.arrays["b3lyp_forces"] = 3 * FORCES
    path = write(tmp_path / "a.extxyz", atoms)
    data = load(path, energy_key="b3lyp", forces_key="b3lyp_forces")
    assert data.energy[0] == -9.0
    np.testing.assert_allclose(data.forces, 3 * FORCES)


def test_forces_on_constrained_atoms_are_not_zeroed(tmp_path):
    atoms = copper(forces=FORCES)
    atoms.set_constraint(FixAtoms([0]))
    data = load(write(tmp_path / "a.traj", atoms))
    np.testing.assert_allclose(data.forces, FORCES)


def test_a_set_without_forces_loads(tmp_path):
    assert load(write(tmp_path / "a.extxyz", copper())).forces is None


def test_labels_on_part_of_the_frames_are_nan_on_the_others(tmp_path):
    frames = [copper(stress=VOIGT), copper(forces=FORCES), copper(float("nan"), forces=FORCES)]
    data = load(write(tmp_path / "a.extxyz", frames))
    np.testing.assert_array_equal(np.isnan(data.energy), [False, False, True])
    np.testing.assert_array_equal(np.isnan(data.forces).all(axis=1), [True, True, *[False] * 4])
    assert data.labelled == {"energy": 2, "forces": 2, "stress": 1}
    assert data[0].forces is None
    assert data[1].stress is None
    assert data[2].energy is None


def test_a_label_under_two_keys_in_turn_is_an_error(tmp_path):
    first, second = copper(), copper()
    first.calc, first.info["REF_energy"] = None, -7.0
    with pytest.raises(ValueError, match=r"frame 1 has no energy under 'REF_energy'.*'energy'"):
        load(write(tmp_path / "a.extxyz", [first, second]))


def test_a_missing_energy_lists_what_is_there(tmp_path):
    atoms = copper()
    atoms.calc = None
    atoms.info["total"] = -3.0
    with pytest.raises(ValueError, match=r"no frame has an energy.*\['total'\].*energy_key"):
        load(write(tmp_path / "a.extxyz", atoms))


def test_a_missing_named_key_is_an_error(tmp_path):
    path = write(tmp_path / "a.extxyz", copper())
    with pytest.raises(ValueError, match="no frame has forces under 'DFT_F'"):
        load(path, forces_key="DFT_F")


def test_a_frame_without_any_label_is_an_error(tmp_path):
    frames = [copper(), copper(), copper()]
    frames[1].calc = None
    with pytest.raises(ValueError, match="structure 1 and 0 more of 3 have no label"):
        load(write(tmp_path / "a.extxyz", frames))


def test_an_energy_that_is_not_a_number_is_an_error(tmp_path):
    atoms = copper()
    atoms.info["mine"] = "low"
    with pytest.raises(ValueError, match=r"energy of frame 0 of .* is not a number: 'low'"):
        load(write(tmp_path / "a.extxyz", atoms), energy_key="mine")


def test_forces_of_a_wrong_shape_are_an_error(tmp_path):
    atoms = copper()
    atoms.arrays["mine"] = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"forces of frame 0 of .* must have shape \(2, 3\)"):
        load(write(tmp_path / "a.extxyz", atoms), forces_key="mine")


@pytest.mark.parametrize("content", ["", "2\nProperties=species:S:1:pos:R:3\nCu 0 0 0\n", "hello"])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "broken.extxyz"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"broken\.extxyz"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.extxyz"):
        load(tmp_path / "absent.extxyz")


def test_a_structure_survives_the_way_to_ase_and_back(tmp_path):
    data = load("culi").select([0, 100])
    again = load(write(tmp_path / "culi.extxyz", [data.to_atoms(k) for k in range(2)]))
    np.testing.assert_allclose(again.positions, data.positions, atol=1e-7)
    np.testing.assert_allclose(again.forces, data.forces, atol=1e-7)
    np.testing.assert_allclose(again.energy, data.energy, atol=1e-7)
    np.testing.assert_allclose(again.stress, data.stress, atol=1e-7)
    np.testing.assert_allclose(again.cell, data.cell, atol=1e-7)
    assert again.config_type.tolist() == data.config_type.tolist()
