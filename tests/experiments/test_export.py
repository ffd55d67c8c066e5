import pytest

from allegro_jax.export import load
from experiments.export import export
from tests.test_readme import STORED


def test_a_saved_potential_is_exported_with_its_file_for_lammps(tmp_path):
    lines = export(STORED, tmp_path / "a.aj", ["cpu"], tmp_path / "a.mliap")
    assert "H C O, cutoff 4.0 Å, for cpu" in lines
    assert f"PYTHONPATH={tmp_path / 'a.aj'}" in lines
    assert load(tmp_path / "a.aj").type_names == ("H", "C", "O")
    assert b"allegro_runner.lammps\nMLIAP\n" in (tmp_path / "a.mliap").read_bytes()


def test_what_is_no_potential_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        export(tmp_path / "nothing", tmp_path / "a.aj", ["cpu"])
