"""The guide's examples run as they stand, in order, as if typed into one session."""

import importlib.util
import re
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

mpl.use("Agg")
DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "samo_cobra.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def missing(code: str) -> bool:
    """Whether a block is about a library that is not installed."""
    return "dask" in code and importlib.util.find_spec("distributed") is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_example_of_the_guide_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "beam", raising=False)
    names = {"__name__": "__main__"}
    for number, code in enumerate(blocks()):
        if code.startswith("# beam.py"):
            (tmp_path / "beam.py").write_text(code)
        elif not missing(code):
            try:
                exec(compile(code, f"{PAGE.name}, example {number}", "exec"), names)
            except BaseException as error:
                error.add_note(f"in example {number}:\n{code}")
                raise
    assert (tmp_path / "models.png").exists()
    printed = capsys.readouterr().out
    assert "16 trials, of which now 8" in printed
    assert "[(True, False), (True, False), (False, False)]" in printed


def test_links_within_the_guide_lead_somewhere():
    text = PAGE.read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    files = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert files
    assert all((DOCS / file).exists() for file in files)
