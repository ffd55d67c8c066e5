import dataclasses
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from ase.io import write

from allegro_jax.committee import Committee
from allegro_jax.configs import Precision
from allegro_jax.export import PLATFORMS, export_potential, load
from allegro_jax.export.program import export_programs
from allegro_jax.export.runner import files
from tests.allegro_jax.export.conftest import rock_salt, structures
from tests.pages import DOCS, blocks
from tests.physics.conftest import make_potential
from tests.test_readme import STORED

CACHE = Path(__file__).parents[3] / ".jax_cache"

WITHOUT_THE_LIBRARY = """
import json, pickle, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("allegro_jax", "flax", "e3nn_jax", "jraph", "pennylane"):
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
sys.path.insert(0, "model.aj")
import allegro_runner
import allegro_runner.lammps
from ase.io import read

try:
    import allegro_jax
except ImportError:
    pass
else:
    raise SystemExit("allegro_jax could be imported")
potential = allegro_runner.load("model.aj")
allegro_runner.lammps.write_unified("model.aj", "model.mliap")
with open("model.mliap", "rb") as file:
    unified = pickle.load(file)
found = []
for atoms in read("structures.traj", ":"):
    atoms.calc = potential.calculator()
    stress = atoms.get_stress().tolist() if atoms.pbc.any() else None
    found.append([atoms.get_potential_energy(), atoms.get_forces().tolist(), stress])
print(json.dumps({"elements": unified.element_types, "found": found}))
"""


