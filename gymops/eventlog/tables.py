"""The tables beside the events: one row as one JSON text, the same from SQLite and from PostgreSQL.

A row's key and value are written as the text of a JSONB array, so that "equal by content" means here
what it means for a payload, and a row of any table can be compared, kept and sent in one way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, LiteralString
from unicodedata import normalize

from gymops.eventlog import jsonb
from gymops.eventlog.event import side_column, timestamp

_PLACES: tuple[LiteralString, ...] = ("0", "1", "2", "3", "4", "5", "6", "7")
_EPOCH: LiteralString = "timestamptz '2000-01-01 00:00:00+00'"


@dataclass(frozen=True)
class Table:
    """A per-user table of the target: key columns, then value columns, each with its kind."""

    name: LiteralString
    key: Mapping[LiteralString, LiteralString]
    value: Mapping[LiteralString, LiteralString]

    def select(self) -> LiteralString:
        """SQL for (user_id, key, value) of the rows of ``{users}``, sorted by the bytes of both."""
        key = _array(self.key)
        return (
            f"SELECT user_id, {key}::text, {_array({**self.value, 'extra': 'json?'})}::text"
            f' FROM {self.name} WHERE {{users}} ORDER BY user_id, {key}::text COLLATE "C"'
        )

    def insert(self, staging: LiteralString) -> LiteralString:
        """SQL that writes the rows of ``staging(user_id, key jsonb, value jsonb)``, newer over older."""
        columns = [*self.key, *self.value, "extra"]
        keys = [_read("key", place, kind) for place, kind in zip(_PLACES, self.key.values(), strict=False)]
        kinds = [*self.value.values(), "json?"]
        values = [_read("value", place, kind) for place, kind in zip(_PLACES, kinds, strict=False)]
        updates = ", ".join(f"{name} = excluded.{name}" for name in [*self.value, "extra"])
        return (
            f"INSERT INTO {self.name} (user_id, {', '.join(columns)})"
            f" SELECT user_id, {', '.join(keys + values)} FROM {staging}"
            f" ON CONFLICT (user_id, {', '.join(self.key)}) DO UPDATE SET {updates}"
        )

    def encode(self, row: Mapping[str, Any], extra: Mapping[str, Any]) -> tuple[str, str, str]:
        """Key, canonical value and the value with its JSON as the source wrote it.

        Raises:
            ValueError: naming the column and what is wrong with it.
        """
        key = [_write(name, kind, row.get(name))[0] for name, kind in self.key.items()]
        values = [_write(name, kind, row.get(name)) for name, kind in self.value.items()]
        side = side_column(dict(extra)) if extra else "null"
        canonical = [value for value, _ in values] + [jsonb.canonical(side)[0]]
        raw = [value for _, value in values] + [side]
        return _join(key), _join(canonical), _join(raw)


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "aggregates",
            {"period_type": "text", "period_key": "text"},
            {"data": "json", "updated_at": "time"},
        ),
        Table(
            "exercises",
            {"exercise_id": "text"},
            {
                "name": "text",
                "category": "text?",
                "description": "text?",
                "is_custom": "bool",
                "created_at": "time?",
            },
        ),
        Table("projections", {"key": "text"}, {"data": "json", "updated_at": "time"}),
    )
}


DERIVED = frozenset({"aggregates", "projections"})
"""What an app folds from the events. Where it does so itself, its rows are its own affair."""

Rows = Iterator[tuple[str, str, str]]
"""(user_id, key, value) of one table, sorted by bytes."""


def given(name: str, rows: Rows, folded: Set[str]) -> Rows:
    """A table's rows without those that are folded from the events of these users."""
    return (row for row in rows if row[0] not in folded) if name in DERIVED and folded else rows


@dataclass(frozen=True)
class TableDifference:
    """How two tables of the same name differ."""

    rows_a: int
    rows_b: int
    missing: int
    extra: int
    changed: int
    first: str | None

    @property
    def equal(self) -> bool:
        return not (self.missing or self.extra or self.changed)


