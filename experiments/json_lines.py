"""Files of one JSON value per line, which grow line by line and survive being cut short."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def append_line(path: Path, values: Any) -> None:
    """Appends a value, and sees it onto the disk; the folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(values) + "\n")
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path) -> list[Any]:
    """Returns the values; a last line that a kill cut short is left out, and taken off the file."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]
