"""Numbers as they are said: every weight in a gym, both ways people say it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gymops.app.voice.numbers import numbers, value
from gymops.app.voice.tokens import sentence

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
ONES += ["twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NO_NUMBERS = ["", "twelve fifty", "eighty ten", "hundred hundred", "five hundred oh", "point", "and five"]
NO_NUMBERS += ["half", "eighty and", "one and", "twenty thirty", "five and a five", "80 90", "1.2.3", "oh"]
NO_NUMBERS += ["point point five", "bench", "one five", "two two", "five five five"]


def spelled(number: int) -> str:
    """In full: one hundred and thirty five."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{TENS[tens - 2]} {ONES[ones]}" if ones else TENS[tens - 2]
    hundreds, rest = divmod(number, 100)
    return f"{ONES[hundreds]} hundred and {spelled(rest)}" if rest else f"{ONES[hundreds]} hundred"


def shortened(number: int) -> str:
    """As it is said over a bar: one thirty five, one oh five."""
    hundreds, rest = divmod(number, 100)
    if not hundreds or not rest:
        return spelled(number)
    return f"{ONES[hundreds]} {'oh ' if rest < 10 else ''}{spelled(rest)}"


def with_zero(number: int) -> str:
    """One zero five."""
    return shortened(number).replace("oh", "zero")


@pytest.mark.parametrize("say", [spelled, shortened, with_zero, str])
def test_every_whole_number_below_a_thousand(say: Callable[[int], str]) -> None:
    assert [value(tuple(say(number).split())) for number in range(1000)] == list(range(1000))


@pytest.mark.parametrize(
    ("tail", "part"),
    [
        ("and a half", 0.5),
        ("and a quarter", 0.25),
        ("and three quarters", 0.75),
        ("point five", 0.5),
        ("point two five", 0.25),
        ("point twenty five", 0.25),
        ("point oh five", 0.05),
        ("point zero five", 0.05),
    ],
)
def test_parts_of_a_number(tail: str, part: float) -> None:
    for number in range(1, 400):
        for said in (f"{shortened(number)} {tail}", f"{number} {tail}"):
            assert value(tuple(said.split())) == pytest.approx(number + part), said


@pytest.mark.parametrize("words", NO_NUMBERS)
def test_what_is_no_number(words: str) -> None:
    assert value(tuple(words.split())) is None


def test_words_that_may_be_one_number_or_two() -> None:
    assert list(numbers(("eighty", "four", "ten"), 0)) == [(80.0, 1, False), (84.0, 2, False)]
    assert list(numbers(("eighty", "for", "ten"), 0)) == [(80.0, 1, False), (84.0, 2, True)]
    assert list(numbers(("to", "eighty"), 0)) == [(2.0, 1, True)]
    assert list(numbers(("bench", "eighty"), 0)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("80kg x 10", ["80", "kg", "x", "10"]),
        ("80\N{MULTIPLICATION SIGN}10", ["80", "x", "10"]),
        ("62,5 and 1,000 and 1,000,000", ["62.5", "and", "1000", "and", "1000000"]),
        ("62½ 3 ¾", ["62.5", "3.75"]),
        ("pull-ups, 8-10", ["pull", "ups", "8", "10"]),
        ("-5 \N{MINUS SIGN} 5 +5", ["minus", "5", "minus", "5", "plus", "5"]),
        ("1:30 I\u2019m @ 80%", ["1:30", "i'm", "at", "80", "%"]),
        ("٨٠ \uff18\uff10 a\x00b\ud800c", ["80", "80", "a", "b", "c"]),
        ("💪 80", ["80"]),
        ("", []),
    ],
)
def test_a_transcript_in_words(text: str, words: list[str]) -> None:
    assert list(sentence(text).texts) == words
