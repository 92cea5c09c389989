"""From a transcript to words: lower case, digits apart from letters, each knowing where it stood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_WORDS = 60

_HALVES = {"½": ".5", "¼": ".25", "¾": ".75"}
_FRACTION = re.compile(r"(?<=[0-9])\s?([½¼¾])")
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019`", "'") | dict.fromkeys("\u00d7\u2715", " x "))
_TOKEN = re.compile(
    r"[0-9]{1,2}:[0-5][0-9]"  # 1:30
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])"  # 1,000
    r"|[0-9]+(?:[.,][0-9]+)?"  # 80, 62.5, 62,5
    r"|(?<![^\s(])[-\N{MINUS SIGN}](?=\s?[0-9])"  # a minus sign, not the hyphen of pull-up or 8-10
    r"|[^\W\d_]+(?:'[^\W\d_]+)*"
    r"|[@+*%?/=<>~]"
)
_MEANING = {"@": "at", "*": "x", "+": "plus", "-": "minus", "\N{MINUS SIGN}": "minus"}
_MARKS = " ,.:;-!"


@dataclass(frozen=True)
class Word:
    """A word as it is looked up, and where it stands in the cleaned transcript."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """A transcript, cleaned, with its words."""

    raw: str
    words: tuple[Word, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The words alone."""
        return tuple(word.text for word in self.words)

    def after(self, count: int) -> str:
        """What was said after the first ``count`` words, as it was written."""
        if count >= len(self.words):
            return ""
        start = self.words[count - 1].end if count else 0
        return self.raw[start:].strip(_MARKS)

    def between(self, first: int, last: int) -> str:
        """Words ``first`` up to ``last``, as they were written."""
        return self.raw[self.words[first].start : self.words[last - 1].end]

    def breaks(self, count: int) -> bool:
        """Whether a comma or the like stands after the first ``count`` words."""
        return self.raw[self.words[count - 1].end :].lstrip()[:1] in set(",.:;-!")


def sentence(transcript: str) -> Sentence:
    """The transcript's words. Nothing that could change a number's meaning is dropped in silence."""
    raw = _clean(transcript)
    words = tuple(_word(match) for match in _TOKEN.finditer(raw))
    return Sentence(raw, words)


def _clean(transcript: str) -> str:
    halved = _FRACTION.sub(lambda match: _HALVES[match[1]], transcript)
    plain = unicodedata.normalize("NFKC", halved).translate(_QUOTES)
    return " ".join("".join(map(_character, plain)).split())


def _character(char: str) -> str:
    """Every script's digits count: "٨٠ for 10" without its 80 would be another set. What no text has
    (control characters, half a surrogate pair) is a space."""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return " " if unicodedata.category(char).startswith("C") else char


def _word(match: re.Match[str]) -> Word:
    text = match[0].lower()
    if text[0].isdigit() and "," in text:
        thousands = len(text.rsplit(",", 1)[1]) == 3
        text = text.replace(",", "" if thousands else ".")
    return Word(_MEANING.get(text, text), match.start(), match.end())