@pytest.fixture(scope="module")
def found_without_the_library(exported_file, tmp_path_factory):
    """What a process says that has the file, numpy, jax and ASE, and nothing of this package."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "model.aj").write_bytes(exported_file.read_bytes())
    write(folder / "structures.traj", structures())
    run = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_THE_LIBRARY],
        cwd=folder,
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(CACHE)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def close(found, expected, tolerance=1e-6):
    return np.linalg.norm(np.subtract(found, expected)) <= tolerance * np.linalg.norm(expected)


def test_a_process_without_the_library_gets_the_same_numbers_for_three_sizes(
    small, found_without_the_library
):
    for atoms, (energy, forces, stress) in zip(
        structures(), found_without_the_library["found"], strict=True
    ):
        atoms.calc = small.calculator()
        assert close(energy, atoms.get_potential_energy())
        assert close(forces, atoms.get_forces())
        assert stress is None or close(stress, atoms.get_stress(), 1e-5)


def test_lammps_finds_the_potential_by_the_name_in_its_pickle(small, found_without_the_library):
    assert found_without_the_library["elements"] == list(small.config.type_names)


def test_the_header_says_what_the_file_is(small, exported_file):
    with zipfile.ZipFile(exported_file) as archive:
        header = json.loads(archive.read("header.json"))
    assert header["platforms"] == list(PLATFORMS)
    assert header["written_by"]["jax"] == jax.__version__
    assert header["type_names"] == list(small.config.type_names)
    assert header["cutoff"] == small.config.cutoff
    assert header["atomic_energies"] == small.atomic_energies
    assert header["config"] == json.loads(json.dumps(small.config.to_json()))


@pytest.mark.slow
def test_equal_potentials_give_equal_files(small, exported_file, tmp_path):
    again = small.export(tmp_path / "again.aj")
    assert again.read_bytes() == exported_file.read_bytes()


def test_a_file_says_nothing_of_the_folders_that_it_comes_from(exported_file):
    with zipfile.ZipFile(exported_file) as archive:
        programs = [archive.read(name) for name in archive.namelist() if name.endswith(".bin")]
    assert len(programs) == 2
    assert not any(
        b"allegro_jax/" in program or b"site-packages" in program for program in programs
    )


def test_blocks_of_centres_give_the_numbers_of_one_piece_in_float64(tmp_path):
    potential = make_potential(num_layers=1)
    exported = load(export_potential(potential, tmp_path / "double.aj", ["cpu"]))
    atoms = rock_salt(4)
    expected = potential(atoms)
    whole = exported(atoms)
    exported._evaluator._block_edges = 40  # of a few hundred
    blocks = exported(atoms)
    assert exported.compilations == 2
    for found in (whole, blocks):
        assert found.energy == pytest.approx(expected.energy, rel=1e-13)
        np.testing.assert_allclose(found.forces, expected.forces, atol=1e-11)
        np.testing.assert_allclose(found.stress, expected.stress, atol=1e-12)
        volume = atoms.get_volume()
        np.testing.assert_allclose(found.virial, -volume * found.stress, atol=1e-10)
    assert not jax.config.jax_enable_x64


def test_numbers_of_pairs_that_fluctuate_compile_once(exported_file):
    potential = load(exported_file)
    atoms = rock_salt()
    for seed in range(5):
        atoms.rattle(0.05, seed=seed)
        potential(atoms)
    assert potential.compilations == 1


@pytest.mark.parametrize("readout", ["qdi", pytest.param("stacked", marks=pytest.mark.slow)])
def test_other_readouts_are_exported_without_calls_of_the_host(readout):
    config = dataclasses.replace(
        make_potential(readout=readout, num_layers=1).config, precision=Precision()
    )
    for program in export_programs(config):
        assert program.exported.platforms == PLATFORMS


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["2025", "2023"])
@pytest.mark.parametrize("readout", ["mlp", "qdi", "stacked"])
def test_every_model_keeps_its_numbers(architecture, readout, tmp_path):
    potential = make_potential(architecture, readout)
    exported = load(potential.export(tmp_path / "model.aj"))
    for atoms in structures():
        expected, found = potential(atoms), exported(atoms)
        assert found.energy == pytest.approx(expected.energy, rel=1e-12)
        np.testing.assert_allclose(found.forces, expected.forces, atol=1e-10)


@pytest.mark.slow
def test_bfloat16_networks_keep_their_numbers(tmp_path):
    potential = make_potential(precision=Precision("float32", "bfloat16", "float32"))
    exported = load(potential.export(tmp_path / "model.aj"))
    atoms = rock_salt()
    assert close(exported(atoms).forces, potential(atoms).forces, 1e-2)


@pytest.mark.slow
def test_the_examples_of_the_docs_run(tmp_path, monkeypatch, capsys):
    shutil.copytree(STORED, tmp_path / "aspirin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for code in (block.code for block in blocks(DOCS / "deployment.md", "python")):
        exec(code, {})
        assert capsys.readouterr().out
    for name in [name for name in sys.modules if name.startswith("allegro_runner")]:
        del sys.modules[name]


# Refusals


def altered(exported_file, folder, **fields):
    """The file with other fields in its header."""
    path = folder / "altered.aj"
    with zipfile.ZipFile(exported_file) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "header.json":
                data = json.dumps({**json.loads(data), **fields})
            target.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format_version": 2}, "format version 1 .* got .* version 2"),
        ({"format": "something else"}, "something else"),
        ({"calling_convention_version": 99}, "convention 99.* Install a newer jax"),
        ({"calling_convention_version": 1}, "convention 1.* Install an older jax"),
        ({"platforms": ["tpu"]}, "programs for tpu, and jax computes on cpu here"),
        ({"sha256": {"params.npz": "0"}}, "damaged: params.npz is altered"),
        ({"sha256": {"absent": "0"}}, "damaged: absent is missing"),
    ],
)
def test_a_file_that_this_machine_cannot_run_is_refused(exported_file, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        load(altered(exported_file, tmp_path, **fields))


def test_a_file_cut_short_is_refused(exported_file, tmp_path):
    path = tmp_path / "cut.aj"
    path.write_bytes(exported_file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"no exported potential or is damaged"):
        load(path)


def test_what_is_no_exported_potential_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load(tmp_path / "nothing.aj")
    np.savez(tmp_path / "arrays.npz", a=1)
    with pytest.raises(ValueError, match=r"has no header\.json"):
        load(tmp_path / "arrays.npz")


def test_a_program_that_jax_cannot_read_is_refused(exported_file, monkeypatch):
    def newer(_):
        raise ValueError("serialization version 9")

    monkeypatch.setattr(jax.export, "deserialize", newer)
    with pytest.raises(ValueError, match=r"cannot read the program .* serialization version 9"):
        load(exported_file)


def test_flatbuffers_is_named_where_it_is_missing(small, exported_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ValueError, match="pip install flatbuffers"):
        load(exported_file)
    with pytest.raises(ValueError, match="pip install flatbuffers"):
        small.export(tmp_path / "model.aj")


def test_structures_that_the_potential_cannot_evaluate_are_refused(exported_file):
    potential = load(exported_file)
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    with pytest.raises(ValueError, match=r"numbers \[79\], which this potential has not seen"):
        potential([1, 79], positions)
    with pytest.raises(ValueError, match="no atoms"):
        potential([], np.zeros((0, 3)))
    with pytest.raises(ValueError, match="position of atom 1 is NaN"):
        potential([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, np.nan]])
    with pytest.raises(ValueError, match="atoms 0 and 1 are"):
        potential([1, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="span no volume"):
        potential([1, 1], positions, np.zeros((3, 3)), True)
    with pytest.raises(ValueError, match=r"positions of shape \(1, 3\)"):
        potential([1], positions)


def test_what_cannot_be_exported_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match="platforms must be one or more of"):
        small.export(tmp_path / "model.aj", platforms=["gpu"])
    with pytest.raises(ValueError, match="is a folder"):
        small.export(tmp_path)
    with pytest.raises(ValueError, match="member by member"):
        export_potential(Committee.of([small, small]), tmp_path / "model.aj")
    with pytest.raises(ValueError, match="without_dispersion"):
        small.with_dispersion("PBE-D3(BJ)").export(tmp_path / "model.aj")


def test_the_platform_of_a_gpu_is_that_of_its_driver(monkeypatch):
    class Device:
        platform = "gpu"

        class client:  # noqa: N801
            platform_version = "PJRT C API\nrocm 60300"

    monkeypatch.setattr(jax, "devices", lambda: [Device])
    assert files.platform() == "rocm"
