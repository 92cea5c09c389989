"""What the property tests draw: JSON texts good and bad, and rows of a SQLite log good and bad."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T", bound=Callable[..., None])

FEW = settings(
    derandomize=True,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""The same few examples each time, for the default run."""


def many(examples: int = 1_500) -> Callable[[T], T]:
    """A property test with so many examples in the soak, and a third of them in the long tests."""
    drawn = settings(FEW, max_examples=examples if "SOAK" in os.environ else examples // 3)

    def apply(test: T) -> T:
        marked: T = pytest.mark.long(pytest.mark.many(drawn(test)))
        return marked

    return apply


SCALARS: SearchStrategy[str] = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
"""What UTF-8 and PostgreSQL's text both hold."""
TEXTS = st.text(SCALARS, max_size=12)
NAMES = st.one_of(
    st.sampled_from(["default", "auth0|000001", "b", "a", "Z", "é", "e\u0301", "\uffff", "\U00010000"]), TEXTS
)

_SHORT_ESCAPES = st.sampled_from([r"\b", r"\f", r"\n", r"\r", r"\t", r"\"", r"\\", r"\/"])
_CODE_ESCAPES = st.one_of(
    st.integers(0, 0xFFFF).map("\\u{:04x}".format),
    st.integers(0, 0xFFFF).map("\\u{:04X}".format),
    st.characters(exclude_categories=["Cs"], min_codepoint=0x10000).map(json.dumps).map(lambda s: s[1:-1]),
    st.sampled_from([r"\u0000", r"\u0001", r"\u001f", r"\u007f", r"\ud83d", r"\ude00", r"\\u0000"]),
)
_RAW = SCALARS.filter(lambda c: c not in '"\\' and c >= " ")
_STRING_PARTS = st.one_of(_RAW, _RAW, _SHORT_ESCAPES, _CODE_ESCAPES)
_BAD_STRINGS = st.sampled_from(
    ['"', '"a', r'"\x41"', r'"\u12"', r'"\u12g4"', r'"\u_123"', '"a\tb"', '"a\nb"', '"\x1f"', "'a'", r'"\"']
)
_strings = st.lists(_STRING_PARTS, max_size=6).map(lambda parts: '"' + "".join(parts) + '"')
_keys = st.one_of(st.sampled_from(['"a"', '"b"', '"aa"', '"é"', r'"\u0061"', '"%s"', '"%"']), _strings)

_digits = st.text("0123456789", min_size=1, max_size=24)
_whole = st.one_of(st.just("0"), st.builds(str.__add__, st.sampled_from("123456789"), _digits))
_fraction = st.one_of(st.just(""), _digits.map(".{}".format), st.sampled_from([".0", ".00", ".50"]))
_exponent = st.one_of(
    st.just(""),
    st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 40)),
    st.builds("e{}{}".format, st.sampled_from(["", "-", "-0", "+00"]), st.integers(0, 10**11)),
    st.builds("e{}{}".format, st.sampled_from(["", "-"]), st.integers(16_300, 16_400)),
    st.builds("e{}".format, st.integers(131_060, 131_080)),
)
NUMBERS = st.builds("{}{}{}{}".format, st.sampled_from(["", "-"]), _whole, _fraction, _exponent)
_BAD_ATOMS = st.sampled_from(
    [
        "",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "-01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "nul",
        "True",
        "None",
        "undefined",
        "//",
        "/**/1",
        "\ufeff1",
        "१",
        "1\uff11",
        "[1,]",
        '{"a":1,}',
        "{a:1}",
        '{"a"}',
        '{"a":}',
        "{1:2}",
        "[1 2]",
        "]",
        "[",
        "{",
        "}",
        "[}",
        '{"a":1 "b":2}',
        "1 2",
    ]
)
_blank = st.sampled_from(["", "", "", " ", "\n", "\t ", "\r\n"])
_bad_blank = st.sampled_from(["\f", "\v", "\u00a0", "\u2028", "\ufeff"])


def _list(items: SearchStrategy[str], around: tuple[str, str], size: int) -> SearchStrategy[str]:
    return st.lists(items, max_size=size).map(lambda all_: around[0] + ",".join(all_) + around[1])


def _nested(values: SearchStrategy[str], blank: SearchStrategy[str]) -> SearchStrategy[str]:
    item = st.tuples(blank, values, blank).map("".join)
    member = st.tuples(blank, _keys, blank, st.just(":"), item).map("".join)
    return st.one_of(_list(item, ("[", "]"), 4), _list(member, ("{", "}"), 6))


_literals = st.sampled_from(["true", "false", "null"])
_good_atoms = st.one_of(NUMBERS, _strings, _literals)
VALID_SHAPES = st.recursive(_good_atoms, lambda inner: _nested(inner, _blank), max_leaves=14)
"""Follows JSON's grammar; JSONB may still refuse it, for a number or an escape it cannot hold."""

_ANY_SHAPES = st.recursive(
    st.one_of(_good_atoms, _good_atoms, _BAD_ATOMS, _BAD_STRINGS),
    lambda inner: _nested(inner, st.one_of(_blank, _blank, _blank, _bad_blank)),
    max_leaves=10,
)


