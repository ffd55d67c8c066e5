"""The distribution allegro-jax: complete, typed, and at work in an empty environment."""

import email
import importlib
import tomllib
import zipfile
from pathlib import Path

import pytest

import allegro_jax
from tests.pages import ROOT
from tests.wheels import built, environment, files_of, names_in, run

OWN = {"samo_cobra/pyproject.toml", "samo_cobra/README.md", "samo_cobra/LICENSE"}
"""Of the optimiser as a distribution of its own."""

SMOKE = """
import sys
import allegro_jax as aj, samo_cobra
assert "jax" not in sys.modules
from allegro_jax.potential import initial_params
benzene = aj.load("rmd17-benzene")
config = aj.AllegroConfig(("H", "C"), cutoff=3.0, l_max=1, num_layers=1, num_tensor_features=2)
potential = aj.Potential(config, initial_params(config))
assert potential(benzene.to_atoms(0)).forces.shape == (12, 3)
try:
    import experiments
except ImportError:
    print(aj.__version__, aj.__file__)
"""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_commands_lead_to_functions():
    for target in project()["scripts"].values():
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_both_packages_say_that_they_are_typed_and_have_one_version():
    import samo_cobra

    assert all((ROOT / name / "py.typed").is_file() for name in ("allegro_jax", "samo_cobra"))
    assert allegro_jax.__version__ == samo_cobra.__version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return built(".", tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_the_wheel_holds_both_packages_and_nothing_else(wheel):
    names = names_in(wheel)
    assert names == files_of(ROOT / "allegro_jax") | files_of(ROOT / "samo_cobra") - OWN
    assert "allegro_jax/datasets/data/rmd17_aspirin.npz" in names


@pytest.mark.slow
def test_the_wheel_says_what_it_is_and_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    metadata = email.message_from_string(archive.read(name).decode())
    assert metadata["Version"] == allegro_jax.__version__
    assert set(metadata.get_all("Provides-Extra")) == set(project()["optional-dependencies"])
    licences = {n.rpartition("/")[2] for n in archive.namelist() if "/licenses/" in n}
    assert licences == {"LICENSE", "NOTICE"}


@pytest.mark.slow
def test_the_installed_wheel_works_without_the_checkout(wheel, tmp_path):
    """In an empty environment; without an index to install from, unpacked."""
    python, variables, empty = environment(tmp_path, wheel)
    done = run(python, "-c", SMOKE, cwd=tmp_path, env=variables)
    assert done.returncode == 0, done.stderr
    if not empty:
        pytest.skip("no index to install from; the unpacked wheel works")
    assert done.stdout.startswith(allegro_jax.__version__)
    assert str(tmp_path) in done.stdout
    report = run(python.parent / "allegro-jax", "info", cwd=tmp_path, env=variables)
    assert report.returncode == 0, report.stderr
    assert "cannot be imported" not in report.stdout.partition("extras:")[0]
