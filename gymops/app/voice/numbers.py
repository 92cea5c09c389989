"""Numbers as people say them: "one thirty five", "one oh five", "sixty two and a half"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_DIGIT = {word: value for value, word in enumerate(_DIGITS)} | {"won": 1, "ate": 8}
_TEEN = {word: value for value, word in enumerate([*_TEENS, "eighteen", "nineteen"], start=10)} | {
    "dozen": 12
}
_TEN = {word: value for value, word in enumerate(_TENS, start=2)} | {"fourty": 4}
_NOUGHT = {"oh", "o", "zero"}
_PARTS = {("half",): 0.5, ("a", "half"): 0.5, ("a", "quarter"): 0.25, ("three", "quarters"): 0.75}
_SOUNDS = {"for": "four", "fore": "four", "to": "two", "too": "two"}
"""Words that may have been numbers. Only as a number's last word: "to eighty" is not 280."""

_LONGEST = 9
_TOO_LONG = 1e9
"""Stands for any number of more digits than a gym needs."""

WORDS = frozenset([*_DIGIT, *_TEEN, *_TEN, *_NOUGHT, "hundred", "thousand", "point", "half", "quarter"])


def is_number(word: str) -> bool:
    """Whether a word is a number or, of one word, certainly part of one."""
    return word in WORDS or word[0].isdigit()


def numbers(words: Sequence[str], start: int) -> Iterator[tuple[float, int, bool]]:
    """Every number the words from ``start`` on can begin with: value, end, whether a word was bent.

    "eighty four" is 84, and 80 with something after it. Bent means a word was taken for another of the
    same sound: "for" for "four".
    """
    for end in range(start + 1, min(start + _LONGEST, len(words)) + 1):
        last = words[end - 1]
        if not (is_number(last) or last in _SOUNDS or last in {"a", "and", "three", "quarters"}):
            return
        phrase = tuple(words[start:end])
        exact = value(phrase)
        if exact is not None:
            yield exact, end, False
        elif last in _SOUNDS:
            bent = value((*phrase[:-1], _SOUNDS[last]))
            if bent is not None:
                yield bent, end, True


@lru_cache(maxsize=4096)
def value(words: tuple[str, ...]) -> float | None:
    """The number these words are, all of them; None if they are none."""
    for size in (3, 2):
        part = _PARTS.get(words[-size + 1 :]) if len(words) > size and words[-size] == "and" else None
        if part:
            whole = _decimal(words[:-size])
            return None if whole is None else whole + part
    return _decimal(words)


def _decimal(words: tuple[str, ...]) -> float | None:
    if "point" not in words:
        return _whole(words)
    at = words.index("point")
    whole = _whole(words[:at]) if at else 0.0
    digits = [_fraction_digit(word) for word in words[at + 1 :]]
    if whole is None or not digits or None in digits:
        # "point twenty five"
        two = _below_100(words[at + 1 :])
        if whole is None or two is None or two < 10:
            return None
        return whole + two / 100
    return float(f"{whole:.0f}.{''.join(map(str, digits))}")


def _fraction_digit(word: str) -> int | None:
    if word in _NOUGHT:
        return 0
    return int(word) if word.isdigit() and len(word) == 1 else _DIGIT.get(word)


def _whole(words: tuple[str, ...]) -> float | None:
    if "thousand" in words:
        at = words.index("thousand")
        thousands = _below_1000(words[:at]) if words[:at] not in ((), ("a",)) else 1.0
        rest = _below_1000(_without_and(words[at + 1 :])) if words[at + 1 :] else 0.0
        return None if thousands is None or rest is None else thousands * 1000 + rest
    return _below_1000(words)


def _below_1000(words: tuple[str, ...]) -> float | None:
    if len(words) == 1 and words[0][0].isdigit():
        return _literal(words[0])
    if "hundred" in words:
        at = words.index("hundred")
        hundreds = _DIGIT.get(words[0]) if at == 1 else None
        if at == 0 or words[:at] == ("a",):
            hundreds = 1
        if at == 1 and words[0].isdigit() and len(words[0]) == 1:
            hundreds = int(words[0])
        rest = _below_100(_without_and(words[at + 1 :])) if words[at + 1 :] else 0
        return None if not hundreds or rest is None else hundreds * 100.0 + rest
    small = _below_100(words)
    if small is not None:
        return float(small)
    return _shortened(words)


def _shortened(words: tuple[str, ...]) -> float | None:
    """ "one thirty five" and "one oh five": the hundred goes without saying."""
    if len(words) < 2 or not _DIGIT.get(words[0]):
        return None
    hundreds = _DIGIT[words[0]] * 100.0
    if len(words) == 3 and words[1] in _NOUGHT and _DIGIT.get(words[2]):
        return hundreds + _DIGIT[words[2]]
    rest = _below_100(words[1:])
    return hundreds + rest if rest is not None and rest >= 10 else None


def _below_100(words: tuple[str, ...]) -> int | None:
    if len(words) == 1:
        word = words[0]
        return _DIGIT.get(word, _TEEN.get(word, _TEN[word] * 10 if word in _TEN else None))
    if len(words) == 2 and words[0] in _TEN and _DIGIT.get(words[1]):
        return _TEN[words[0]] * 10 + _DIGIT[words[1]]
    return None


def _without_and(words: tuple[str, ...]) -> tuple[str, ...]:
    return words[1:] if words[:1] == ("and",) and len(words) > 1 else words


def _literal(word: str) -> float | None:
    if not word.replace(".", "", 1).isdigit():
        return None
    return float(word) if len(word) <= 9 else _TOO_LONG