@st.composite
def _broken(draw: st.DrawFn) -> str:
    """A JSON text with one character too many, too few or another."""
    text = draw(VALID_SHAPES)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.one_of(st.just(""), SCALARS)) + text[at + draw(st.integers(0, 1)) :]


JSON_TEXTS = st.one_of(VALID_SHAPES, VALID_SHAPES, _ANY_SHAPES, _broken(), TEXTS)
"""Any text where JSON is expected."""

_plain_values = st.one_of(
    _list(_RAW, ('"', '"'), 6).map(lambda s: s.replace(",", "")),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.integers().map(str),
    _literals,
)


@st.composite
def flat_objects(draw: st.DrawFn) -> list[str]:
    """Several objects with the same keys, as an app writes them: some plain, some not."""
    names = draw(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=45, unique=True)
    )
    dumped = [json.dumps(name, ensure_ascii=draw(st.booleans())) for name in names]
    colon, comma = draw(st.sampled_from([(": ", ", "), (":", ","), (" :", ",")]))
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        values = [draw(st.one_of(_plain_values, _plain_values, _good_atoms)) for _ in dumped]
        rows.append("{" + comma.join(k + colon + v for k, v in zip(dumped, values, strict=True)) + "}")
    return rows


_MOMENTS = st.one_of(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001
    st.sampled_from([datetime(1, 1, 2), datetime(9999, 12, 30, 23, 59, 59, 999999), datetime(2000, 1, 1)]),  # noqa: DTZ001
).map(lambda moment: moment.replace(tzinfo=UTC))
_OFFSETS = st.one_of(
    st.sampled_from(["", "Z", "z", " UTC", "UTC", "+00", "+00:00", "-00:00"]).map(
        lambda text: (timedelta(), text)
    ),
    st.builds(
        lambda minutes, style: (timedelta(minutes=minutes), _zone(minutes, style)),
        st.integers(-15 * 60 - 59, 15 * 60 + 59),
        st.sampled_from([":", ""]),
    ),
)


def _zone(minutes: int, colon: str) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"


@st.composite
def timestamps(draw: st.DrawFn) -> tuple[str, datetime]:
    """A moment as some program writes it, and the moment."""
    moment = draw(_MOMENTS)
    offset, zone = draw(_OFFSETS)
    local = moment.astimezone(timezone(offset))
    kind = draw(st.sampled_from(["micro", "milli", "second", "minute", "long"]))
    text = f"{local.year:04}-{local:%m-%d}{draw(st.sampled_from('Tt '))}{local:%H:%M}"
    if kind == "minute":
        return text + zone, moment.replace(second=0, microsecond=0)
    text += f":{local:%S}"
    if kind == "second":
        return text + zone, moment.replace(microsecond=0)
    digits = f"{local:%f}"
    if kind == "milli":
        digits, moment = digits[:3], moment.replace(microsecond=int(digits[:3]) * 1000)
    if kind == "long":
        digits += "000"
    return text + draw(st.sampled_from([".", ".", ","])) + digits + zone, moment


_BAD_TIMES = st.sampled_from(
    [
        "",
        "now",
        "infinity",
        "2026-02-30T10:00:00Z",
        "2026-01-01",
        "2026-01-01T24:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-01-01T10:00:60Z",
        "2026-01-01T10:00:00.0000001Z",
        "2026-13-01T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "2026-01-01T10:00:00+16:00",
        "2026-01-01T10:00:00Z\n",
        "2026-00-10T10:00:00.000000Z",
        "2026-02-29T10:00:00.000000Z",
        "0000-01-01T00:00:00.000000Z",
    ]
)
ODD = st.one_of(
    st.none(), st.binary(max_size=6), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)
"""What SQLite may hold in any column."""

EVENT_IDS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda value: str(value).upper()),
    st.integers(0, 9),
    st.sampled_from(["1", "2", "", "not-a-uuid", "00000000-0000-0000-0000-000000000000"]),
    TEXTS,
)
TIMES: SearchStrategy[Any] = st.one_of(
    timestamps().map(lambda pair: pair[0]),
    st.integers(10**8, 10**10 - 1),
    st.integers(10**8, 10**10 - 1).map("{}.25".format),
    _BAD_TIMES,
)
VERSIONS = st.one_of(st.just(1), st.integers(0, 2**31 - 1), st.none(), st.sampled_from([-1, 2**31]))


def rows() -> SearchStrategy[tuple[Any, ...]]:
    """(event_id, timestamp, event_type, payload, schema_version), most of them good."""

    def mostly(good: SearchStrategy[Any]) -> SearchStrategy[Any]:
        return st.integers(0, 19).flatmap(lambda dice: ODD if dice == 0 else good)

    return st.tuples(
        mostly(EVENT_IDS),
        mostly(st.one_of(timestamps().map(lambda pair: pair[0]), TIMES)),
        mostly(st.one_of(st.sampled_from(["SetLogged", "WorkoutStarted"]), NAMES, st.just("a\0b"))),
        mostly(st.one_of(VALID_SHAPES, VALID_SHAPES, JSON_TEXTS)),
        mostly(st.one_of(st.just(1), VERSIONS)),
    )
