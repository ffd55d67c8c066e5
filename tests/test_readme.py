"""The examples of README and docs run as they stand."""

import re
import shutil
from pathlib import Path

import pytest

STORED = Path(__file__).parent / "physics" / "potentials" / "aspirin"
README = Path(__file__).parent.parent / "README.md"
LARGE_SYSTEMS, READOUTS = (
    README.parent / "docs" / f"{name}.md" for name in ("large_systems", "readouts")
)


PAGES = [
    *(README.parent / name for name in ("README.md", "BUILD.md", "CHANGELOG.md")),
    *sorted((README.parent / "docs").glob("*.md")),
]


def examples(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


BLOCKS = [code for page in (README, LARGE_SYSTEMS, READOUTS) for code in examples(page)]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_sections_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, section = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if section:
            assert section in sections(target), link


def sections(page: Path) -> set[str]:
    """Anchors of the headings, as they are made on code hosting sites."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
