"""Which type a column gets: what it was declared as, and what is really in it.

The declared type says what a column is meant to hold, the values may widen it. It is widened without a
question to what means the same (a date with a time, a whole number with a fraction). A value of another
kind altogether is rejected with its row as long as at most one in ten is; where there are more of them,
the column is what holds them all: text, or bytea where there are BLOBs among them. A column without a
type promises nothing, so nothing in it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gymops.tables import instants, kinds
from gymops.tables.kinds import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    JSONB,
    NUMERIC,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Kind,
    MisfitError,
)
from gymops.tables.schema import Column, affinity

FEW = 0.1
"""So many of a column's values at most are rejected for being of another kind."""
_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would be of the year 5138."""
Values = Callable[[], Iterable[object]]


@dataclass(frozen=True)
class Decision:
    """A type, and why."""

    kind: Kind
    why: str


def decide(
    column: Column, classes: dict[str, int], values: Values, *, strict: bool, doubted: bool = False
) -> Decision:
    """The type of a column; ``values`` reads all of them anew, and is called only where it must be.

    ``doubted``: what the storage classes alone say has turned out to be wrong, for texts may be bad.
    """
    present = sum(classes.values()) - classes.get("null", 0)
    meant, why = _meant(column, classes, strict=strict)
    if not present or (not doubted and _plain(meant[0], classes)):
        return Decision(meant[0], why)
    if meant[-1] is TIMESTAMPTZ and classes.get("integer") and _no_seconds(values()):
        meant, why = [BIGINT], f"{why}; its numbers are too small for seconds since 1970"
    candidates = [*meant, *(kind for kind in (TEXT, BYTEA) if kind not in meant)]
    if meant[-1] is TIMESTAMPTZ and classes.get("integer") and all_milliseconds(values()):
        candidates = [kinds.timestamptz("unix_ms") if kind is TIMESTAMPTZ else kind for kind in candidates]
    misfits = _misfits(candidates[:1], values())
    if misfits[0]:
        misfits += _misfits(candidates[1:], values())
    else:
        meant = meant[:1]
    best = min(range(len(meant)), key=lambda at: misfits[at])
    if misfits[best] > present * FEW:
        best = next(at for at in range(len(candidates)) if misfits[at] <= present * FEW)
        return Decision(candidates[best], f"{why}, but holds {_told(classes)}")
    kind = candidates[best]
    if misfits[best]:
        return Decision(kind, f"{why}; {misfits[best]:,} values do not fit")
    reading = _reading(kind, classes) if best or kind.sql in (TIMESTAMP.sql, TIMESTAMPTZ.sql) else ""
    return Decision(kind, f"{why}; {reading}" if reading else why)


def _reading(kind: Kind, classes: dict[str, int]) -> str:
    """How the values are understood."""
    if kind.sql == TIMESTAMP.sql:
        return "ISO dates without a zone"
    if kind.sql != TIMESTAMPTZ.sql:
        return f"it takes {kind.sql} to hold {_told(classes)}"
    numbers = {"unix_ms": "milliseconds since 1970", "julian": "julian days", "unix": "seconds since 1970"}
    parts = ["ISO dates, UTC where they name no zone"] if classes.get("text") else []
    if classes.get("integer"):
        parts.append(f"whole numbers are {numbers.get(kind.reads, 'seconds since 1970')}")
    if classes.get("real"):
        parts.append(f"real numbers are {numbers.get(kind.reads, 'julian days, or seconds since 1970')}")
    return ", ".join(parts)


def _meant(column: Column, classes: dict[str, int], *, strict: bool) -> tuple[list[Kind], str]:
    """What the declared type may become, narrowest first."""
    declared = " ".join(column.declared.upper().split())
    name = declared.partition("(")[0].strip()
    if strict and name == "ANY":
        name = declared = ""
    for pattern, found in _DECLARED:
        if re.search(pattern, name):
            return found, f"declared {declared}"
    if sized := re.fullmatch(r"(?:DECIMAL|NUMERIC|NUMBER|DEC|MONEY) ?\( ?(\d+) ?(?:, ?(\d+) ?)?\)", declared):
        precision, scale = int(sized[1]), int(sized[2] or 0)
        fits = 1 <= precision <= 1000 and scale <= precision
        return [kinds.numeric(precision, scale), NUMERIC] if fits else [NUMERIC], f"declared {declared}"
    if re.fullmatch(r"DECIMAL|NUMERIC|NUMBER|DEC|MONEY|CURRENCY", name):
        return [NUMERIC], f"declared {declared}"
    by_affinity = {
        "INTEGER": [BIGINT, DOUBLE, NUMERIC],
        "TEXT": [TEXT],
        "REAL": [DOUBLE, NUMERIC],
    }.get(affinity(declared))
    if "BLOB" in name and not any(count for kind, count in classes.items() if kind != "null"):
        by_affinity = [BYTEA]
    if by_affinity:
        return by_affinity, f"declared {declared}"
    return _by_values(
        classes
    ), f"declared {declared}, by its values" if declared else "no type, by its values"


_DECLARED: list[tuple[str, list[Kind]]] = [
    (r"^BOOL", [BOOLEAN, BIGINT, DOUBLE, NUMERIC]),
    (r"^(TIMESTAMPTZ|DATETIMEOFFSET)$|WITH(?! ?OUT).*TIME ZONE", [TIMESTAMPTZ]),
    (r"^(DATETIME|TIMESTAMP|SMALLDATETIME)", [TIMESTAMP, TIMESTAMPTZ]),
    (r"^DATE$", [DATE, TIMESTAMP, TIMESTAMPTZ]),
    (r"^TIME$", [TIME]),
    (r"^(UUID|GUID|UNIQUEIDENTIFIER)$", [UUID, TEXT]),
    (r"^JSONB?$", [JSONB]),
]


def _by_values(classes: dict[str, int]) -> list[Kind]:
    """A column that promises nothing: whatever holds it all."""
    found = {name for name, count in classes.items() if count and name != "null"}
    if not found:
        return [TEXT]
    if found <= {"integer", "real"}:
        return [BIGINT, DOUBLE, NUMERIC]
    return [BYTEA] if "blob" in found else [TEXT, BYTEA]


def _plain(kind: Kind, classes: dict[str, int]) -> bool:
    """Whether the storage classes alone say that everything fits, but for bad text."""
    found = {name for name, count in classes.items() if count and name != "null"}
    plain = {
        BIGINT: {"integer"},
        TEXT: {"text"},
        DOUBLE: {"real"},
        NUMERIC: {"integer", "real"},
        BYTEA: found,
    }
    return any(kind is one and found <= held for one, held in plain.items())


def _misfits(candidates: list[Kind], values: Iterable[object]) -> list[int]:
    """How many of the values each candidate does not hold."""
    counts = [0] * len(candidates)
    for value in values:
        for at, kind in enumerate(candidates):
            try:
                kind.field(value)
            except MisfitError:
                counts[at] += 1
    return counts


def all_milliseconds(values: Iterable[object]) -> bool:
    """Whether all whole numbers are too large to be seconds."""
    return all(abs(value) >= _MILLISECONDS for value in values if isinstance(value, int))


def _no_seconds(values: Iterable[object]) -> bool:
    """Whether the numbers look like years (2024) or days (20240229): as seconds they would lie in 1970."""
    return all(
        1 <= value <= 9999 or _is_date(f"{value // 10_000:04}-{value // 100 % 100:02}-{value % 100:02}")
        for value in values
        if isinstance(value, int)
    )


def _told(classes: dict[str, int]) -> str:
    names = {"integer": "integers", "real": "real numbers", "text": "texts", "blob": "BLOBs"}
    parts = [f"{classes[name]:,} {names[name]}" for name in names if classes.get(name)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


_SECONDS, _MILLIS = range(10**9, 5 * 10**9), range(10**12, 5 * 10**12)
_DATED = re.compile(r"(^|_)(at|on|date|time|timestamp|created|updated)$", re.IGNORECASE)


def suggestion(column: Column, kind: Kind, sample: Iterable[object]) -> str | None:
    """What a column that was not declared as dates could be, too; ``sample`` is some of its values."""
    looks: list[tuple[Callable[[Any], bool], str]] = []
    if kind is TEXT:
        looks = [(_is_date, 'ISO dates: type = "timestamptz" makes them that')]
    elif kind is BIGINT and _DATED.search(column.name):
        looks = [
            (_SECONDS.__contains__, 'unix seconds: type = "timestamptz" makes them dates'),
            (_MILLIS.__contains__, 'milliseconds since 1970: reads = "unix_ms" makes them dates'),
        ]
    else:
        return None
    seen = False
    for value in sample:  # one by one: they may be large
        looks = [look for look in looks if value is None or look[0](value)]
        seen = seen or value is not None
        if not looks:
            return None
    return f"its values look like {looks[0][1]}" if seen else None


def _is_date(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        instants.read(text)
    except ValueError:
        return False
    return True
