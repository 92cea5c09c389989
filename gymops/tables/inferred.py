"""Which type the texts of a CSV column are declared as: whole numbers, decimals, truth, dates or texts.

Only what is written as a number is written is one: 7, -3, 12.50, 1e-07. Where a column also holds 007,
+49 or 1.000.000, all of it is text, for as numbers these would come back as others. At most one value in
ten may be of another kind altogether ("n/a" among calories): it is rejected with its row, later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from gymops.tables import instants
from gymops.tables.decide import FEW

_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d{1,3})?", re.ASCII)
_ALMOST = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
"""What SQLite would make a number of."""
_CODES = re.compile(
    r"(^|_)(phone|mobile|tel|fax|zip|zipcode|postal|postcode|barcode|ean|sku|isbn)(_|$)", re.IGNORECASE
)


@dataclass(frozen=True)
class Inferred:
    """What a column is declared as, and what there is to say about it."""

    declared: str
    note: str | None = None
    empty: bool = False
    """No row has a value."""


def infer(name: str, texts: Iterable[str]) -> Inferred:
    """The type of a column with these values; empty ones are none."""
    present = whole = decimals = truth = days = moments = 0
    odd, odds = "", 0
    for text in texts:
        present += 1
        if (number := read(text)) is not None:
            whole += isinstance(number, int)
            decimals += isinstance(number, float)
        elif _ALMOST.fullmatch(text):
            odd, odds = odd or text, odds + 1
        elif text.lower() in ("true", "false"):
            truth += 1
        elif (dated := _dated(text)) is not None:
            days += dated
            moments += not dated
    most, numbers = present * (1 - FEW), whole + decimals
    if not present:
        return Inferred("TEXT", f"{name} is empty throughout: text", empty=True)
    if odd and numbers + odds >= most:
        return Inferred("TEXT", f"{name} is text, for {odd!r} would come back as another number")
    if numbers >= most:
        if _CODES.search(name):
            return Inferred("TEXT", f"{name} is text: such numbers are names")
        return Inferred("DECIMAL" if decimals else "BIGINT")
    if numbers or odd:
        return Inferred("TEXT", f"{name} is text: it holds numbers and others")
    if truth >= most:
        return Inferred("BOOLEAN")
    if days + moments >= most:
        return Inferred("DATETIME" if moments else "DATE")
    return Inferred("TEXT")


def value(declared: str, text: str | None) -> str | int | float | None:
    """What SQLite is to hold for a cell; an empty text is one in a column of texts only."""
    if text is None or (not text and declared != "TEXT"):
        return None
    if declared in ("BIGINT", "DECIMAL"):
        number = read(text)
        return text if number is None else number
    return text


def read(text: str) -> int | float | None:
    """A number that is written as numbers are, and that SQLite holds exactly."""
    if _WHOLE.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if not _DECIMAL.fullmatch(text) or text.lstrip("-").isdigit():
        return None
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) and not _signed_zero(number, text) else None


def _signed_zero(number: float, text: str) -> bool:
    return number == 0 and text.startswith("-")


def _dated(text: str) -> bool | None:
    try:
        return instants.read(text).dated
    except ValueError:
        return None