def compare(a: Rows, b: Rows, table: Table | None = None) -> TableDifference:
    """Merge two sorted streams of (user_id, key, value) and count what differs.

    ``table`` gives the columns their names.
    """
    rows_a = rows_b = missing = extra = changed = 0
    first: str | None = None
    left, right = next(a, None), next(b, None)
    while left or right:
        # Which side stands at the lower place; both when it is the same. Python orders text by code
        # points, which is the order of its UTF-8.
        take_a = right is None or (left is not None and left[:2] <= right[:2])
        take_b = left is None or (right is not None and right[:2] <= left[:2])
        if left and right and take_a and take_b:
            if left[2] != right[2]:
                changed += 1
                first = first or f"changed: {_place(left)}, {_changed(left[2], right[2], table)}"
        elif left and take_a:
            missing += 1
            first = first or f"missing: {_place(left)}"
        elif right:
            extra += 1
            first = first or f"extra: {_place(right)}"
        if take_a:
            rows_a += 1
            left = next(a, None)
        if take_b:
            rows_b += 1
            right = next(b, None)
    return TableDifference(rows_a, rows_b, missing, extra, changed, first)


def excerpts(a: str, b: str, width: int = 120) -> tuple[str, str]:
    """Two texts as people can tell them apart: cut to where they differ, escaped where they look alike."""
    pairs = zip(a, b, strict=False)
    at = next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(a), len(b)))
    start = max(at - width // 3, 0) if max(len(a), len(b)) > width else 0
    shown = [
        ("..." if start else "") + text[start : start + width] + ("..." if len(text) > start + width else "")
        for text in (a, b)
    ]
    alike = normalize("NFKC", shown[0]) == normalize("NFKC", shown[1])
    if alike or not "".join(shown).isprintable():
        shown = [ascii(text) for text in shown]
    return shown[0], shown[1]


def _place(row: tuple[str, str, str]) -> str:
    return f"user {row[0]!r}, key {row[1]}"


def _changed(a: str, b: str, table: Table | None) -> str:
    """Which column of two values (texts of JSONB arrays) differs first, and how."""
    names = [*table.value, "extra"] if table else []
    for name, left, right in zip(names, _items(a), _items(b), strict=False):
        if left != right:
            left, right = excerpts(left, right)
            return f"{name}: {left} in A, {right} in B"
    left, right = excerpts(a, b)
    return f"{left} in A, {right} in B"


def _items(array: str) -> Iterator[str]:
    """The texts of the items of a JSONB array."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    at = 1
    while at < len(array) - 1:
        end = decoder.raw_decode(array, at)[1]
        yield array[at:end]
        at = end + len(", ")


def _join(values: list[str]) -> str:
    return "[" + ", ".join(values) + "]"


def _write(name: str, kind: str, value: Any) -> tuple[str, str]:
    """A column's canonical JSON text, and the same with JSON as the source wrote it."""
    if value is None:
        if kind == "bool":
            return "false", "false"
        if kind.endswith("?"):
            return "null", "null"
        raise ValueError(f"{name}: NULL")
    if kind == "bool":
        if value not in (0, 1):
            raise ValueError(f"{name}: {value!r} is neither 0 nor 1")
        return ("true", "true") if value else ("false", "false")
    if kind.startswith("time"):
        try:
            text = str(timestamp(value)[0])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        return text, text
    if type(value) is not str:
        kind_found = "a BLOB or invalid UTF-8" if isinstance(value, bytes) else "a number"
        raise ValueError(f"{name}: {kind_found} where text belongs")
    if kind == "json":
        try:
            return jsonb.canonical(value)[0], value
        except jsonb.BadJsonError as error:
            raise ValueError(f"{name}: {error}") from None
    if "\0" in value:
        raise ValueError(f"{name}: a NUL character")
    text = encode_basestring(value)
    return text, text


def _array(columns: Mapping[LiteralString, LiteralString]) -> LiteralString:
    return f"jsonb_build_array({', '.join(_value(name, kind) for name, kind in columns.items())})"


def _value(name: LiteralString, kind: str) -> LiteralString:
    if kind.startswith("time"):
        return f"(extract(epoch FROM {name} - {_EPOCH}) * 1000000)::bigint"
    return name


def _read(array: LiteralString, index: LiteralString, kind: str) -> LiteralString:
    if kind.startswith("json"):
        # A missing side column is SQL's NULL; a projection whose data is JSON null stays that.
        item = f"{array}->{index}"
        return f"nullif({item}, 'null')" if kind.endswith("?") else item
    text = f"{array}->>{index}"
    if kind.startswith("time"):
        # PostgreSQL multiplies an interval in floating point: exact in these two parts, not in one.
        return (
            f"{_EPOCH} + ({text})::bigint / 86400000000 * interval '24 hours'"
            f" + ({text})::bigint % 86400000000 * interval '1 microsecond'"
        )
    return f"({text})::boolean" if kind == "bool" else text
