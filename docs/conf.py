"""Sphinx configuration; the build needs no network access."""

import re
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

project = "skreg"
version = release = metadata.version("skreg")
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
autodoc_typehints = "none"  # the docstrings have types and shapes
default_role = "py:obj"  # for single backticks in the docstrings
smartquotes = False  # quotes in the docstrings are code
extlinks = {
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}
toc_object_entries_show_parents = "hide"
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
# Formulas are drawn by a copy of MathJax on the site itself, from this one file.
mathjax_path = "tex-svg.js"
mathjax = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
html_static_path = ["_static", str(mathjax / mathjax_path)]
html_css_files = ["style.css"]
html_title = f"skreg {version}"
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
html_theme_options = {"show_prev_next": False, "show_toc_level": 2}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # The other examples are scripts with command-line options.
    "ignore_pattern": r"(^|/)(?!plot_)\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("skreg",),
    "backreferences_dir": "generated/examples",
    "abort_on_example_error": True,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "capture_repr": (),
    "image_srcset": ["2x"],
    "download_all_examples": False,
}


def _leave_out_attributes(app, what, name, obj, skip, options):
    """Attributes are documented in their own section of the class docstring."""
    return skip or (what == "class" and not callable(obj))


def _unlink(app, what, name, obj, options, lines):
    """Replace references that only resolve on scikit-learn's site by plain names."""
    role = r":(?:ref|term):`([^`<]+?)(?: <[^`]*)?`"
    lines[:] = [re.sub(role, r"``\1``", line) for line in lines]


def setup(app):
    """Connect the functions above to Sphinx."""
    app.connect("autodoc-skip-member", _leave_out_attributes)
    app.connect("autodoc-process-docstring", _unlink)
