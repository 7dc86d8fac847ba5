"""A document as one HTML file that needs nothing else: figures are SVG inside it."""

from __future__ import annotations

import base64
import io
import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from wrench import __version__
from wrench.reporting import style
from wrench.reporting.document import Document, Picture

_PATH = re.compile(rb'(?<= d=")[^"]+')
_BEYOND_HUNDREDTHS = re.compile(rb"(?<=\.\d\d)\d+")


def render(document: Document) -> bytes:
    """The file."""
    environment = Environment(
        loader=PackageLoader("wrench.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["a"] = lambda block, name: type(block).__name__ == name
    environment.filters["svg"] = _data_uri
    template = environment.get_template("report.html.jinja")
    return template.render(document=document, version=__version__).encode()


def _data_uri(picture: Picture) -> str:
    """As an image each figure keeps its names to itself, and has a text for who cannot see it."""
    with style.styled():
        figure = Figure(figsize=(style.WIDTH_IN, picture.height_in), layout="constrained")
        picture.draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", dpi=150, metadata={"Date": None})
    # Hundredths of a point are finer than any printer; the rest would be half of the file.
    svg = _PATH.sub(lambda path: _BEYOND_HUNDREDTHS.sub(b"", path[0]), file.getvalue())
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
