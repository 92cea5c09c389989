"""What is said of columns that could be dates, and which values decide a type."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gymops.tables.decide import decide, suggestion
from gymops.tables.kinds import BIGINT, TEXT, Kind
from gymops.tables.schema import Column


def column(name: str, declared: str = "") -> Column:
    return Column(name, declared, False, None, "BINARY")


SUGGESTED: list[tuple[str, Kind, list[object], str | None]] = [
    ("created_at", BIGINT, [1700000000, None], "unix seconds"),
    ("created_at", BIGINT, [1700000000000], "milliseconds since 1970"),
    ("created_at", BIGINT, [1700000000, 5], None),
    ("size", BIGINT, [1700000000], None),
    ("anything", TEXT, [None, "2024-02-29T12:30:00Z"], "ISO dates"),
    ("anything", TEXT, ["2024-02-29", "soon"], None),
    ("anything", TEXT, [None], None),
]


@pytest.mark.parametrize(("name", "kind", "values", "says"), SUGGESTED)
def test_a_column_that_looks_like_dates(
    name: str, kind: Kind, values: list[object], says: str | None
) -> None:
    found = suggestion(column(name), kind, values)
    assert found is None if says is None else says in str(found)


def test_a_look_at_large_values_ends_with_the_first_that_is_none() -> None:
    looked: list[str] = []

    def values() -> Iterator[object]:
        for value in ("2024-02-29", "large", "larger"):
            looked.append(value)
            yield value

    assert suggestion(column("x"), TEXT, values()) is None
    assert looked == ["2024-02-29", "large"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1] * 9 + ["x"], "bigint"), ([1] * 8 + ["x"], "text"), ([1] * 8 + [1.5, "x"], "double precision")],
)
def test_one_in_ten_may_be_of_another_kind(values: list[object], kind: str) -> None:
    names = {int: "integer", float: "real", str: "text"}
    classes = dict.fromkeys(names.values(), 0)
    for value in values:
        classes[names[type(value)]] += 1
    assert decide(column("x", "INTEGER"), classes, lambda: values, strict=False).kind.sql == kind
