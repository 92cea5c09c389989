"""What we compute for a JSON text against what PostgreSQL itself prints and refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import example, given

from gymops.eventlog.jsonb import MAX_DEPTH, BadJsonError, Payloads, canonical
from gymops.pg import embedded
from tests.contract.strategies import FEW, JSON_TEXTS, NUMBERS, flat_objects, many

Print = Callable[[str], str | None]
"""The text of a JSONB value, None when it is refused."""


@pytest.fixture
def printed(any_server: embedded.Server) -> Iterator[Print]:
    with psycopg.connect(any_server.url("postgres"), autocommit=True) as connection:

        def ask(text: str) -> str | None:
            try:
                row = connection.execute("SELECT %s::jsonb::text", (text,)).fetchone()
            except psycopg.DataError:
                return None
            assert row is not None
            return str(row[0])

        yield ask


def ours(text: str) -> str | None:
    try:
        return canonical(text)[0]
    except BadJsonError:
        return None


def check(text: str, printed: Print) -> None:
    expected = printed(text)
    assert ours(text) == expected
    payloads = Payloads()
    for _ in range(2):  # learning the shape, then by the shape
        try:
            assert payloads.canonical("SetLogged", text) == expected
        except BadJsonError:
            assert expected is None


@FEW
@given(text=JSON_TEXTS)
@example(text=r'{"a": "\u0000", "a": 1}')
@example(text=r'{"a": {"b": "\ud800"}, "a": 1}')
@example(text='{"a": 1e999999, "a": 1}')
@example(text=r'["\ud83d\ude00", "\ud83d\ud83d\ude00"]')
@example(text='{"b": 1, "aa": 2, "a": 3, "é": 4}')
def test_any_text_is_printed_or_refused_as_postgres_does(text: str, printed: Print) -> None:
    check(text, printed)


@FEW
@given(texts=flat_objects())
def test_a_learned_shape_prints_as_postgres_does(texts: list[str], printed: Print) -> None:
    payloads = Payloads()
    for text in [*texts, *texts]:
        expected = printed(text)
        try:
            assert payloads.canonical("SetLogged", text) == expected
        except BadJsonError:
            assert expected is None


@FEW
@given(text=NUMBERS)
def test_any_number_is_printed_or_refused_as_postgres_does(text: str, printed: Print) -> None:
    assert ours(text) == printed(text)


def test_numbers_at_the_limits_of_numeric(printed: Print) -> None:
    whole = [f"{head}e{n}" for n in (131_070, 131_071, 131_072) for head in ("1", "12.5", "0.01", "-9.99")]
    whole += ["9" * n for n in (131_071, 131_072, 131_073)]
    whole += [f"9{'0' * n}.5e-1" for n in (131_071, 131_072)]
    small = [
        f"{head}e-{n}" for n in (16_382, 16_383, 16_384) for head in ("1", "0", "0.0", "12.5", "-0", "100")
    ]
    small += ["0." + "1" * n for n in (16_382, 16_383, 16_384)]
    zeros = [f"{head}e{n}" for n in (10**9, 1_073_741_822, 2**31, 10**12) for head in ("0", "-0.00", "1")]
    zeros += ["1e" + "0" * 5000 + "1", "1e-" + "0" * 5000 + "1", "0e-1073741822", "-0e-3", "-0.000"]
    for text in whole + small + zeros:
        assert ours(text) == printed(text), text[:40]


def test_every_character_of_a_string(printed: Print) -> None:
    for code in (*range(1, 0x180), 0x2028, 0xFEFF, 0xFFFE, 0xFFFF, 0x10000, 0x10FFFF):
        assert ours(f'"{chr(code)}"') == printed(f'"{chr(code)}"')
        assert ours(f'"\\u{code & 0xFFFF:04x}"') == printed(f'"\\u{code & 0xFFFF:04x}"')
    for code in (0, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000):
        assert ours(f'["\\u{code:04X}"]') == printed(f'["\\u{code:04X}"]')
        assert ours(f'{{"\\u{code:04X}": 1}}') == printed(f'{{"\\u{code:04X}": 1}}')


def test_nesting_up_to_our_limit(printed: Print) -> None:
    for depth in (MAX_DEPTH - 1, MAX_DEPTH):
        for text in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            assert ours(text) == printed(text)
    deeper = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    assert (ours(deeper), printed(deeper)) == (None, deeper)


@many()
@given(text=JSON_TEXTS)
def test_many_texts(text: str, printed: Print) -> None:
    check(text, printed)


@many()
@given(texts=flat_objects())
def test_many_shapes(texts: list[str], printed: Print) -> None:
    payloads = Payloads()
    for text in [*texts, *texts]:
        try:
            assert payloads.canonical("SetLogged", text) == printed(text)
        except BadJsonError:
            assert printed(text) is None
