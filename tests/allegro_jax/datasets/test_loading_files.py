import importlib.util

import numpy as np
import pytest

from allegro_jax import units
from allegro_jax.datasets import load, official_split
from allegro_jax.datasets import qm9 as qm9_module


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("ALLEGRO_JAX_DATA", raising=False)


def benzene_frames(frames=30):
    numbers = np.array([6] * 6 + [1] * 6, np.uint8)
    rng = np.random.default_rng(0)
    positions = 5.0 * rng.random((frames, 12, 3))
    return numbers, positions, -1e5 + rng.random(frames), rng.normal(size=(frames, 12, 3))


def write_own(path, **changes):
    numbers, positions, energy, forces = benzene_frames()
    arrays = {"numbers": numbers, "positions": positions, "energy": energy, "forces": forces}
    arrays |= {"train_01": np.arange(10), "test_01": np.arange(10, 20)}
    arrays |= {"train_02": np.arange(20, 30), "test_02": np.arange(5)}
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def write_released(folder):
    numbers, positions, energy, forces = benzene_frames()
    (folder / "npz_data").mkdir()
    (folder / "splits").mkdir()
    np.savez(
        folder / "npz_data" / "rmd17_benzene.npz",
        nuclear_charges=numbers,
        coords=positions,
        energies=energy,
        forces=forces,
        old_indices=np.arange(30),
    )
    np.savetxt(folder / "splits" / "index_train_01.csv", np.arange(3, 9), fmt="%d")
    np.savetxt(folder / "splits" / "index_test_01.csv", np.arange(9, 12), fmt="%d")


def test_released_rmd17_is_converted_from_kcal_per_mol(tmp_path):
    write_released(tmp_path)
    _, positions, energy, forces = benzene_frames()
    data = load("rmd17-benzene", path=tmp_path)
    np.testing.assert_allclose(data.energy, energy * 0.0433641042418, rtol=1e-14)
    np.testing.assert_allclose(data.forces, forces.reshape(-1, 3) * units.KCAL_PER_MOL)
    np.testing.assert_array_equal(data.positions, positions.reshape(-1, 3))


def test_split_files_beside_the_released_rmd17_are_used(tmp_path):
    write_released(tmp_path)
    splits = load("rmd17-benzene", path=tmp_path).splits
    np.testing.assert_array_equal(splits["train"], np.arange(3, 9))
    np.testing.assert_array_equal(splits["test"], [9, 10, 11])


def test_a_folder_in_the_environment_takes_the_place_of_the_shipped_file(tmp_path, monkeypatch):
    write_own(tmp_path / "rmd17_benzene.npz")
    monkeypatch.setenv("ALLEGRO_JAX_DATA", str(tmp_path))
    assert len(load("rmd17-benzene")) == 30
    assert len(load("rmd17-aspirin")) == 2000  # not in the folder: the shipped one


def test_an_argument_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLEGRO_JAX_DATA", "/nowhere")
    assert len(load("rmd17-benzene", path=write_own(tmp_path / "mine.npz"))) == 30


def test_all_official_splits_of_a_full_file_can_be_chosen(tmp_path):
    data = load("rmd17-benzene", path=write_own(tmp_path / "mine.npz"))
    parts = official_split(data, valid=2, seed=0, variant="02")
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (8, 2, 5)
    np.testing.assert_array_equal(parts.test.energy, data.energy[:5])


def test_a_missing_folder_is_named(monkeypatch):
    monkeypatch.setenv("ALLEGRO_JAX_DATA", "/nowhere")
    with pytest.raises(FileNotFoundError, match="ALLEGRO_JAX_DATA names /nowhere"):
        load("cu")


def test_a_folder_without_the_file_says_which_file_it_lacks(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"rmd17_aspirin\.npz"):
        load("rmd17-aspirin", path=tmp_path)


def test_full_rmd17_without_a_folder_says_how_to_give_one():
    with pytest.raises(FileNotFoundError, match="ALLEGRO_JAX_DATA"):
        load("rmd17-aspirin", full=True)


def test_the_metal_sets_are_whole_already():
    assert len(load("cu", full=True)) == 294


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set 'rmd17-toluene'.*rmd17-benzene, qm9"):
        load("rmd17-toluene")


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_truncated_file_is_refused_by_name(tmp_path, kept):
    path = write_own(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"cut\.npz cannot be read.*truncated"):
        load(path)


