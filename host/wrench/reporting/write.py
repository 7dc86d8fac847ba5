"""An analysis into a file, in the form that the file's ending names."""

from __future__ import annotations

from pathlib import Path

from wrench.analysis.result import Analysis
from wrench.errors import ReportError
from wrench.reporting import html, onepage, pdf
from wrench.reporting.compose import compose
from wrench.reporting.whole import write_whole

SUFFIXES = (".html", ".pdf", ".png")


def form_of(path: Path) -> str:
    """The ending that names the form; raises ReportError for one that names none."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ReportError(
            f"{path.name} names no form of report; end it in one of {', '.join(SUFFIXES)}"
        )
    return suffix


def write(analysis: Analysis, path: Path) -> int:
    """Write the report; returns its size in bytes.

    What was there before stays until the new one is whole. Raises ReportError where the file
    cannot be written.
    """
    suffix = form_of(path)
    document = compose(analysis)
    if suffix == ".html":
        content = html.render(document)
    elif suffix == ".pdf":
        content = pdf.render(document)
    else:
        content = onepage.render(document, analysis)
    return write_whole(path, content)
