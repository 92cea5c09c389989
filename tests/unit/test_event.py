"""A foreign row's columns become an event or a bad row with its reason, in bulk as value by value."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gymops.eventlog import event
from gymops.eventlog.event import BadRow, Decoder, Row, identify, isoformat, side_column, timestamp
from tests.contract.strategies import EVENT_IDS, FEW, ODD, TEXTS, TIMES, VERSIONS, many, timestamps

ID = "0190b5a4-7c1e-7cc0-8a4c-0123456789ab"
AT = "2026-01-01T10:00:00.000000Z"


def micros(moment: datetime) -> int:
    return (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def decode(*values: Any, user: str = "alice") -> tuple[Row | None, str | None, Counter[str]]:
    decoder = Decoder(user)
    rows, bad = decoder.decode([(7, *values)])
    return (rows[0] if rows else None), (bad[0].reason if bad else None), decoder.notes


@pytest.mark.parametrize(
    ("text", "moment", "note"),
    [
        ("2000-01-01T00:00:00Z", 0, None),
        ("2000-01-01 00:00:00.000001+00", 1, None),
        ("1999-12-31T23:59:59.999999Z", -1, None),
        ("2000-01-01T00:00:01", 1_000_000, event.NO_ZONE),
        ("2000-01-01T00:00", 0, event.NO_ZONE),
        ("2000-01-01T01:00:00,5+01:00", 500_000, event.OFFSET),
        ("2000-01-01T00:00:00.1234560-00:00", 123_456, None),
        ("2000-01-01T00:00:00+053015", -(5 * 3600 + 30 * 60 + 15) * 1_000_000, event.OFFSET),
        ("0001-01-01T00:00:00Z", -63_082_281_600_000_000, None),
        ("9999-12-31T23:59:59.999999Z", 252_455_615_999_999_999, None),
        ("9999-12-31T23:59:59.999999-00:00", 252_455_615_999_999_999, None),
        (946_684_800, 0, event.EPOCH_SECONDS),
        ("946684800.25", 250_000, event.EPOCH_SECONDS),
        (1700000000.123456, 753_315_200_123_456, event.EPOCH_SECONDS),
    ],
)
def test_a_timestamp_in_many_spellings(text: Any, moment: int, note: str | None) -> None:
    assert timestamp(text) == (moment, note)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "NULL where text belongs"),
        (b"2026", "a BLOB or invalid UTF-8 where text belongs"),
        ("2026-01-01T10:00:60Z", "has a second 60"),
        ("2026-01-01T10:00:00.0000001Z", "has digits past the microsecond"),
        ("2026-02-29T10:00:00Z", "is no moment in time"),
        ("2026-01-01T24:00:00Z", "is no moment in time"),
        ("0000-12-31T23:59:59Z", "is no moment in time"),
        ("0001-01-01T00:00:00+00:01", "is no moment in time"),
        ("9999-12-31T23:59:59-00:01", "is no moment in time"),
        ("2026-01-01T10:00:00+16:00", "is no moment in time"),
        ("2026-01-01", "is no timestamp"),
        ("2026-01-01T10:00:00Z\n", "is no timestamp"),
        ("२०२६-01-01T10:00:00Z", "is no timestamp"),
        ("infinity", "is no timestamp"),
        (1_700_000_000_000, "is neither a timestamp nor epoch seconds"),
        (12, "is neither a timestamp nor epoch seconds"),
        (-1e300, "is neither a timestamp nor epoch seconds"),
    ],
)
def test_what_is_no_timestamp_says_why(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        timestamp(value)


@FEW
@given(pair=timestamps())
def test_a_timestamp_is_the_moment_it_names(pair: tuple[str, datetime]) -> None:
    text, moment = pair
    assert timestamp(text)[0] == micros(moment)
    assert isoformat(micros(moment)) == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_moment_no_calendar_holds_is_still_told() -> None:
    assert isoformat(2**63 - 1) == "9223372036854775807 microseconds since 2000"
    assert isoformat(-(2**63)) == "-9223372036854775808 microseconds since 2000"


def test_an_id_that_is_no_uuid_becomes_one_of_user_and_text() -> None:
    assert identify("alice", ID) == (uuid.UUID(ID).bytes, None)
    assert identify("alice", ID.upper()) == (uuid.UUID(ID).bytes, None)
    # SHA-1 of the namespace and "5:aliceset-1", with the bits of a UUIDv5.
    assert identify("alice", "set-1") == (uuid.UUID("48532f83-c906-5ece-8167-b5c8b59bc3a6").bytes, "set-1")
    for text in (ID.replace("-", ""), "{" + ID + "}", ID + "\n", "urn:uuid:" + ID, ""):
        assert identify("alice", text)[1] == text
    assert identify("a", "1:bc")[0] != identify("a1:b", "c")[0] != identify("ab", "c")[0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, AT, "T", "{}", 1), "event_id: NULL where text belongs"),
        ((1.5, AT, "T", "{}", 1), "event_id: a real number where text belongs"),
        (("a\0", AT, "T", "{}", 1), "event_id: a NUL character"),
        ((ID, AT, b"\xff", "{}", 1), "event_type: a BLOB or invalid UTF-8 where text belongs"),
        ((ID, AT, "a\0b", "{}", 1), "event_type: a NUL character"),
        ((ID, AT, "T", None, 1), "payload: NULL where JSON text belongs"),
        ((ID, AT, "T", 5, 1), "payload: an integer where JSON text belongs"),
        ((ID, AT, "T", "{}", "1"), "schema_version: text where an integer belongs"),
        ((ID, AT, "T", "{}", -1), "schema_version: -1 is out of range"),
        ((ID, AT, "T", "{}", 2**31), "schema_version: 2147483648 is out of range"),
        ((None, None, None, None, "x"), "event_id: NULL where text belongs"),
    ],
)
def test_a_bad_row_says_which_column_and_why(row: tuple[Any, ...], reason: str) -> None:
    assert decode(*row)[:2] == (None, reason)


def test_what_is_read_otherwise_than_written_is_counted() -> None:
    row, _, notes = decode(5, "2026-01-01T10:00:00", "T", "{}", None)
    assert row
    assert (row[0], row[5], row[6]) == (7, 1, "5")
    assert notes == {event.NO_ZONE: 1, event.NO_UUID: 1, event.NO_VERSION: 1}


def test_ids_that_another_spelling_could_repeat_are_counted() -> None:
    decoder = Decoder("alice")
    decoder.decode([(1, ID, AT, "T", "{}", 1)])
    assert decoder.ambiguous == 0
    decoder.decode([(2, ID.upper(), AT, "T", "{}", 1), (3, 5, AT, "T", "{}", 1), (4, "x", AT, "T", "{}", 1)])
    assert decoder.ambiguous == 2


def test_no_rows_are_no_rows() -> None:
    assert Decoder("alice").decode([]) == ([], [])


def test_unknown_columns_become_the_side_column() -> None:
    rows, bad = Decoder("alice", ("note", "raw")).decode([(1, ID, AT, "T", "{}", 1, 'é"', b"\xff")])
    assert not bad
    assert rows[0][7] == '{"note": "é\\"", "raw": {"base64": "/w=="}}'
    values = {"n": None, "i": 2**63 - 1, "f": 1.5, "inf": float("-inf"), "nul": "a\0"}
    assert json.loads(side_column(values)) == {**values, "inf": "-inf", "nul": {"base64": "YQA="}}


# -- in bulk and value by value ------------------------------------------------------------------------

_IDS = st.uuids().map(str)
_MOMENTS = st.datetimes().map(lambda moment: f"{moment.year:04}-{moment:%m-%dT%H:%M:%S.%f}Z")
_REGULAR = st.tuples(
    _IDS, _MOMENTS, st.sampled_from(["SetLogged", "WorkoutStarted"]), st.just("{}"), st.integers(0, 2**31 - 1)
)


@st.composite
def _nearly(draw: st.DrawFn, regular: st.SearchStrategy[str]) -> str:
    """A regular text with a few of its characters replaced: what a bulk path could take for regular."""
    text = draw(regular)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.sampled_from("-:.,+ TZtzAa0269W\n\u0662\uff11\u0130")) + text[at + 1 :]
    return text


@st.composite
def _batches(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Rows that are regular but for some values of one or two columns."""
    batch = [list(row) for row in draw(st.lists(_REGULAR, min_size=1, max_size=6))]
    odd = {
        0: st.one_of(_nearly(_IDS), _IDS.map(str.upper), EVENT_IDS, ODD),
        1: st.one_of(_nearly(_MOMENTS), TIMES, ODD),
        2: st.one_of(TEXTS, st.just("a\0b"), ODD),
        3: ODD,
        4: st.one_of(VERSIONS, ODD),
    }
    for column in draw(st.sets(st.sampled_from(sorted(odd)), max_size=2)):
        for row in draw(st.lists(st.sampled_from(range(len(batch))), min_size=1, max_size=2)):
            batch[row][column] = draw(odd[column])
    return [tuple(row) for row in batch]


