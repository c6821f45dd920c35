"""Sphinx's settings for the site; `build.py` collects the pages."""

from sphinx.addnodes import pending_xref

import musicgen
from musicgen.plots import COLOURS

project = "musicgen"
author = "The musicgen developers"
release = version = musicgen.__version__
copyright = "The musicgen developers, Apache License 2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"musicgen {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": COLOURS[0], "color-brand-content": COLOURS[0]},
    "dark_css_variables": {"color-brand-primary": COLOURS[4], "color-brand-content": COLOURS[4]},
}
pygments_style = "friendly"
pygments_dark_style = "monokai"


def setup(app):
    app.connect("doctree-read", unlink_words)
    app.connect("autodoc-skip-member", skip_fields)


def unlink_words(app, doctree):
    """Types are written in words: of these only names of classes become links, "shape" and the like do not."""
    for node in list(doctree.findall(pending_xref)):
        if node.get("refspecific") and node["reftarget"][:1].islower():
            node.replace_self(node.children)


def skip_fields(app, what, name, thing, skip, options):
    """Fields of named tuples are told in the text of their class."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None
