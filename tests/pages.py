"""The pages of the documentation, and their examples run as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "BUILD.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        ROOT / "samo_cobra" / "README.md",
        *(page for page in DOCS.rglob("*.md")),
    ]
)

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")
"""First line of an example that is to be saved under this name."""

CHECKOUT = ("experiments", "tests")
"""What commands of a page find in the folder in which they are typed."""


class Block(NamedTuple):
    """An example of a page."""

    language: str
    code: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """Returns the examples of a page in some languages, in their order."""
    found = (Block(*match) for match in _BLOCK.findall(page.read_text()))
    return [block for block in found if block.language in languages]


def run_session(
    page: Path, folder: Path, skipped: Callable[[str], bool] | None = None
) -> dict[str, Any]:
    """Runs the Python and shell examples of a page as if typed one after the other.

    Args:
        page: The page.
        folder: The working directory, already entered.
        skipped: Says which examples are left out.

    Returns:
        The names that the Python examples have defined.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, (language, code) in enumerate(blocks(page, "python", "bash")):
        try:
            if skipped is not None and skipped(code):
                continue
            if language == "bash":
                run_command(code, folder)
            elif name := _FILE.match(code):
                (folder / name[1]).write_text(code)
            else:
                exec(compile(code, f"{page.name}, example {number}", "exec"), names)
        except BaseException as error:
            error.add_note(f"in example {number} of {page.name}:\n{code}")
            raise
    return names


def run_command(code: str, folder: Path) -> None:
    """Runs a command as in a checkout, with this interpreter as `python`."""
    for name in CHECKOUT:
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".jax_cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = ["bash", "-euo", "pipefail", "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr


def anchors(page: Path) -> set[str]:
    """Names of the headings, as they are made on code hosting sites."""
    headings: Iterable[str] = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
