"""The tables beside the events: a row as JSONB text, and comparing two of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.eventlog import tables
from gymops.eventlog.tables import TABLES, TableDifference
from tests.contract.strategies import FEW, NAMES

Row = tuple[str, str, str]
AT = "2000-01-01T00:00:00.000001Z"


@pytest.mark.parametrize(
    ("table", "row", "extra", "expected"),
    [
        (
            "projections",
            {"key": "current_workout", "data": '{"b":1,"a":62.50}', "updated_at": AT},
            {},
            (
                '["current_workout"]',
                '[{"a": 62.50, "b": 1}, 1, null]',
                '[{"b":1,"a":62.50}, 1, null]',
            ),
        ),
        (
            "projections",
            {"key": 'é"\n', "data": "null", "updated_at": 946_684_800},
            {"note": b"\xff", "n": 1.50},
            (
                r'["é\"\n"]',
                '[null, 0, {"n": 1.5, "note": {"base64": "/w=="}}]',
                '[null, 0, {"note": {"base64": "/w=="}, "n": 1.5}]',
            ),
        ),
        (
            "exercises",
            {"exercise_id": "squat", "name": "Squat", "category": None, "is_custom": None},
            {},
            (
                '["squat"]',
                '["Squat", null, null, false, null, null]',
                '["Squat", null, null, false, null, null]',
            ),
        ),
        (
            "exercises",
            {"exercise_id": "", "name": "", "category": "a\x7f", "is_custom": 1, "created_at": AT},
            {},
            ('[""]', '["", "a\x7f", null, true, 1, null]', '["", "a\x7f", null, true, 1, null]'),
        ),
        (
            "aggregates",
            {
                "period_type": "week",
                "period_key": "2026-W01",
                "data": "[]",
                "updated_at": "0001-01-01T00:00:00Z",
            },
            {},
            (
                '["week", "2026-W01"]',
                "[[], -63082281600000000, null]",
                "[[], -63082281600000000, null]",
            ),
        ),
    ],
)
def test_a_row_as_key_canonical_value_and_value_as_it_was(
    table: str, row: dict[str, Any], extra: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert TABLES[table].encode(row, extra) == expected


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("key", None, "key: NULL"),
        ("key", 5, "key: a number where text belongs"),
        ("key", b"\xff", "key: a BLOB or invalid UTF-8 where text belongs"),
        ("key", "a\0b", "key: a NUL character"),
        ("data", None, "data: NULL"),
        ("data", '{"a": NaN}', "data: NaN, which is no JSON"),
        ("data", r'"\u0000"', r"data: \\u0000, which JSONB cannot hold"),
        ("updated_at", None, "updated_at: NULL"),
        ("updated_at", "yesterday", "updated_at: 'yesterday' is no timestamp"),
    ],
)
def test_a_bad_row_says_which_column_and_why(column: str, value: Any, reason: str) -> None:
    row = {"key": "k", "data": "{}", "updated_at": AT} | {column: value}
    with pytest.raises(ValueError, match=f"^{reason}"):
        TABLES["projections"].encode(row, {})


@pytest.mark.parametrize("value", [2, "1", 0.5])
def test_a_flag_is_0_or_1(value: Any) -> None:
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        TABLES["exercises"].encode({"exercise_id": "x", "name": "X", "is_custom": value}, {})


# -- comparing ----------------------------------------------------------------------------------------


def compare(a: list[Row], b: list[Row], name: str = "projections") -> TableDifference:
    return tables.compare(iter(a), iter(b), TABLES[name])


_KEYS = st.tuples(NAMES, st.sampled_from(['["a"]', '["b"]', '["é"]', '["\uffff"]', '["\U00010000"]']))
_TABLES = st.dictionaries(_KEYS, st.sampled_from(["[1]", "[2]"]), max_size=8)


@FEW
@given(a=_TABLES, b=_TABLES)
def test_against_a_brute_force_count(a: dict[tuple[str, str], str], b: dict[tuple[str, str], str]) -> None:
    def rows(table: dict[tuple[str, str], str]) -> list[Row]:
        ordered = sorted(table, key=lambda place: (place[0].encode(), place[1].encode()))
        return [(*place, table[place]) for place in ordered]

    found = compare(rows(a), rows(b))
    different = {place for place in {*a, *b} if a.get(place) != b.get(place)}
    assert (found.rows_a, found.rows_b) == (len(a), len(b))
    assert found.missing == len(a.keys() - b.keys())
    assert found.extra == len(b.keys() - a.keys())
    assert found.changed == sum(a[place] != b[place] for place in a.keys() & b.keys())
    assert found.equal == (not different)
    if found.first is None:
        assert not different
    else:
        user, key = min(different, key=lambda place: (place[0].encode(), place[1].encode()))
        assert f": user {user!r}, key {key}" in found.first


ROW = ("alice", '["squat"]', '["Squat", "legs", null, false, 1, {"note": "a, [b]"}]')


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('["Squad", "legs", null, false, 1, {"note": "a, [b]"}]', 'name: "Squat" in A, "Squad" in B'),
        ('["Squat", "legs", null, true, 1, {"note": "a, [b]"}]', "is_custom: false in A, true in B"),
        ('["Squat", "legs", null, false, 2, {"note": "a, [b]"}]', "created_at: 1 in A, 2 in B"),
        (
            '["Squat", "legs", null, false, 1, {"note": "a, [c]"}]',
            'extra: {"note": "a, [b]"} in A, {"note": "a, [c]"} in B',
        ),
    ],
)
def test_a_changed_row_is_named_with_column_and_both_values(value: str, said: str) -> None:
    found = compare([ROW], [(*ROW[:2], value)], "exercises")
    assert found.first == f"changed: user 'alice', key [\"squat\"], {said}"


def test_without_a_table_s_columns_the_whole_values_are_shown() -> None:
    found = tables.compare(iter([("alice", '["k"]', "[1, 2]")]), iter([("alice", '["k"]', "[1, 3]")]))
    assert found.first == "changed: user 'alice', key [\"k\"], [1, 2] in A, [1, 3] in B"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("1", "2", ("1", "2")),
        ("", "x", ("", "x")),
        ("x" * 200, "x" * 200 + "y", ("..." + "x" * 40, "..." + "x" * 40 + "y")),
        ("a" + "x" * 200, "b" + "x" * 200, ("a" + "x" * 119 + "...", "b" + "x" * 119 + "...")),
        ("é", "e\u0301", (r"'\xe9'", r"'e\u0301'")),
        ("a", "a\u200b", ("'a'", r"'a\u200b'")),
        ("ﬁ", "fi", (r"'\ufb01'", "'fi'")),
    ],
)
def test_two_texts_are_shown_so_that_people_can_tell_them_apart(
    a: str, b: str, expected: tuple[str, str]
) -> None:
    assert tables.excerpts(a, b) == expected
