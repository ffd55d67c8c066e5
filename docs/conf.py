"""Settings of the documentation site: `make docs` builds it into build/site."""

import os
import sys
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"  # the reference imports the packages and computes nothing
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]

import allegro_jax  # noqa: E402  # found by the path above

project = "allegro_jax"
author = "The allegro_jax developers"
copyright = author  # noqa: A001  # Sphinx reads this name
release = allegro_jax.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
    "reference",
]
exclude_patterns = ["_extensions", "_pages"]
html_extra_path = ["_pages"]  # reports of programs, taken as they are
# Two classes of one name: an annotation that is a string does not say which one it means.
suppress_warnings = ["ref.python"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # links such as model.md#readouts, as on code hosting sites
myst_dmath_double_inline = True

autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "ignore-module-all": True,  # each thing stands once, where it is defined
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "code"  # single backticks in docstrings

html_theme = "furo"
html_title = f"allegro_jax {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