_ODD_ROW = (0, 1, "2026-01-01 10:00", "T", "{}", None)
"""Takes each column out of its bulk path."""


def check_bulk(batch: list[tuple[Any, ...]]) -> None:
    rows = [(rowid, *row) for rowid, row in enumerate(batch, 1)]
    bulk, slow = Decoder("alice"), Decoder("alice")
    decoded, bad = bulk.decode(rows)
    expected: list[Row] = []
    expected_bad: list[BadRow] = []
    for row in rows:
        good, refused = slow.decode([_ODD_ROW, row])
        expected += good[1:]
        expected_bad += refused
    odd = Decoder("alice")
    for _ in rows:
        odd.decode([_ODD_ROW])
    assert decoded == expected
    assert bad == expected_bad
    assert bulk.notes == slow.notes - odd.notes
    assert bulk.ambiguous == slow.ambiguous - odd.ambiguous


@FEW
@given(batch=_batches())
@example(batch=[(ID, "2026-02-30T10:00:00.000000Z", "T", "{}", 1), (ID, AT, "T", "{}", 1)])
@example(batch=[(ID, "0000-01-01T10:00:00.000000Z", "T", "{}", 1)])
@example(batch=[(ID, AT, "T", "{}", 2**31), (ID, AT, "T", "{}", 1)])
@example(batch=[(ID[:-1] + "-", AT, "T", "{}", 1), ("-" + ID[1:], AT, "T", "{}", 1)])
@example(batch=[(ID[:-2] + "  ", AT, "T", "{}", 1), (ID, AT, "T", "{}", 1)])
@example(batch=[(ID[:-1] + "\n", AT, "T", "{}", 1), (ID[:-1] + " ", AT, "T", "{}", 1)])
@example(batch=[(ID[:22] + "-" + ID[22] + ID[24:], AT, "T", "{}", 1), (ID, AT, "T", "{}", 1)])
@example(batch=[(ID.upper(), AT, "T", "{}", 1), (ID, AT, "T", "{}", 1)])
@example(batch=[(ID, "2026-W01-4T10:00:00.000000Z", "T", "{}", 1), (ID, AT, "T", "{}", 1)])
@example(batch=[(ID, "20260101T100000.000000+0100", "T", "{}", 1)])
@example(batch=[(ID, "2026-01-01T24:00:00.000000Z", "T", "{}", 1)])
@example(batch=[(ID, "2026-01-01T10:00:60.000000Z", "T", "{}", 1)])
@example(batch=[(ID, "2026-01-01T10:00:00.00000-Z", "T", "{}", 1)])
@example(batch=[(ID.replace("-", "a"), AT, "T", "{}", 1), (ID[:23] + "0" + ID[24:], AT, "T", "{}", 1)])
def test_in_bulk_as_value_by_value(batch: list[tuple[Any, ...]]) -> None:
    check_bulk(batch)


def test_regular_columns_are_not_read_value_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "_each", None)
    rows, bad = Decoder("alice").decode([(1, ID, AT, "T", "{}", 1), (2, ID, AT, "U", "[]", 2)])
    assert (len(rows), bad) == (2, [])


@many()
@given(batch=_batches())
def test_many_in_bulk_as_value_by_value(batch: list[tuple[Any, ...]]) -> None:
    check_bulk(batch)
