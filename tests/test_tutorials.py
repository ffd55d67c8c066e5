"""The tutorials run as they stand, from a fresh folder: `make tutorials`."""

import re
from pathlib import Path

import pytest

from tests.pages import DOCS, run_session

LEFT = {
    "train": (["runs/mine/potential", "runs/mine/parity.png"], r"test force MAE: \d+ meV"),
    "search": (["runs/front/report.html", "runs/front/front.png"], r"energy: -\d+"),
    "nequip": (["runs/cuau"], r"forces by at most  \d\.?\d*e-0[6-9]"),
    "optimise": (["tank.json", "tank.png"], r"\d+ EUR +\d+ W"),
    "quantum": (["readouts.png", "readouts.md"], r"9 weights are independent"),
}
"""Files that a tutorial leaves, and what it prints."""


def test_every_tutorial_is_run() -> None:
    assert set(LEFT) == {page.stem for page in (DOCS / "tutorials").glob("*.md")}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # a reader's session has warnings, too
@pytest.mark.parametrize("name", LEFT)
def test_tutorial_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_session(DOCS / "tutorials" / f"{name}.md", tmp_path)
    files, printed = LEFT[name]
    assert all((tmp_path / file).exists() for file in files)
    said = capsys.readouterr().out
    assert re.search(printed, said), said
