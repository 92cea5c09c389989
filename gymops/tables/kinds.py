"""The types of the target: which values of SQLite each holds, how they are loaded, how they are proved.

A value takes two ways, which share no code. It is loaded as a text that PostgreSQL parses itself; and it
is hashed as the bytes that PostgreSQL sends for it (binary COPY), formatted here from SQLite's value.
Only where both readings agree is the proof equal.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any, LiteralString

from gymops.errors import ConfigError
from gymops.eventlog import jsonb
from gymops.tables import instants

NULL = b"\xff\xff\xff\xff"
_length = struct.Struct(">i").pack
_int2, _int4, _int8 = struct.Struct(">ih").pack, struct.Struct(">ii").pack, struct.Struct(">iq").pack
_float8 = struct.Struct(">id").pack
_DAY = 86_400_000_000


class MisfitError(ValueError):
    """A value that a type does not hold."""


class BadText(bytes):
    """A text that is none in the database's encoding."""


Form = Callable[[Any], bytes]
_SEEN = 4096
"""Amounts and dates repeat: so many are remembered."""


@dataclass(frozen=True)
class Kind:
    """A type of PostgreSQL."""

    sql: str
    """As PostgreSQL itself writes it."""
    fields: Mapping[type, Form] = field(repr=False, compare=False)
    """Type of SQLite's value -> how PostgreSQL sends it, or a ``MisfitError``."""
    texts: Mapping[type, Form] = field(repr=False, compare=False)
    """Type of SQLite's value -> how it is written for COPY; asked only for what fits."""
    sent: LiteralString = "{}"
    """SQL that makes a column's value the one of ``fields``."""
    reads: str = ""
    """What numbers in a column of dates are: unix, unix_ms or julian; empty where each tells by itself."""

    def field(self, value: Any) -> bytes:
        """How PostgreSQL sends the value.

        Raises:
            MisfitError: the type does not hold it.
        """
        return self.sending[type(value)](value)

    @cached_property
    def sending(self) -> Mapping[type, Form]:
        """The form of every type of SQLite's values, NULL and those that do not fit among them."""

        def misfit(value: Any) -> bytes:
            raise MisfitError(f"{_CLASSES[type(value)]} where {self.sql} belongs")

        return {**dict.fromkeys(_CLASSES, misfit), **self.fields, type(None): lambda _: NULL}

    @cached_property
    def writing(self) -> Mapping[type, Form]:
        """The same, as COPY reads it."""
        return {**self.texts, type(None): lambda _: b"\\N"}

    def text(self, value: Any) -> bytes:
        """The value as COPY reads it."""
        return self.writing[type(value)](value)


_LARGEST = 1 << 28
"""PostgreSQL holds 1 GB; as the text of a COPY a byte may be four."""
_CLASSES = {int: "an integer", float: "a real number", str: "a text", bytes: "a BLOB"}
_CLASSES[BadText] = "a text that is not valid in its encoding"
_ESCAPED = re.compile(rb"[\\\t\n\r]")
_ESCAPES = {b"\\": b"\\\\", b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r"}


def _escape(raw: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], raw)


def _sized(raw: bytes) -> bytes:
    if len(raw) > _LARGEST:
        raise MisfitError(f"{len(raw):,} bytes: more than PostgreSQL takes in one value of COPY")
    return _length(len(raw)) + raw


def _printed(value: float) -> bytes:
    return repr(value).encode()


# Whole numbers and those in floating point


def _whole(sql: str, pack: Callable[[int, int], bytes], size: int) -> Kind:
    limit = 1 << (8 * size - 1)

    def send(value: int) -> bytes:
        if not -limit <= value < limit:
            raise MisfitError(f"{value} is beyond {sql}")
        return pack(size, value)

    def send_real(value: float) -> bytes:
        if not (value.is_integer() and abs(value) <= 2.0**53):
            raise MisfitError(f"{value!r} where {sql} belongs")
        return send(int(value))

    # SQLite has no integers beyond 64 bits.
    fast = partial(pack, size) if size == 8 else send
    return Kind(sql, {int: fast, float: send_real}, {int: b"%d".__mod__, float: lambda v: b"%d" % int(v)})


def _double_whole(value: int) -> bytes:
    if float(value) != value:
        raise MisfitError(f"{value} is not exact in double precision")
    return _float8(8, value)


