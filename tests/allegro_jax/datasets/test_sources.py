import dataclasses

import ase.db
import ase.io
import numpy as np
import pytest

from allegro_jax.datasets import Dataset, load
from allegro_jax.datasets.frames import LabelKeys
from allegro_jax.datasets.sources import open_source


@pytest.fixture(scope="module")
def frames():
    return load("culi").select(range(0, 1000, 160))


def same(structures, expected):
    structures, expected = list(structures), list(expected)
    assert len(structures) == len(expected)
    for found, item in zip(structures, expected, strict=True):
        for field in dataclasses.fields(item):
            left, right = getattr(found, field.name), getattr(item, field.name)
            if field.name == "config_type":
                assert left == right
            else:
                np.testing.assert_allclose(left, right, atol=1e-7)  # extxyz keeps 8 digits
    return True


def as_atoms(dataset):
    return [item.to_atoms() for item in dataset]


def written(kind, folder, dataset):
    """Writes a data set in some format and returns what to read."""
    atoms = as_atoms(dataset)
    if kind == "extxyz shards":
        for k in range(3):
            ase.io.write(folder / f"part{k}.extxyz", atoms[3 * k : 3 * k + 3])
        return str(folder / "part*.extxyz")
    if kind == "folder":
        for k in range(3):
            ase.io.write(folder / f"part{k}.extxyz", atoms[3 * k : 3 * k + 3])
        return folder
    if kind in ("data.db", "data.aselmdb"):
        if kind == "data.aselmdb":
            pytest.importorskip("ase_db_backends")
        with ase.db.connect(folder / kind) as database:
            for item in atoms:
                database.write(item, key_value_pairs={"config_type": item.info["config_type"]})
        return folder / kind
    arrays = {
        field.name: getattr(dataset, field.name)
        for field in dataclasses.fields(dataset)
        if field.name not in ("name", "splits")
    }
    if kind == "data.h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / kind, "w") as file:
            for key, values in arrays.items():
                file[key] = values.astype("S") if values.dtype.kind == "U" else values
        return folder / kind
    np.savez(folder / "data.npz", **arrays)
    return [folder / "data.npz"]


@pytest.mark.parametrize(
    "kind", ["extxyz shards", "folder", "data.db", "data.aselmdb", "data.h5", "data.npz"]
)
def test_every_format_gives_the_structures_from_any_start(kind, tmp_path, frames):
    source = open_source(written(kind, tmp_path, frames))
    assert same(source.frames(), frames)
    for start in (1, 4, 6, 7):
        assert same(source.frames(start), list(frames)[start:])


def test_atoms_and_structures_are_sources(frames):
    assert same(open_source(as_atoms(frames)).frames(2), list(frames)[2:])
    assert same(open_source(iter(frames)).frames(), frames)
    assert same(open_source(frames).frames(5), list(frames)[5:])
    assert len(list(open_source("rmd17-benzene").frames(1990))) == 10


def test_frames_are_read_when_they_are_asked_for(tmp_path, frames):
    ase.io.write(tmp_path / "a.extxyz", as_atoms(frames)[:2])
    (tmp_path / "b.extxyz").write_text("not a frame")
    stream = open_source([tmp_path / "a.extxyz", tmp_path / "b.extxyz"]).frames()
    assert same([next(stream), next(stream)], list(frames)[:2])
    with pytest.raises(ValueError, match=r"ASE cannot read frame 0 of .*b\.extxyz"):
        next(stream)


def test_labels_are_found_by_key_and_groups_by_theirs(tmp_path, frames):
    atoms = as_atoms(frames)
    for k, item in enumerate(atoms):
        item.info |= {"e_pbe": -1.0 * k, "trajectory": f"run{k // 2}"}
        item.arrays["f_pbe"] = item.calc.results["forces"] * 2
    ase.io.write(tmp_path / "a.extxyz", atoms)
    labels = LabelKeys("e_pbe", "f_pbe", group="trajectory")
    found = list(open_source(tmp_path / "a.extxyz", labels).frames())
    assert [item.energy for item in found] == [-1.0 * k for k in range(len(atoms))]
    assert [item.config_type for item in found[:3]] == ["run0", "run0", "run1"]
    np.testing.assert_allclose(found[3].forces, 2 * frames[3].forces, atol=1e-7)


def test_what_cannot_be_read_says_what_to_do(tmp_path, frames):
    (tmp_path / "old.lmdb").write_bytes(b"")
    (tmp_path / "broken.h5").write_bytes(b"no")
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    cases = [
        (tmp_path / "old.lmdb", ValueError, "pickled objects.*convert it to an ASE database"),
        (tmp_path / "broken.db", ValueError, "cannot be read as an ASE database"),
        (str(tmp_path / "*.traj"), FileNotFoundError, "registered names"),
        (17, ValueError, "came int"),
    ]
    for source, error, message in cases:
        with pytest.raises(error, match=message):
            open_source(source)
    atoms = as_atoms(frames)
    bare = [item.copy() for item in atoms]
    with pytest.raises(ValueError, match=r"item 0 has no label; looked for an energy under"):
        next(open_source(bare).frames())
    with pytest.raises(ValueError, match="item 0: no forces under 'f_pbe', the key given"):
        next(open_source(atoms, LabelKeys(forces="f_pbe")).frames())
    for second in (bare[1], atoms[1]):
        second.info["REF_energy"] = -1.0
        with pytest.raises(ValueError, match="energy under 'REF_energy', the frames before under"):
            list(open_source([atoms[0], second]).frames())


def test_files_have_their_labels_under_one_key_wherever_reading_begins(tmp_path, frames):
    first, second = as_atoms(frames)[:2]
    second.info["REF_energy"] = -1.0
    for name, atoms in (("a.db", first), ("b.extxyz", second)):
        ase.io.write(tmp_path / name, atoms)
    for start in (0, 1):
        source = open_source([tmp_path / "a.db", tmp_path / "b.extxyz"])
        with pytest.raises(ValueError, match=r"b\.extxyz: frame 0 has the energy under 'REF_"):
            list(source.frames(start))


def test_a_label_that_a_frame_lacks_is_none(frames):
    atoms = as_atoms(frames)[:2]
    del atoms[1].calc.results["forces"]
    with_forces, without = open_source(atoms).frames()
    assert with_forces.forces is not None
    assert without.forces is None
    assert without.energy == frames[1].energy


def test_broken_hdf5_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "broken.h5").write_bytes(b"no")
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        open_source(tmp_path / "broken.h5")
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["energy"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"lacks \['n_atoms', 'numbers', 'positions'\]"):
        open_source(tmp_path / "part.h5")


def test_hdf5_values_are_checked_as_those_of_data_sets(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file.update({"n_atoms": [1], "numbers": [1], "energy": [np.inf]})
        file["positions"] = np.zeros((1, 3))
    with pytest.raises(ValueError, match="energy of structure 0 is infinite"):
        list(open_source(tmp_path / "bad.h5").frames())
    assert isinstance(load("li"), Dataset)
