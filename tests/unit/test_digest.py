"""Digest format 1: published vectors, and a second implementation written from its description only.

The vectors never change. Whoever writes the format anew, in any language, starts from here.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.eventlog.digest import (
    CHUNK,
    EMPTY_HEAD,
    FORMAT,
    LogDigest,
    Records,
    Rejected,
    RejectedHasher,
    Stream,
    StreamHasher,
    log_head,
    record,
    side_record,
)
from gymops.eventlog.event import Event, identify
from tests.contract.strategies import FEW, NAMES, SCALARS

# -- the second implementation: hashlib, struct and the docstrings of digest.py ------------------------


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def field(raw: bytes | None) -> bytes:
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def plain_record(event: Event) -> bytes:
    source = event.source_event_id
    fields = (
        event.user_id.encode(),
        event.event_id.bytes,
        struct.pack(">q", event.timestamp),
        event.event_type.encode(),
        struct.pack(">i", event.schema_version),
        b"\x01" + event.payload.encode(),
        None if source is None else source.encode(),
    )
    return struct.pack(">h", 7) + b"".join(map(field, fields))


def plain_head(records: Sequence[bytes]) -> bytes:
    head = bytes(32)
    for start in range(0, len(records), 1024):
        head = sha(b"\x01", head, sha(b"\x00", *records[start : start + 1024]))
    return head


def plain_log_head(streams: dict[str, list[bytes]]) -> str:
    users = sorted((user.encode(), records) for user, records in streams.items())
    parts = (field(user) + struct.pack(">q", len(records)) + plain_head(records) for user, records in users)
    return sha(b"\x02", *parts).hex()


# -- the events of the vectors ------------------------------------------------------------------------

FIRST = Event(
    user_id="default",
    event_id=uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
    timestamp=1,  # 2000-01-01T00:00:00.000001Z
    event_type="SetLogged",
    schema_version=1,
    payload='{"kg": 62.50}',
    source_event_id=None,
)
FIRST_RECORD = (
    "0007"  # fields
    "00000007 64656661756c74"  # default
    "00000010 00112233445566778899aabbccddeeff"
    "00000008 0000000000000001"
    "00000009 5365744c6f67676564"  # SetLogged
    "00000004 00000001"
    "0000000e 01 7b226b67223a2036322e35307d"  # version byte, {"kg": 62.50}
    "ffffffff"  # NULL
)
SECOND = Event(
    user_id="é",
    event_id=uuid.UUID(bytes=identify("é", "set 1")[0]),
    timestamp=-1,  # 1999-12-31T23:59:59.999999Z
    event_type="",
    schema_version=0,
    payload="null",
    source_event_id="set 1",
)
SECOND_RECORD = (
    "0007"
    "00000002 c3a9"
    "00000010 cc5ef0539d335837aa1818db11677f26"
    "00000008 ffffffffffffffff"
    "00000000"
    "00000004 00000000"
    "00000005 01 6e756c6c"
    "00000005 7365742031"  # set 1
)


def numbered(user_id: str, count: int) -> list[Event]:
    """Events 1, 2, 3, ...: each a second after 2000 later, its number as id and as payload."""
    return [
        Event(user_id, uuid.UUID(int=n), n * 1_000_000, "SetLogged", 1, f'{{"n": {n}}}', None)
        for n in range(1, count + 1)
    ]


def stream(events: Sequence[Event]) -> Stream:
    hasher = StreamHasher()
    hasher.add([record(event) for event in events])
    return hasher.stream()


@pytest.mark.parametrize(("event", "expected"), [(FIRST, FIRST_RECORD), (SECOND, SECOND_RECORD)])
def test_vector_the_bytes_of_a_record(event: Event, expected: str) -> None:
    raw = bytes.fromhex(expected.replace(" ", ""))
    assert record(event) == raw
    assert plain_record(event) == raw


def test_vector_the_id_of_an_event_whose_own_id_is_no_uuid() -> None:
    assert identify("é", "set 1") == (uuid.UUID("cc5ef053-9d33-5837-aa18-18db11677f26").bytes, "set 1")


def test_vector_the_empty_log() -> None:
    head = "dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986"
    assert hashlib.sha256(b"\x02").hexdigest() == head
    assert LogDigest({}) == LogDigest({}, Rejected(0, ""))
    assert (LogDigest({}).head, LogDigest({}).events) == (head, 0)
    assert StreamHasher().stream() == Stream(0, bytes(32)) == Stream(0, EMPTY_HEAD)
    assert log_head({"nobody": Stream(0, EMPTY_HEAD)}) == head


def test_vector_one_event() -> None:
    raw = bytes.fromhex(FIRST_RECORD.replace(" ", ""))
    chunk = sha(b"\x00", raw)
    head = sha(b"\x01", bytes(32), chunk)
    assert chunk.hex() == "1bf3f4f87b283b135aed13b1f049eac2e5b02fb5c669b4e8be0d7520eb66dda3"
    assert head.hex() == "c62a056facb243ae9ad610adc187024d75e8a35c3961f11826f9374b4459072d"
    assert stream([FIRST]) == Stream(1, head)
    top = sha(b"\x02", bytes.fromhex("00000007 64656661756c74 0000000000000001"), head).hex()
    assert top == "eab1f8ac53ba08668309b56b3a9d46ec40d11a8d6460dcd2be41e7b4128b4536"
    assert LogDigest({"default": stream([FIRST])}).head == top


@pytest.mark.parametrize(
    ("count", "head"),
    [
        (1, "09a285823dc6afdd7dc1c458d25e473092823cf606214ac557f947fb8b66de58"),
        (1023, "9dfd69fa559473de34d56a8b46bf25f8d08ba7979d94f1d3b113799fc01ab94e"),
        (1024, "0816b9e64d047eb3d096e48d61482ebcaa4ecafdc0aee0509bfb10d8bda69622"),
        (1025, "d4dcb61680209a836e0ea489363092fd3c3e61c3e8eae90d8b6d4f1862e50e2f"),
        (2048, "14662ae82fbd4df5e7d88838c3e05212c5a175bc20d48c11887db176f3b43c0c"),
        (2049, "90ad562a8bf3e7af24458a85a6286f1cd1f31ff0d677b4e46454ae781348346c"),
    ],
)
def test_vector_around_the_size_of_a_chunk(count: int, head: str) -> None:
    events = numbered("default", count)
    assert stream(events).head.hex() == head
    assert plain_head([plain_record(event) for event in events]).hex() == head


@pytest.mark.parametrize(
    ("users", "head"),
    [
        # By bytes Z < a < é < U+FFFF < U+10000; a locale puts a and é before Z, UTF-16 U+10000 before U+FFFF.
        (["Z", "a", "é"], "6d5e229227747854cb593e08693f1fee9e104caefa009c6d43b7dbaa17e00a25"),
        (["\uffff", "\U00010000"], "5462d933c7cbbd2deaeb0a1a128a911762089a561e9ec981a9a7f721d300e56e"),
        (["a", "ab"], "451fba2870cec4f5a1f4dfa74567f8bbd4af98cdaf9f0379c895c2db48d449de"),
    ],
)
def test_vector_users_are_sorted_by_their_bytes(users: list[str], head: str) -> None:
    streams = {user: numbered(user, 1) for user in reversed(users)}
    assert LogDigest({user: stream(events) for user, events in streams.items()}).head == head
    records = {user: [plain_record(event) for event in events] for user, events in streams.items()}
    assert plain_log_head(records) == head


def test_vector_rejected_rows() -> None:
    hasher = RejectedHasher()
    assert hasher.result() == Rejected(0, "")
    hasher.add("é", "events", ["id", "payload"], ["integer", "null"], [b"1", None])
    hasher.add("a", "events", ["id", "payload"], ["integer", "text"], [b"2", b""])
    hasher.add("a", "events", ["id", "payload"], ["integer", "blob"], [b"3", b"\xff"])
    rows_a = sha(
        bytes.fromhex("00000002"),
        bytes.fromhex("00000002 6964  00000007 696e7465676572  00000001 32"),
        bytes.fromhex("00000007 7061796c6f6164  00000004 74657874  00000000"),
        bytes.fromhex("00000002"),
        bytes.fromhex("00000002 6964  00000007 696e7465676572  00000001 33"),
        bytes.fromhex("00000007 7061796c6f6164  00000004 626c6f62  00000001 ff"),
    )
    rows_b = sha(
        bytes.fromhex("00000002"),
        bytes.fromhex("00000002 6964  00000007 696e7465676572  00000001 31"),
        bytes.fromhex("00000007 7061796c6f6164  00000004 6e756c6c  ffffffff"),
    )
    events = bytes.fromhex("00000006 6576656e7473")
    expected = sha(
        b"\x03",
        field(b"a") + events + struct.pack(">q", 2) + rows_a,
        field("é".encode()) + events + struct.pack(">q", 1) + rows_b,
    ).hex()
    assert expected == "00e8ce8ee4dc27684f447b7525569fa6d76ca9a41492643cceb5195cbec254fe"
    assert hasher.result() == Rejected(3, expected)


def test_vector_the_side_column() -> None:
    raw = (
        "0003 00000007 64656661756c74 00000010 00112233445566778899aabbccddeeff 0000000a 01 7b2261223a20317d"
    )
    assert side_record("default", FIRST.event_id.bytes, '{"a": 1}') == bytes.fromhex(
        raw.replace("0a 01", "09 01")
    )


def test_the_format_is_version_1() -> None:
    assert (FORMAT, CHUNK) == (1, 1024)


# -- properties ---------------------------------------------------------------------------------------

EVENTS = st.builds(
    Event,
    user_id=NAMES,
    event_id=st.uuids(),
    timestamp=st.integers(-(2**63), 2**63 - 1),
    event_type=NAMES,
    schema_version=st.integers(0, 2**31 - 1),
    payload=st.text(SCALARS, max_size=8),
    source_event_id=st.one_of(st.none(), NAMES),
)


@FEW
@given(events=st.lists(EVENTS, max_size=8))
def test_both_implementations_agree(events: list[Event]) -> None:
    streams: dict[str, list[Event]] = {}
    for event in events:
        streams.setdefault(event.user_id, []).append(event)
        assert record(event) == plain_record(event)
    records = {user: [plain_record(event) for event in mine] for user, mine in streams.items()}
    assert LogDigest({user: stream(mine) for user, mine in streams.items()}).head == plain_log_head(records)


@FEW
@given(one=EVENTS, other=EVENTS)
def test_records_are_equal_only_when_the_events_are(one: Event, other: Event) -> None:
    assert (record(one) == record(other)) == (one == other)


def test_records_of_many_event_types_take_no_more_memory() -> None:
    records = Records("default")
    rows = [(n, bytes(16), 0, f"type {n}", "", 1, None, None) for n in range(3000)]
    built = records.build(rows, ["{}"] * 3000)
    assert len(records._types) <= CHUNK
    assert built == [Records("default").build([row], ["{}"])[0] for row in rows]


@FEW
@given(sizes=st.lists(st.integers(0, 1500), max_size=5))
def test_a_stream_does_not_depend_on_how_it_is_fed(sizes: list[int]) -> None:
    records = [str(n).encode() for n in range(sum(sizes))]
    hasher, at = StreamHasher(), 0
    for size in sizes:
        hasher.add(records[at : at + size])
        at += size
    assert hasher.stream() == Stream(len(records), plain_head(records))


@pytest.mark.parametrize("step", [1, 700, 1024, 5000])
@pytest.mark.parametrize("watch", [0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 2999, 3000])
def test_a_watched_length_gives_the_stream_of_the_prefix(watch: int, step: int) -> None:
    records = [str(n).encode() for n in range(3000)]
    hasher = StreamHasher(watch)
    for start in range(0, 3000, step):
        hasher.add(records[start : start + step])
    assert hasher.watched == Stream(watch, plain_head(records[:watch]))
    assert hasher.stream() == Stream(3000, plain_head(records))


def test_a_length_never_reached_is_not_watched() -> None:
    hasher = StreamHasher(11)
    hasher.add([b""] * 10)
    assert hasher.watched is None
