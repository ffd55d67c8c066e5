"""The optimiser as a distribution of its own: complete, and without the rest."""

import email
import tomllib
import zipfile
from pathlib import Path

import pytest

import samo_cobra
from tests.wheels import built, environment, files_of, names_in, run

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "samo_cobra"
OWN = {"pyproject.toml", "README.md", "LICENSE"}
STRANGERS = ("allegro_jax", "flax", "matplotlib", "optuna", "pennylane")

SMOKE = f"""
import importlib.util, sys
strangers = {STRANGERS}
import samo_cobra
assert not set(sys.modules) & {{"jax", "numpy", "scipy"}}
from samo_cobra import Real, Space, minimize, problems
space = Space([Real("x", -5.0, 5.0), Real("y", 0.0, 1.0)])
result = minimize(lambda x: ([x["x"] ** 2, (x["x"] - 2) ** 2], [0.5 - x["y"]]), space, 2, 1, stop=8)
assert len(result.front.points) > 1 and problems.get("BNH").published_hypervolume > 0
print(samo_cobra.__version__, sorted(set(strangers) & set(sys.modules)),
      [name for name in strangers if importlib.util.find_spec(name)])
"""


def project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def test_both_distributions_ask_for_the_same_versions():
    alone, whole = project(PACKAGE), project(ROOT)
    extras = [
        r for name in ("optuna", "plots", "progress") for r in alone["optional-dependencies"][name]
    ]
    assert set(alone["dependencies"] + extras) <= set(whole["dependencies"])


def test_the_licence_is_that_of_the_whole():
    assert (PACKAGE / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return built("./samo_cobra", tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = names_in(wheel)
    assert names == files_of(PACKAGE) - {f"samo_cobra/{name}" for name in OWN}
    assert {"samo_cobra/py.typed", "samo_cobra/problems/results.json"} <= names


@pytest.mark.slow
def test_the_wheel_says_what_it_is_and_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    metadata = email.message_from_string(archive.read(name).decode())
    assert metadata["Name"] == "samo-cobra"
    assert metadata["Version"] == samo_cobra.__version__
    needed = [r for r in metadata.get_all("Requires-Dist") if "extra ==" not in r]
    names = {r.split("<")[0].split(">")[0].split("=")[0].strip() for r in needed}
    assert names == {"jax", "numpy", "scipy", "jaxtyping"}
    assert set(metadata.get_all("Provides-Extra")) == {"dask", "optuna", "plots", "progress"}
    assert metadata.get_payload().startswith("# samo_cobra")


@pytest.mark.slow
def test_the_installed_wheel_works_alone(wheel, tmp_path):
    """In an empty environment; without an index to install from, unpacked."""
    python, variables, empty = environment(tmp_path, wheel)
    done = run(python, "-c", SMOKE, cwd=tmp_path, env=variables)
    assert done.returncode == 0, done.stderr
    loaded, installed = "[]", "[]"
    if not empty:
        installed = done.stdout.split("] ", 1)[1].strip()
    assert done.stdout.strip() == f"{samo_cobra.__version__} {loaded} {installed}"
