"""The report of what is installed also comes where packages are missing or broken."""

import sys

import pytest

from allegro_jax import info as report


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requirements that are quickly looked at: importing all takes seconds."""
    wanted = {"": ["numpy>=2.0,<3", "no-such-package>=1"], "hdf5": ["h5py>=3"]}
    monkeypatch.setattr(report, "_requirements", lambda _, extra="": wanted.get(extra, []))
    monkeypatch.setattr(report, "_extra_names", lambda: ["hdf5"])


def test_versions_devices_and_packages_are_listed(few: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    import numpy as np

    text = report.info()
    assert text.startswith("allegro_jax 0.")
    assert "default backend: cpu" in text
    assert f"numpy {np.__version__} (numpy>=2.0,<3)" in text
    assert "no-such-package: not installed (no-such-package>=1)" in text
    assert "[hdf5] h5py" in text
    assert "JAX_PLATFORMS=cpu" in text


def test_a_package_that_cannot_be_imported_is_named_and_the_report_goes_on(
    few: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "numpy", None)
    text = report.info()
    assert "cannot be imported: ModuleNotFoundError" in text
    assert "[hdf5]" in text


def test_an_extra_of_an_extra_is_looked_up():
    asked = [line.partition(" ")[0] for line in report._of_nested_extra("jax[cuda12]<0.13")]
    assert any(line.startswith("jax-cuda12-plugin") for line in asked)


def test_a_distribution_is_imported_by_the_module_of_its_name_or_its_own():
    assert report._module("pennylane") == "pennylane"
    assert report._module("ml-collections") == "ml_collections"
    assert report._module("pyyaml") == "yaml"


def test_devices_that_do_not_answer_leave_the_rest(few: None, monkeypatch: pytest.MonkeyPatch):
    import jax

    def broken() -> list[jax.Device]:
        raise RuntimeError("no driver")

    monkeypatch.setattr(jax, "devices", broken)
    text = report.info()
    assert "not known: RuntimeError: no driver" in text
    assert "packages:" in text
