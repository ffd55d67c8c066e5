"""The examples of README and docs run as they stand, and links lead somewhere."""

import re
import shutil
from pathlib import Path

import pytest

from tests.pages import DOCS, PAGES, ROOT, anchors, blocks

STORED = ROOT / "tests" / "physics" / "potentials" / "aspirin"
README = ROOT / "README.md"
BLOCKS = [
    block.code
    for page in (README, DOCS / "large_systems.md", DOCS / "readouts.md")
    for block in blocks(page, "python")
]
NAMES = ["fit", "allegro_jax", "ase", "samo_cobra", "large systems", "readouts"]


@pytest.mark.parametrize("code", BLOCKS, ids=NAMES)
def test_example_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if "aj.train" not in code:  # what an earlier example leaves
        shutil.copytree(STORED, "aspirin")
    exec(compile(code, str(README), "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_sections_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, section = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if section:
            assert section in anchors(target) | anchors(included(target)), link


def included(page: Path) -> Path:
    """The page that this one consists of, or itself."""
    found = re.search(r"```\{include\} (\S+)", page.read_text())
    return page.parent / found[1] if found else page
