"""The guide's examples run as they stand, in order, as if typed into one session."""

import importlib.util
import sys

import matplotlib as mpl
import pytest

from tests.pages import DOCS, run_session

mpl.use("Agg")


def missing(code: str) -> bool:
    """Whether a block is about a library that is not installed."""
    return "dask" in code and importlib.util.find_spec("distributed") is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_example_of_the_guide_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "beam", raising=False)
    run_session(DOCS / "samo_cobra.md", tmp_path, missing)
    assert (tmp_path / "models.png").exists()
    printed = capsys.readouterr().out
    assert "16 trials, of which now 8" in printed
    assert "[(True, False), (True, False), (False, False)]" in printed
