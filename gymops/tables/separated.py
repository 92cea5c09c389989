"""CSV files: which separator one has, and its records, read as PostgreSQL's ``COPY ... CSV`` reads them.

A cell without anything is NULL, one of two quotes is an empty text. Separators and line breaks may stand
between quotes, a quote there is doubled. Blank lines are no rows. Bytes that are no UTF-8 are kept as the
surrogates of ``surrogateescape``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

from gymops.errors import SourceError
from gymops.eventlog.opening import show

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SAMPLE = 100
_UNQUOTED = {separator: re.compile(rf"[^{separator}\r\n]*") for separator in SEPARATORS}


class Record(NamedTuple):
    """A row as it is written."""

    line: int
    """Where it begins."""
    cells: list[str | None]


def opened(path: Path) -> TextIO:
    """A file as text, byte order mark or not, its line breaks as they are."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def separator(path: Path) -> str:
    """What stands between the cells: with what most of the first rows have as many cells as the header."""
    scores = {}
    for one in SEPARATORS:
        widths: list[int] = []
        with suppress(SourceError):  # a quote that is never closed: told when it is read
            for record in islice(records(path, one), _SAMPLE):
                widths.append(len(record.cells))
        first = widths[0] if widths else 0
        scores[one] = (first > 1, widths.count(first), first)
    return max(scores, key=lambda one: scores[one])


def records(path: Path, separator: str) -> Iterator[Record]:
    """The header and every row.

    Raises:
        SourceError: a quote is never closed.
    """
    with opened(path) as file:
        line = 0
        while text := file.readline():
            line += 1
            if text.strip("\r\n"):
                first = line
                cells, more = _cells(path, file, text, first, separator)
                line += more
                yield Record(first, cells)


def _cells(path: Path, file: TextIO, text: str, line: int, separator: str) -> tuple[list[str | None], int]:
    """The cells of a row that begins with ``text``, and how many lines more it takes."""
    cells: list[str | None] = []
    at = more = 0
    while True:
        quoted = inside = text.startswith('"', at)
        at += quoted
        parts: list[str] = []
        while inside:
            end = text.find('"', at)
            if end < 0:
                parts.append(text[at:])
                text, at, more = file.readline(), 0, more + 1
                if not text:
                    raise SourceError(
                        f"{show(path)} line {line}: a quote that is never closed",
                        hint='close it, or double it where it belongs to the text: ""',
                    )
                continue
            inside = text.startswith('"', end + 1)
            parts.append(text[at : end + inside])
            at = end + 1 + inside
        end = next(found.end() for found in _UNQUOTED[separator].finditer(text, at))
        parts.append(text[at:end])
        cell, at = "".join(parts), end
        cells.append(cell if cell or quoted else None)
        if not text.startswith(separator, at):
            return cells, more
        at += 1
