"""One event, and how the columns of a foreign row become one.

A row of a source is read as ``(rowid, event_id, timestamp, event_type, payload, schema_version, *extra)``
and decoded to a ``Row``; whatever cannot be an event is a ``BadRow`` with its reason, never a crash.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import floordiv, sub
from typing import Any, ClassVar

Row = tuple[int, bytes, int, str, str, int, str | None, str | None]
"""rowid, event_id (16 bytes), timestamp (microseconds since 2000-01-01 UTC), event_type, payload (JSON
text as the source has it), schema_version, source_event_id, extra (JSON text)."""

NAMESPACE = uuid.UUID("8f0c1c3e-6a0e-5c55-9d6f-0d3b3f6f2a71")
"""UUIDv5 namespace of ids that are no UUID. Part of the log format: never changes."""

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

NO_ZONE = "timestamp without zone, read as UTC"
OFFSET = "timestamp with an offset, converted to UTC"
EPOCH_SECONDS = "timestamp in epoch seconds, converted"
NO_UUID = "event_id that is no UUID, replaced by a UUIDv5 and kept in source_event_id"
NO_VERSION = "schema_version NULL, read as 1"
REPEATED_KEY = "payload that repeats a key, of which JSONB keeps the last"


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be an event: where it is and why."""

    rowid: int
    reason: str


@dataclass(frozen=True)
class Event:
    """An event as two logs are compared: ``payload`` is JSONB's text, ``timestamp`` as in ``Row``."""

    user_id: str
    event_id: uuid.UUID
    timestamp: int
    event_type: str
    schema_version: int
    payload: str
    source_event_id: str | None

    FIELDS: ClassVar = ("timestamp", "event_type", "schema_version", "payload", "source_event_id")

    @classmethod
    def of(cls, user_id: str, event_id: bytes, *rest: Any) -> Event:
        """An event of a row's fields in the order of this class."""
        return cls(user_id, uuid.UUID(bytes=event_id), *rest)


def isoformat(microseconds: int) -> str:
    """A ``Row``'s timestamp as people read it."""
    try:
        moment = EPOCH + microseconds * MICROSECOND
    except OverflowError:
        return f"{microseconds} microseconds since 2000"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Decoder:
    """Turns the rows of one user into ``Row`` and ``BadRow``, and counts what it had to interpret."""

    def __init__(self, user_id: str, extra: Sequence[str] = ()) -> None:
        self.user_id = user_id
        self.extra = extra
        self.notes: Counter[str] = Counter()
        """What was read otherwise than it was written -> number of rows."""
        self.ambiguous = 0
        """Ids written in a way that lets another spelling of the same id exist beside them."""

    def decode(self, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Row], list[BadRow]]:
        """Decode a batch, column by column: regular columns in bulk, the others value by value."""
        if not rows:
            return [], []
        rowids, ids, times, types, payloads, versions, *extras = zip(*rows, strict=True)
        bad: dict[int, str] = {}
        event_ids, sources = self._ids(ids, bad)
        timestamps = self._times(times, bad)
        if set(map(type, types)) != {str} or "\0" in "".join(types):
            self._each(types, _type, bad, "event_type")
        if set(map(type, payloads)) != {str}:
            self._each(payloads, _payload, bad, "payload")
        schema_versions = self._versions(versions, bad)
        extra = self._extra(list(zip(*extras, strict=True))) if extras else [None] * len(rows)
        decoded = list(
            zip(rowids, event_ids, timestamps, types, payloads, schema_versions, sources, extra, strict=True)
        )
        if not bad:
            return decoded, []
        return (
            [row for index, row in enumerate(decoded) if index not in bad],
            [BadRow(rowids[index], reason) for index, reason in sorted(bad.items())],
        )

    def _each(
        self, column: Sequence[Any], read: Callable[[Any], Any], bad: dict[int, str], name: str
    ) -> list[Any]:
        values = []
        for index, value in enumerate(column):
            try:
                values.append(read(value))
            except ValueError as error:
                values.append(None)
                bad.setdefault(index, f"{name}: {error}")
        return values

    def _ids(self, column: Sequence[Any], bad: dict[int, str]) -> tuple[list[Any], list[str | None]]:
        if set(map(type, column)) == {str} and set(map(len, column)) == {36}:
            raw = _plain_uuids("".join(column))
            if raw is not None:
                return list(struct.unpack("16s" * len(column), raw)), [None] * len(column)
        pairs = self._each(column, self._id, bad, "event_id")
        return [pair and pair[0] for pair in pairs], [pair and pair[1] for pair in pairs]

    def _id(self, value: Any) -> tuple[bytes, str | None]:
        if type(value) is int:
            value = str(value)
            self.ambiguous += 1
        text = _text(value)
        event_id, source = identify(self.user_id, text)
        if source is None:
            self.ambiguous += text != text.lower()
        else:
            self.notes[NO_UUID] += 1
        return event_id, source

    def _times(self, column: Sequence[Any], bad: dict[int, str]) -> list[Any]:
        if (
            set(map(type, column)) == {str}
            and set(map(len, column)) == {27}
            and _plain_times("".join(column))
        ):
            try:
                moments = map(datetime.fromisoformat, column)
                return list(map(floordiv, map(sub, moments, repeat(EPOCH)), repeat(MICROSECOND)))
            except ValueError:
                pass  # a day or an hour that does not exist: found again below, row by row
        return self._each(column, self._time, bad, "timestamp")

    def _time(self, value: Any) -> int:
        moment, note = timestamp(value)
        if note:
            self.notes[note] += 1
        return moment

    def _versions(self, column: Sequence[Any], bad: dict[int, str]) -> list[Any]:
        if set(map(type, column)) == {int} and min(column) >= 0 and max(column) <= _MAX_VERSION:
            return list(column)
        return self._each(column, self._version, bad, "schema_version")

    def _version(self, value: Any) -> int:
        if value is None:
            self.notes[NO_VERSION] += 1
            return 1
        if type(value) is not int:
            raise ValueError(f"{_kind(value)} where an integer belongs")
        if not 0 <= value <= _MAX_VERSION:
            raise ValueError(f"{value} is out of range")
        return value

    def _extra(self, rows: list[tuple[Any, ...]]) -> list[str]:
        return [side_column(dict(zip(self.extra, row, strict=True))) for row in rows]


