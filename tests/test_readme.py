"""The examples of README and docs run as they stand, and links lead somewhere."""

import functools
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
        if target.parent == DOCS / "reference" / "modules":
            continue  # `make docs` writes these, and checks links to them
        assert target.exists(), link
        if section:
            assert section in anchors(target) | anchors(included(target)), link


def test_no_page_has_the_name_of_one_that_sphinx_writes_itself() -> None:
    """A page `search` would be replaced by the page of search results, without a word."""
    assert not {page.stem for page in DOCS.glob("*.md")} & {"search", "genindex", "py-modindex"}


def included(page: Path) -> Path:
    """The page that this one consists of, or itself."""
    found = re.search(r"```\{include\} (\S+)", page.read_text())
    return page.parent / found[1] if found else page


SOURCES = ("allegro_jax", "experiments")


@functools.cache
def messages() -> str:
    """The text of all sources, with strings that stand one after the other joined."""
    files = (path for name in SOURCES for path in (ROOT / name).rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text() for path in files))


def quoted_errors() -> list[str]:
    """First cells of the tables of errors, those of other programs left out."""
    page = (DOCS / "howto" / "troubleshooting.md").read_text()
    own = re.sub(r"## Devices.*?(?=## )", "", page, flags=re.DOTALL).replace("| `database is", "")
    return re.findall(r"^\| `([^`]+)` \|", own, re.MULTILINE)


@pytest.mark.parametrize("error", quoted_errors())
def test_an_error_of_the_troubleshooting_page_is_one_that_programs_give(error: str) -> None:
    for part in filter(None, (part.strip(" .:'[]()") for part in error.split("…"))):
        assert part in messages(), part