def _double_text(value: float) -> bytes:
    return _INFINITE.get(value) or repr(value).encode()


_INFINITE = {float("inf"): b"Infinity", float("-inf"): b"-Infinity"}


# Decimal numbers: a real number is the shortest decimal that is read as it


def plain(value: float) -> str:
    """A number without exponent, trailing zeros or a negative zero: ``trim_scale(value)::text``."""
    if isinstance(value, int):
        return str(value)
    if value in _INFINITE:
        return _INFINITE[value].decode()
    mantissa, _, exponent = repr(value).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits, point = whole + fraction, len(whole) + int(exponent or 0)
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    text = digits[:point].lstrip("0") or "0"
    rest = digits[point:].rstrip("0")
    text = f"{text}.{rest}" if rest else text
    return text if text == "0" else sign + text


def numeric(precision: int | None = None, scale: int = 0) -> Kind:
    """``numeric``, or with so many digits in all and behind the point."""
    sql = "numeric" if precision is None else f"numeric({precision},{scale})"

    @lru_cache(maxsize=_SEEN)
    def send(value: float) -> bytes:
        text = plain(value)
        if precision is not None:
            whole, _, fraction = text.lstrip("-").partition(".")
            if len(fraction) > scale or len(whole.lstrip("0")) > precision - scale or value in _INFINITE:
                raise MisfitError(f"{text} is beyond {sql}")
        return _sized(text.encode())

    # PostgreSQL reads the exponent itself.
    texts: dict[type, Form] = {int: _printed, float: _double_text}
    return Kind(sql, {int: send, float: send}, texts, "trim_scale({})::text")


# Texts and bytes


def _text_field(value: str) -> bytes:
    if "\0" in value:
        raise MisfitError("a NUL character")
    return _sized(value.encode())


def _characters(sql: str, most: int | None = None, sent: LiteralString = "{}") -> Kind:
    def send(value: str) -> bytes:
        if most is not None and len(value) > most:
            raise MisfitError(f"{len(value):,} characters where {sql} belongs")
        return _text_field(value)

    def send_number(value: float) -> bytes:
        return send(repr(value))

    fields: dict[type, Form] = {str: send, int: send_number, float: send_number}
    texts: dict[type, Form] = {str: lambda v: _escape(v.encode()), int: _printed, float: _printed}
    return Kind(sql, fields, texts, sent)


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    return value.encode() if isinstance(value, str) else repr(value).encode()


def _bytea() -> Kind:
    every = (bytes, BadText, str, int, float)
    return Kind(
        "bytea",
        dict.fromkeys(every, lambda v: _sized(_bytes_of(v))),
        dict.fromkeys(every, lambda v: b"\\\\x" + _bytes_of(v).hex().encode()),
    )


# Truth


_TRUTH: dict[Any, bool] = {0: False, 1: True, "false": False, "true": True, "f": False, "t": True}


def _truth(value: Any) -> bool:
    found = _TRUTH.get(value.lower() if isinstance(value, str) else value)
    if found is None:
        raise MisfitError(f"{value!r} is neither true nor false")
    return found


_BOOLEAN = Kind(
    "boolean",
    dict.fromkeys((int, str), lambda v: b"\0\0\0\1\1" if _truth(v) else b"\0\0\0\1\0"),
    {int: lambda v: b"t" if v else b"f", str: str.encode},
)


# Dates and times


