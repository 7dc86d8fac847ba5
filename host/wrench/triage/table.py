"""A file with a header and rows, as spreadsheets write them, into cells with their line numbers."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from wrench.errors import PartsError

_SAVE = "save it as CSV in UTF-8"
_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Row:
    """A row's cells by the column's number, without blanks around them, and its line in the file;
    a row of several lines counts by its last."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """`separator` is "," or ";" or a tab; rows without any content are left out."""

    name: str
    separator: str
    header: Row
    rows: list[Row]


def read_table(path: Path) -> Table:
    """Raises PartsError where the file is missing, empty, not text, or not in columns."""
    text = _text(path)
    if not text.strip():
        raise PartsError(f"{path} is empty; give a line of column names and a line for each part")
    first = next(line for line in text.splitlines() if line.strip())
    separator = max(";\t,", key=first.count)
    if first.count(separator) == 0:
        raise PartsError(
            f"{path}: its first line has no columns; begin with their names, such as "
            "part,class,cost,probability"
        )
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            trimmed = [cell.strip() for cell in cells]
            if any(trimmed):
                rows.append(Row(reader.line_num, trimmed))
    except csv.Error as error:
        raise PartsError(
            f"{path}, line {reader.line_num}: {error}; look for a quote without its second one"
        ) from error
    header, *others = rows
    for row in others:
        if any(row.cells[len(header.cells) :]):
            raise PartsError(
                f"{path}, line {row.line}: {len(row.cells)} cells where the first line names "
                f'{len(header.cells)} columns; put text with a "{separator}" in quotes'
            )
    width = len(header.cells)
    padded = [Row(row.line, (row.cells + [""] * width)[:width]) for row in others]
    return Table(str(path), separator, header, padded)


def _text(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise PartsError(f"{path} is too large for a list of parts; give the CSV file of one")
        content = path.read_bytes()
    except FileNotFoundError:
        raise PartsError(
            f"there is no {path}; give a CSV file, or get one with `wrench triage --example`"
        ) from None
    except IsADirectoryError:
        raise PartsError(f"{path} is a folder; name a CSV file in it") from None
    except OSError as error:
        raise PartsError(
            f"{path} cannot be read ({error.strerror or error}); check its permissions"
        ) from error
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise PartsError(f"{path} is a spreadsheet's own file; {_SAVE}")
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content[: error.start].count(b"\n")
        raise PartsError(
            f"{path}, line {line}: {content[error.start : error.start + 1]!r} is not UTF-8; {_SAVE}"
        ) from error
    if "\0" in text:
        line = 1 + text[: text.index("\0")].count("\n")
        raise PartsError(f"{path}, line {line}: this is no text; {_SAVE}")
    return text