def test_a_file_with_a_flipped_byte_is_refused(tmp_path):
    path = write_own(tmp_path / "flipped.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read"):
        load(path)


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "pickle.npz"
    np.savez(path, numbers=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read"):
        load(path)


def test_foreign_keys_are_listed_with_the_expected_ones(tmp_path):
    np.savez(tmp_path / "foreign.npz", R=np.zeros(3), E=np.zeros(1))
    with pytest.raises(ValueError, match=r"\['E', 'R'\].*nuclear_charges"):
        load(tmp_path / "foreign.npz")


def test_another_molecule_under_the_name_is_refused(tmp_path):
    path = write_own(tmp_path / "rmd17_aspirin.npz")
    with pytest.raises(ValueError, match=r"is not rmd17-aspirin.*\[1, 6, 8\].*21 atoms.*12 atoms"):
        load("rmd17-aspirin", path=path)


def test_infinite_labels_name_the_structure(tmp_path):
    _, _, energy, forces = benzene_frames()
    energy[7] = np.inf
    with pytest.raises(ValueError, match="energy of structure 7 is infinite"):
        load(write_own(tmp_path / "a.npz", energy=energy))
    forces[11, 5, 2] = np.inf
    with pytest.raises(ValueError, match="forces of structure 11 is infinite"):
        load(write_own(tmp_path / "b.npz", forces=forces))


def test_wrong_shapes_say_what_was_expected(tmp_path):
    _, positions, _, _ = benzene_frames()
    with pytest.raises(ValueError, match=r"positions \(frames, atoms, 3\).*\(30, 11, 3\)"):
        load(write_own(tmp_path / "a.npz", positions=positions[:, :11]))


def test_official_rows_outside_of_the_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"official split 'train_01' must hold rows 0 to 29"):
        load(write_own(tmp_path / "a.npz", train_01=np.array([0, 30])))


def test_arguments_that_do_not_apply_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one energy"):
        load("cu", target="U0")
    with pytest.raises(ValueError, match=r"QM9 targets.*came 'G'"):
        load("qm9", target="G")
    with pytest.raises(ValueError, match="files read by ASE"):
        load("cu", energy_key="E")
    with pytest.raises(ValueError, match="taken as a file"):
        load(tmp_path / "a.xyz", full=True)


CSV_HEADER = "XYZ_file,Index,Elements,XYZ_Ang,ZPVE_au,InternalEnergy_0K_au\n"
WATER = (
    "w.xyz,3,\"['O','H','H']\",\"[[0.,0.,0.119],[0.,0.763,-0.477],[0.,-0.763,-0.477]]\","
    "0.021375,-76.404702\n"
)


@pytest.fixture
def fake_qm9pack(tmp_path, monkeypatch):
    package = tmp_path / "site" / "qm9pack"
    (package / "data").mkdir(parents=True)
    # Importing the package must not be needed: the real one fails with a new setuptools.
    (package / "__init__.py").write_text("raise ImportError('pkg_resources')")
    for part in (1, 2, 3):
        (package / "data" / f"qm9_part{part}.csv").write_text(CSV_HEADER + WATER)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(qm9_module, "_MOLECULES", 3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return package / "data"


def test_all_of_qm9_comes_from_the_csv_files_of_qm9pack(fake_qm9pack):
    data = load("qm9", full=True)
    assert len(data) == 3
    np.testing.assert_array_equal(data.numbers[:3], [8, 1, 1])
    np.testing.assert_allclose(data.positions[1], [0, 0.763, -0.477])
    assert data.energy[0] == pytest.approx((-76.404702 - 0.021375) * units.HARTREE, abs=1e-9)


def test_converted_qm9_is_kept_and_used_again(fake_qm9pack, tmp_path):
    load("qm9", full=True)
    (fake_qm9pack / "qm9_part1.csv").unlink()
    assert len(load("qm9", full=True)) == 3
    assert [file.name for file in (tmp_path / "cache" / "allegro_jax").iterdir()] == [
        "qm9_full.npz"
    ]


def test_converted_qm9_is_kept_in_the_folder_of_full_files(fake_qm9pack, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    load("qm9", path=folder, full=True)
    assert (folder / "qm9_full.npz").is_file()
    assert len(load("qm9", path=folder)) == 3


def test_a_changed_qm9pack_is_refused(fake_qm9pack):
    (fake_qm9pack / "qm9_part2.csv").write_text(CSV_HEADER + WATER.replace("'O'", "'X'"))
    with pytest.raises(ValueError, match="row 1 is not as in qm9pack"):
        load("qm9", full=True)
    (fake_qm9pack / "qm9_part2.csv").write_text(CSV_HEADER)
    with pytest.raises(ValueError, match="holds 2 molecules; expected 3"):
        load("qm9", full=True)


def test_without_qm9pack_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(qm9_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'allegro-jax\[qm9\]'"):
        load("qm9", full=True)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("qm9pack") is None, reason="needs pip install 'allegro-jax[qm9]'"
)
def test_the_real_qm9pack_has_130831_molecules(tmp_path):
    data = load("qm9", path=tmp_path, full=True)
    assert len(data) == 130_831
    assert data.elements == (1, 6, 7, 8, 9)