def _checked(reading: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        try:
            return reading(value)
        except ValueError as error:
            raise MisfitError(f"{value!r:.40}: {error}") from None

    return read


_moment = lru_cache(maxsize=_SEEN)(_checked(instants.read))
_clock = _checked(instants.read_clock)


def _date_field(value: str) -> bytes:
    moment = _moment(value)
    if not moment.dated:
        raise MisfitError(f"{value!r}: a time beside the date")
    return _int4(4, moment.days)


def _timestamp_field(value: str) -> bytes:
    moment = _moment(value)
    if moment.offset is not None:
        raise MisfitError(f"{value!r}: a time zone")
    return _int8(8, moment.days * _DAY + moment.micros)


def _instant_field(value: str) -> bytes:
    moment = _moment(value)
    return _int8(8, moment.days * _DAY + moment.micros - (moment.offset or 0))


def timestamptz(reads: str = "") -> Kind:
    """An instant: texts without a zone are UTC; numbers are what ``reads`` says, or what they look like."""

    def number(value: float) -> int:
        if reads == "julian" or (not reads and isinstance(value, float) and instants.is_julian(value)):
            return instants.julian(value)
        return instants.unix(value, per_second=1000 if reads == "unix_ms" else 1)

    checked = _checked(number)
    fields: dict[type, Form] = dict.fromkeys((int, float), lambda v: _int8(8, checked(v)))
    texts: dict[type, Form] = dict.fromkeys((int, float), lambda v: instants.shown(number(v)).encode())
    # The text goes as SQLite has it; without a zone the session's is taken, which is UTC.
    return Kind(
        "timestamp with time zone",
        {str: _instant_field, **fields},
        {str: lambda v: v.replace("T", " ").encode(), **texts},
        reads=reads,
    )


_DATE = Kind("date", {str: _date_field}, {str: str.encode})
_TIMESTAMP = Kind(
    "timestamp without time zone", {str: _timestamp_field}, {str: lambda v: v.replace("T", " ").encode()}
)
_TIME = Kind("time without time zone", {str: lambda v: _int8(8, _clock(v))}, {str: str.encode})


# Identifiers and documents


def _uuid_field(value: str) -> bytes:
    try:
        found = uuid.UUID(value)
    except ValueError:
        found = None
    if found is None or str(found) != value:
        raise MisfitError(f"{value!r:.60} is no UUID in its usual form")
    return _sized(found.bytes)


def _json_field(value: str) -> bytes:
    try:
        return _sized(jsonb.canonical(value)[0].encode())
    except jsonb.BadJsonError as error:
        raise MisfitError(str(error)) from None


BIGINT = _whole("bigint", _int8, 8)
DOUBLE = Kind(
    "double precision",
    {float: partial(_float8, 8), int: _double_whole},
    {float: _double_text, int: _printed},
)
NUMERIC = numeric()
TEXT = _characters("text")
BYTEA = _bytea()
BOOLEAN = _BOOLEAN
DATE, TIMESTAMP, TIMESTAMPTZ, TIME = _DATE, _TIMESTAMP, timestamptz(), _TIME
UUID = Kind("uuid", {str: _uuid_field}, {str: str.encode})
JSONB = Kind("jsonb", {str: _json_field}, {str: lambda v: _escape(v.encode())}, "{}::text")

_NAMED = {
    **{kind.sql: kind for kind in (BIGINT, DOUBLE, NUMERIC, TEXT, BYTEA, BOOLEAN, DATE, TIMESTAMP)},
    **{kind.sql: kind for kind in (TIMESTAMPTZ, TIME, UUID, JSONB)},
    "integer": _whole("integer", _int4, 4),
    "smallint": _whole("smallint", _int2, 2),
    "int": _whole("integer", _int4, 4),
    "float8": DOUBLE,
    "decimal": NUMERIC,
    "bool": BOOLEAN,
    "timestamp": TIMESTAMP,
    "timestamptz": TIMESTAMPTZ,
    "time": TIME,
    "citext": _characters("citext", sent="{}::text"),
}
READINGS = ("unix", "unix_ms", "julian")


def named(text: str, reads: str = "") -> Kind:
    """The type somebody asks for by name.

    Raises:
        ConfigError: it is none of those that can be proved.
    """
    name = " ".join(text.lower().split())
    if reads and reads not in READINGS:
        raise ConfigError(
            f"{reads!r} is no reading of numbers as dates", hint=f"one of {', '.join(READINGS)}"
        )
    if reads and name not in {"timestamptz", "timestamp with time zone"}:
        raise ConfigError(f"reads = {reads!r} needs the type timestamptz, not {text}", hint="change either")
    if reads:
        return timestamptz(reads)
    if sized := re.fullmatch(r"(?:numeric|decimal) ?\( ?(\d{1,4}) ?(?:, ?(\d{1,4}) ?)?\)", name):
        return numeric(int(sized[1]), int(sized[2] or 0))
    if sized := re.fullmatch(r"(?:varchar|character varying) ?\( ?(\d{1,8}) ?\)", name):
        return _characters(f"character varying({sized[1]})", int(sized[1]))
    if name not in _NAMED:
        raise ConfigError(
            f"the type {text!r} is not among those that can be proved",
            hint=f"one of {', '.join(sorted(_NAMED))}, numeric(P,S), varchar(N)",
        )
    return _NAMED[name]
