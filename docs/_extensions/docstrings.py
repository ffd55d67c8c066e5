"""What the docstrings of this project mean that reStructuredText reads otherwise."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_CODE_OR_BAR = re.compile(r"(``.+?``|`.+?`)|\|")
"""A bar outside of code is an absolute value or a state, never a substitution."""

_TYPE = re.compile(r"^:(vartype|type) ([^:]+): (.+)$")
"""A type with shapes holds stars and quotes that are no markup."""


def as_meant(*event: Any) -> None:
    """Changes the lines of a docstring in place; the last of the arguments of Sphinx's event."""
    lines = event[-1]
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            line = _TYPE.sub(r":\1 \2: ``\3``", line)
            lines[number] = _CODE_OR_BAR.sub(lambda found: found[1] or r"\|", line)


def setup(app: Sphinx) -> dict[str, bool]:
    """Lets every docstring pass through here, after napoleon has read it."""
    app.connect("autodoc-process-docstring", as_meant, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
