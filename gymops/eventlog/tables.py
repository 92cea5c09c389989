"""The tables beside the events: one row as one JSON text, the same from SQLite and from PostgreSQL.

A row's key and value are written as the text of a JSONB array, so that "equal by content" means here
what it means for a payload, and a row of any table can be compared, kept and sent in one way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, LiteralString

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


def compare(a: Iterator[tuple[str, str, str]], b: Iterator[tuple[str, str, str]]) -> TableDifference:
    """Merge two sorted streams of (user_id, key, value) and count what differs."""
    rows_a = rows_b = missing = extra = changed = 0
    first: str | None = None
    left, right = next(a, None), next(b, None)
    while left or right:
        where = left[:2] if left else None
        other = right[:2] if right else None
        side = (
            0 if where == other else -1 if other is None or (where and _order(where) < _order(other)) else 1
        )
        kind = None
        if side == 0 and left and right and left[2] != right[2]:
            changed += 1
            kind = "changed"
        elif side < 0:
            missing += 1
            kind = "missing"
        elif side > 0:
            extra += 1
            kind = "extra"
        if kind and first is None:
            at = left if side <= 0 else right
            first = f"{kind}: user {at[0]!r}, key {at[1]}" if at else None
        if side <= 0:
            rows_a += 1
            left = next(a, None)
        if side >= 0:
            rows_b += 1
            right = next(b, None)
    return TableDifference(rows_a, rows_b, missing, extra, changed, first)


def _order(place: tuple[str, str]) -> tuple[bytes, bytes]:
    return place[0].encode(), place[1].encode()


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
        return f"{_EPOCH} + ({text})::bigint * interval '1 microsecond'"
    return f"({text})::boolean" if kind == "bool" else text
