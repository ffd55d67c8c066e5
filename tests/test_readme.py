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


def test_named_files_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text())
    missing = [link for link in links if not (README.parent / link).exists()]
    assert not missing
