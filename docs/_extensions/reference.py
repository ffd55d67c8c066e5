"""Writes the pages of the API reference before a build: one per folder of modules."""

from __future__ import annotations

import importlib
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx
from sphinx.config import Config

FOLDER = Path(__file__).parents[1] / "reference" / "modules"
"""Made anew by every build, and not under version control."""

PACKAGES = ("allegro_jax", "samo_cobra")


def write_pages(*_: Sphinx | Config) -> None:
    """Writes the pages of all packages, and of those the table of public names."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in PACKAGES:
        package = importlib.import_module(name)
        _write(f"{name}-names", _public_names(package))
        root = Path(inspect.getfile(package)).parent
        for folder in sorted({path.parent for path in root.rglob("__init__.py")}):
            parts = folder.relative_to(root.parent).parts
            _write(".".join(parts), _room(".".join(parts), folder))


def _write(name: str, lines: Iterator[str]) -> None:
    (FOLDER / f"{name}.rst").write_text("\n".join(lines) + "\n")


def _room(name: str, folder: Path) -> Iterator[str]:
    """A folder of modules: what its docstring says, then module by module."""
    yield from (name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", "")
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_"):
            module = f"{name}.{path.stem}"
            yield from (path.stem, "-" * len(path.stem), "", f".. automodule:: {module}", "")


def _public_names(package: ModuleType) -> Iterator[str]:
    """A table of what the package itself exports, each name with a link to its description."""
    name = f"Names of {package.__name__}"
    yield from (":orphan:", "", name, "=" * len(name), "", ".. list-table::", "   :widths: 1 2", "")
    for public in package.__all__:
        thing = getattr(package, public)
        target = f"{thing.__module__}.{thing.__qualname__}"
        yield f"   * - :py:obj:`{public} <{target}>`"
        yield f"     - {inspect.getdoc(thing).partition(chr(10))[0]}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Writes the pages once the settings are known and before Sphinx looks for pages."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
