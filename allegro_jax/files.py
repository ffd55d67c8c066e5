"""Files that are the old one or the new one, whatever happens while they are written."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file so that no reader ever sees half of it; its folder is made when missing.

    Raises:
        OSError: If it cannot be written, as on a full disk; what was there is still there, and
            nothing else is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # temporary files are private to their owner
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Any) -> None:
    """Writes JSON by `replace_file`.

    Raises:
        OSError: As `replace_file`.
    """
    replace_file(path, (json.dumps(values, indent=1) + "\n").encode())
