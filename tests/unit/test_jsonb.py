"""JSONB's text: hand-checked examples, what is refused and why, and the fast path against the exact one."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from hypothesis import given

from gymops.eventlog import jsonb
from gymops.eventlog.jsonb import BadJsonError, Payloads, canonical, number
from tests.contract.strategies import FEW, JSON_TEXTS, flat_objects, many


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (' { "b" : 1 , "a" : [ ] } ', '{"a": [], "b": 1}'),
        ('{"bb":1,"c":2,"é":3,"a":4}', '{"a": 4, "c": 2, "bb": 1, "é": 3}'),
        ('{"a":1,"b":{},"a":2}', '{"a": 2, "b": {}}'),
        (r'"\u0041\/\u00e9\ud83d\ude00\u007f"', '"A/é😀\x7f"'),
        (r'"\u001f\b\f\n\r\t\"\\"', r'"\u001f\b\f\n\r\t\"\\"'),
        ("[true,false,null]", "[true, false, null]"),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_the_text_of_a_value(text: str, expected: str) -> None:
    assert canonical(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("62.5", "62.5"),
        ("62.50", "62.50"),
        ("6.250e1", "62.50"),
        ("1E+2", "100"),
        ("1.5e-3", "0.0015"),
        ("0.00e1", "0.0"),
        ("0e5", "0"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("-0.1", "-0.1"),
        ("12345678901234567890.1", "12345678901234567890.1"),
        ("0e1073741822", "0"),
        ("1e0000000000000000001", "10"),
    ],
)
def test_the_text_of_a_number(text: str, expected: str) -> None:
    assert number(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"weight": NaN}', "NaN, which is no JSON"),
        ("[-Infinity]", "-Infinity, which is no JSON"),
        ("", "invalid JSON"),
        ("01", "invalid JSON"),
        ("[1,]", "invalid JSON"),
        ('"a\nb"', "invalid JSON"),
        ("\0", "invalid JSON"),
        (r'{"a": "\u0000"}', r"\u0000, which JSONB cannot hold"),
        (r'{"\u0000": 1}', r"\u0000, which JSONB cannot hold"),
        (r'{"a": "\u0000", "a": 1}', r"\u0000, which JSONB cannot hold"),
        (r'"\ude00\ud83d"', "a lone surrogate, which JSONB cannot hold"),
        ("1e131072", "a number beyond what JSONB holds"),
        ("1e-16384", "a number beyond what JSONB holds"),
        ("0e1073741823", "a number beyond what JSONB holds"),
        ("1e" + "9" * 5000, "a number beyond what JSONB holds"),
        ("[" * 513 + "]" * 513, "nested deeper than 512 levels"),
        ("[" * 100_000, "nested deeper than 512 levels"),
    ],
)
def test_what_jsonb_cannot_hold_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadJsonError, match="^" + reason.replace("\\", r"\\")):
        canonical(text)


def test_a_text_larger_than_jsonb_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonb, "MAX_BYTES", 40)
    assert canonical('"' + "a" * 38 + '"')
    with pytest.raises(BadJsonError, match="larger than JSONB holds"):
        canonical('"' + "é" * 20 + '"')


def test_brackets_in_strings_are_not_depth() -> None:
    text = '["' + "[" * 600 + r"\"{" + '", "' + "]" * 600 + '"]'
    assert canonical(text)[0] == text


def test_hostile_texts_are_refused_in_linear_time() -> None:
    started = time.process_time()
    brackets = "[" + "[]," * 600
    for text in (brackets + '"' + '\\"' * 100_000, brackets + '"\\' * 100_000, brackets + '"' * 100_001):
        with pytest.raises(BadJsonError):
            canonical(text)
    assert time.process_time() - started < 5


def _deep(levels: int, text: str) -> Any:
    return canonical(text) if levels == 0 else _deep(levels - 1, text)


def test_the_caller_s_own_stack_does_not_matter() -> None:
    text = '{"a":[' * 256 + "]}" * 256
    room = sys.getrecursionlimit() - 150 - len(_frames())
    assert _deep(room, text) == canonical(text)


def _frames() -> list[Any]:
    frames: list[Any] = []
    frame: Any = sys._getframe()
    while frame:
        frames.append(frame)
        frame = frame.f_back
    return frames


def test_repeated_keys_are_noticed_at_any_level() -> None:
    assert canonical('{"a": 1, "a": 2}') == ('{"a": 2}', True)
    assert canonical('[{"a": {"b": 1, "b": 1}}]') == ('[{"a": {"b": 1}}]', True)
    assert canonical('[{"a": 1}, {"a": 1}]') == ('[{"a": 1}, {"a": 1}]', False)
    payloads = Payloads()
    for _ in range(3):
        payloads.canonical("SetLogged", '{"a": 1, "a": 2}')
        payloads.canonical("SetLogged", '{"a": 1}')
    assert payloads.repeated == 3


def _same(payloads: Payloads, text: str) -> None:
    try:
        expected = canonical(text)[0]
    except BadJsonError:
        with pytest.raises(BadJsonError):
            payloads.canonical("SetLogged", text)
    else:
        assert payloads.canonical("SetLogged", text) == expected


@FEW
@given(texts=flat_objects())
def test_the_fast_path_gives_the_exact_text(texts: list[str]) -> None:
    payloads = Payloads()
    for text in [*texts, *texts]:
        _same(payloads, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"%": 1, "%s": 2, "%(a)s": 3, "%%": 4}',
        r'{"\"": 1, "\\": 2, "\n": 3, ".*": 4, "(?P<a>": 5}',
        '{"ключ": "й", "é": "e\u0301", "\U00010000": "\x7f"}',
        "{" + ", ".join(f'"k{i}": {i}' for i in range(40)) + "}",
        "{" + ", ".join(f'"k{i}": {i}' for i in range(41)) + "}",
        '{"a": "{}[]"}',
        '{"a": ""}',
        "{}",
        "[]",
        '"{"',
        '{"a" :1}',
        '{"a": -0}',
        '{"a": 1' + "0" * 150 + "}",
    ],
)
def test_odd_keys_and_shapes_are_learned_right_or_not_at_all(text: str) -> None:
    payloads = Payloads()
    for _ in range(3):
        _same(payloads, text)


def test_what_looks_like_a_learned_shape_but_is_no_json_is_refused() -> None:
    payloads = Payloads()
    payloads.canonical("SetLogged", '{"a": 1, "b": "x"}')
    for bad in (
        '{"a": 01, "b": "x"}',
        '{"a": 1, "b": "\t"}',
        '{"a": 1, "b": "x"} x',
        '{"a": 1,  "b": "x\\"}',
    ):
        with pytest.raises(BadJsonError):
            payloads.canonical("SetLogged", bad)


def test_a_learned_shape_spares_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = Payloads()
    payloads.canonical("SetLogged", '{"reps": 5, "kg": 62.50}')
    monkeypatch.setattr(jsonb, "canonical", None)
    assert payloads.canonical("SetLogged", '{"reps": 8, "kg": 60}') == '{"kg": 60, "reps": 8}'


def test_memory_stays_flat_when_every_event_has_a_type_or_a_shape_of_its_own() -> None:
    payloads = Payloads()
    for i in range(2_000):
        payloads.canonical(f"type {i}", '{"a": 1}')
        payloads.canonical("SetLogged", f'{{"key {i}": 1}}')
    assert len(payloads._shapes) <= 256
    assert len(payloads._tries) <= 256
    assert max(map(len, payloads._shapes.values())) <= 4


def test_nested_payloads_are_parsed_once_only(monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = Payloads()
    monkeypatch.setattr("json.loads", None)
    assert payloads.canonical("WorkoutCompleted", '{"sets": [{"reps": 5}]}') == '{"sets": [{"reps": 5}]}'


def test_shapes_are_given_up_where_looking_for_them_is_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(jsonb, "_shape", looked.append)
    payloads = Payloads()
    for i in range(1000):
        payloads.canonical("SetLogged", f'{{"a": {i}}}')
    assert len(looked) == 16


@many()
@given(text=JSON_TEXTS, texts=flat_objects())
def test_the_fast_path_gives_the_exact_text_of_anything(text: str, texts: list[str]) -> None:
    payloads = Payloads()
    for one in [*texts, text, text, *texts]:
        _same(payloads, one)