def identify(user_id: str, text: str) -> tuple[bytes, str | None]:
    """An event's id, 16 bytes, and its original text where that is no UUID.

    A UUID is 8-4-4-4-12 hexadecimal digits of either case. Any other text becomes the UUIDv5 of the
    user (length-prefixed) and the text.
    """
    if _UUID.fullmatch(text):
        return uuid.UUID(text).bytes, None
    return uuid.uuid5(NAMESPACE, f"{len(user_id.encode())}:{user_id}{text}").bytes, text


def timestamp(value: Any) -> tuple[int, str | None]:
    """Read a timestamp: microseconds since 2000-01-01 UTC, and what had to be interpreted.

    Raises:
        ValueError: with the reason in plain words.
    """
    if type(value) in (int, float) or (type(value) is str and _SECONDS.fullmatch(value)):
        return _epoch_seconds(repr(value) if type(value) is float else str(value)), EPOCH_SECONDS
    text = _text(value)
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{_short(text)} is no timestamp")
    year, month, day, hour, minute, second, fraction, zone = match.groups("")
    if second == "60":
        raise ValueError(f"{_short(text)} has a second 60")
    if fraction[6:].strip("0"):
        raise ValueError(f"{_short(text)} has digits past the microsecond")
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond, UTC
        )
        offset = _offset(zone)
        micros = (moment - EPOCH) // MICROSECOND - offset // MICROSECOND
        EPOCH + micros * MICROSECOND
    except (ValueError, OverflowError):
        raise ValueError(f"{_short(text)} is no moment in time") from None
    return micros, NO_ZONE if not zone else OFFSET if offset else None


def side_column(values: dict[str, Any]) -> str:
    """Columns we do not know, as the JSON text of one object; what JSON cannot hold goes as base64."""
    return json.dumps({name: _side_value(value) for name, value in values.items()}, ensure_ascii=False)


def _side_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, str) and "\0" in value:
        return {"base64": base64.b64encode(value.encode()).decode()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return repr(value)
    return value


_MAX_VERSION = 2**31 - 1
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIGITS = str.maketrans("123456789", "000000000")
_PLAIN_TIME = "0000-00-00T00:00:00.000000Z"
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-2][0-9]):([0-5][0-9])(?::([0-6][0-9])(?:[.,]([0-9]+))?)?"
    r" ?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)?"
)
# Nine or ten digits: 1973 to 2286. Fewer would read any small number as a time, more are milliseconds.
_SECONDS = re.compile(r"[0-9]{9,10}(?:\.[0-9]{1,6})?")


def _plain_uuids(joined: str) -> bytes | None:
    """The bytes of UUIDs of 36 characters each, if all are lower case with hyphens in their places."""
    count = len(joined) // 36
    if any(joined[at::36] != "-" * count for at in (8, 13, 18, 23)) or joined != joined.lower():
        return None
    try:
        raw = bytes.fromhex(joined.replace("-", ""))
    except ValueError:
        return None
    # A hyphen elsewhere makes them fewer; so does white space, which fromhex skips.
    return raw if len(raw) == 16 * count else None


def _plain_times(joined: str) -> bool:
    """Whether timestamps of 27 characters each are all of the one form that can be read in bulk."""
    # Python reads 24:00 as the next day in some versions and not in others; we never do.
    return joined.translate(_DIGITS) == _PLAIN_TIME * (len(joined) // 27) and "T24" not in joined


def _epoch_seconds(text: str) -> int:
    if not _SECONDS.fullmatch(text):
        raise ValueError(f"{_short(text)} is neither a timestamp nor epoch seconds")
    seconds, _, fraction = text.partition(".")
    unix_epoch = (datetime(1970, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
    return unix_epoch + int(seconds) * 1_000_000 + int(fraction.ljust(6, "0"))


def _offset(zone: str) -> timedelta:
    if zone in ("", "Z", "z", "UTC"):
        return timedelta()
    digits = zone[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 15 or minutes > 59 or seconds > 59:
        raise ValueError("offset")
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -offset if zone[0] == "-" else offset


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{_kind(value)} where text belongs")
    if "\0" in value:
        raise ValueError("a NUL character")
    return value


def _type(value: Any) -> str:
    return _text(value)


def _payload(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{_kind(value)} where JSON text belongs")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "a BLOB or invalid UTF-8"
    return {int: "an integer", float: "a real number", str: "text"}.get(type(value), "an unknown type")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
