"""What a sentence says of a set: weight, repetitions, seconds, in any order people say them.

The words are cut into items in every way they allow ("eighty four ten" is 84 and 10, or 80 for 10), each
cut is matched with the orders below, and every reading that fits is handed back with its cost. Cost 0:
every word was taken as it stands. Choosing among several, or asking, is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from gymops.app.voice.context import Unit
from gymops.app.voice.numbers import is_number, numbers

Kind = Literal["bare", "plates", "bodyweight", "more", "less", "same"]

NAME = "<exercise>"
"""Stands in the words where the exercise was named."""

_MOST_ITEMS = 8
_MOST_CUTS = 400


@dataclass(frozen=True)
class Weight:
    """A weight as it was said; ``unit`` is None where none was."""

    kind: Kind
    value: float = 0.0
    unit: Unit | None = None


@dataclass(frozen=True)
class Measure:
    """One reading of a sentence. ``number`` is a number alone, whose meaning the exercise decides;
    ``marked``: the word reps was said, or a unit, so the order is no guess; ``several``: sets, not a set."""

    weight: Weight | None = None
    reps: float | Literal["same"] | None = None
    seconds: float | None = None
    number: float | None = None
    marked: bool = False
    several: bool = False
    crossed: bool = False
    """Said as "3 x 10", which is also how sets of reps are said."""


@dataclass(frozen=True)
class _Item:
    """A piece of a sentence: one letter for its kind, see ``_ORDERS``."""

    kind: str
    value: float = 0.0
    weight: Weight | None = None
    clock: float | None = None


_KG = {"kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "kilogramme", "kilogrammes", "keys", "kay"}
_LB = {"lb", "lbs", "pound", "pounds", "pounder"}
UNITS: dict[str, Unit] = dict.fromkeys(_KG, "kg") | dict.fromkeys(_LB, "lb")  # type: ignore[assignment]
_REPS = {"rep", "reps", "repetition", "repetitions", "raps", "wraps", "times"}
_SECONDS = {"second", "seconds", "sec", "secs", "s"}
_MINUTES = {"minute", "minutes", "min", "mins"}
_PLATES = {"plate", "plates"}
_A_SIDE = [("a", "side"), ("each", "side"), ("per", "side"), ("on", "each", "side"), ("either", "side")]
_MORE = {"plus", "add", "added", "up", "extra"}
_LESS = {"minus", "drop", "dropped", "down", "less", "lose"}
_AFTER_MORE = {"more", "heavier", "extra"}
_AFTER_LESS = {"less", "lighter"}
_FILL = {"i", "did", "just", "got", "hit", "a", "an", "the", "on", "and", "my", "set", "log", "logged"}
_FILL |= {"record", "go", "went", "that's", "it's", "another", "was", "then", "lifted", "managed"}
_FILL |= {"done", "finished", "completed", "performed"}

WORDS = frozenset(
    _KG | _LB | _REPS | _SECONDS | _MINUTES | _PLATES | _MORE | _LESS | _AFTER_MORE | _AFTER_LESS | _FILL
) | {"for", "four", "fore", "to", "too", "at", "with", "of", "x", "by", "buy", "same", "weight", "wait"}
WORDS |= {"hour", "hours", "each", "per", "side", "either", "sets", "again", "bodyweight", "body", "bw"}
WORDS |= {"number", "thing", "bar", "empty", NAME}

_FIXED: list[tuple[tuple[str, ...], _Item]] = [
    (("for",), _Item("f")),
    (("at",), _Item("a")),
    (("with",), _Item("a")),
    (("of",), _Item("a")),
    (("x",), _Item("x")),
    (("times",), _Item("x")),
    (("by",), _Item("x")),
    (("buy",), _Item("x")),
    (("sets",), _Item("T")),
    (("bodyweight",), _Item("w", weight=Weight("bodyweight"))),
    (("body", "weight"), _Item("w", weight=Weight("bodyweight"))),
    (("bw",), _Item("w", weight=Weight("bodyweight"))),
    (("same", "reps"), _Item("R")),
    (("same", "number", "of", "reps"), _Item("R")),
    (("same", "weight"), _Item("w", weight=Weight("same"))),
    (("same", "wait"), _Item("w", weight=Weight("same"))),
    (("same", "again"), _Item("w", weight=Weight("same"))),
    (("same", "thing"), _Item("w", weight=Weight("same"))),
    (("same",), _Item("w", weight=Weight("same"))),
    (("a", "plate"), _Item("w", weight=Weight("plates", 1))),
    (("bar",), _Item("w", weight=Weight("plates", 0))),
    (("empty", "bar"), _Item("w", weight=Weight("plates", 0))),
    (("half", "a", "minute"), _Item("d", 30)),
    (("an", "hour"), _Item("d", 3600)),
]
_COUNTING = [("for",), ("x",), ("times",), ("by",)]
_BY_FIRST: dict[str, list[tuple[tuple[str, ...], _Item]]] = {}
for _words, _item in _FIXED:
    _BY_FIRST.setdefault(_words[0], []).append((_words, _item))

# n a number, w a weight with its unit, r so many reps, R the same reps, d a duration, T "sets";
# f "for", a "at", x "times", o "set of". The groups are named for what they become.
_ORDERS = [
    re.compile(order)
    for order in (
        r"a?(?P<weight>w)[fxa]?(?P<reps>[nrR])",  # 80 kilos for 10; same weight 8 reps
        r"a?(?P<weight>n)[fxa]?(?P<reps>[rR])",  # 80 for 10 reps
        r"a?(?P<weight>n)(fo?|o|x)(?P<reps>n)",  # 80 for 10, 80 for a set of 10
        r"[fo]?(?P<reps>[rR])[axf]?(?P<weight>[wn])",  # 10 reps at 80
        r"[fo]?(?P<reps>n)a(?P<weight>[wn])",  # 10 at 80
        r"(?P<reps>n)[x]?(?P<weight>w)",  # 10 times 80 kilos
        r"(?P<weight>[wn])f?(?P<seconds>d)",  # 20 kilos for 60 seconds
        r"f?(?P<seconds>d)a?(?P<weight>w)",
        r"f?(?P<seconds>d)a(?P<weight>n)",
        r"f?(?P<seconds>d)",
        r"f?(?P<reps>[rR])",
        r"[fo](?P<reps>n)",  # for 10; a set of 10
        r"a?(?P<number>n)",
        r"a?(?P<weight>w)",
        r"a?(?P<weight>[wn])[fxa]",  # 80 for, and then nothing was heard
    )
]
_PAIR = re.compile(r"(?P<one>n)(?P<other>n)")
_SEVERAL = re.compile(r"(?P<sets>n)(T[fxa]?|x)(?P<reps>[nrd])([fxa]?(?P<weight>[nw]))?")


def measures(words: tuple[str, ...]) -> list[tuple[int, Measure]]:
    """Every reading of these words and its cost, the cheapest first; none if they say nothing of a set.

    A pair of bare numbers ("80 10") reads both ways and costs more than taking one word for another.
    """
    readings: dict[Measure, int] = {}
    for items, cost in islice(_cuts(words, 0, _MOST_ITEMS), _MOST_CUTS):
        letters = "".join(item.kind for item in items)
        for measure, extra in _readings(letters, items):
            if cost and measure.reps is None and measure.seconds is None:
                continue  # "for" alone is no four, "eighty for for" no 84
            readings[measure] = min(cost + extra, readings.get(measure, 99))
    return sorted(((cost, measure) for measure, cost in readings.items()), key=lambda pair: pair[0])


def _readings(letters: str, items: list[_Item]) -> Iterator[tuple[Measure, int]]:
    several = _SEVERAL.fullmatch(letters)
    if several and ("T" in letters or several["weight"]):
        weight = items[several.start("weight")] if several["weight"] else None
        reps = items[several.start("reps")].value
        yield Measure(_weight(weight) if weight else None, reps, several=True), 0
        return
    pair = _PAIR.fullmatch(letters)
    if pair:
        for load, count in (items, items[::-1]):
            yield Measure(_weight(load), count.value), 2
    for order in _ORDERS:
        match = order.fullmatch(letters)
        if match:
            said = {name: items[match.start(name)] for name, text in match.groupdict().items() if text}
            yield _measure(said, letters), 0
            if "number" in said and said["number"].clock:
                yield Measure(seconds=said["number"].clock), 0
            return


def _measure(said: dict[str, _Item], letters: str) -> Measure:
    reps = said.get("reps")
    return Measure(
        weight=_weight(said["weight"]) if "weight" in said else None,
        reps=None if reps is None else "same" if reps.kind == "R" else reps.value,
        seconds=said["seconds"].value if "seconds" in said else None,
        number=said["number"].value if "number" in said else None,
        marked=any(letter in letters for letter in "wrR"),
        crossed="x" in letters,
    )


def _weight(item: _Item) -> Weight:
    return item.weight or Weight("bare", item.value)


def _cuts(words: tuple[str, ...], at: int, room: int) -> Iterator[tuple[list[_Item], int]]:
    """Every way to cut the words from ``at`` on into at most ``room`` items."""
    if at == len(words):
        yield [], 0
        return
    for item, end, cost in _items(words, at):
        if item is None or room:
            for rest, more in _cuts(words, end, room - (item is not None)):
                yield ([item, *rest] if item else rest), cost + more


def _items(words: tuple[str, ...], at: int) -> Iterator[tuple[_Item | None, int, int]]:
    """The items that can begin here: what, where it ends, its cost. None is a word without weight."""
    word = words[at]
    if word == "of" and words[at + 1 : at + 2] == (NAME,):
        yield None, at + 1, 0  # 10 reps of bench press
    elif word == "of" and words[at - 1 : at] == ("set",):
        yield _Item("o"), at + 1, 0  # a set of 10
    else:
        for phrase, item in _BY_FIRST.get(word, ()):
            if words[at : at + len(phrase)] == phrase:
                yield item, at + len(phrase), 0
    if word == NAME or word in _FILL:
        yield None, at + 1, 0
    if word in {"four", "4", "fore"} and 0 < at < len(words) - 1:
        yield _Item("f"), at + 1, 1
    if word == "a" and words[at + 1 : at + 2] == ("minute",):
        yield from _minutes(words, 1, at + 2, 0)
    if ":" in word:
        minutes, _, seconds = word.partition(":")
        yield _Item("d", int(minutes) * 60 + int(seconds)), at + 1, 0
    if word == "bodyweight" or words[at : at + 2] == ("body", "weight"):
        yield from _loaded(words, at + (1 if word == "bodyweight" else 2))
    if word in _MORE or word in _LESS:
        yield from _changed(words, at)
    for number, end, bent in numbers(words, at):
        if bent and end == at + 1 and words[at - 1 : at] not in _COUNTING:
            continue  # "80 for to" is 80 for 2, but "to for ten" has no weight
        yield _Item("n", number, clock=_clock(words[at:end], number)), end, int(bent)
        yield from _counted(words, number, end, int(bent))


def _clock(words: tuple[str, ...], number: float) -> float | None:
    """The seconds in "one thirty", should that be a minute and a half."""
    spoken = len(words) > 1 and not words[0][0].isdigit() and not {"hundred", "thousand", "and"} & {*words}
    if not spoken or not 100 < number < 1000 or number % 100 >= 60 or number != int(number):
        return None
    return number // 100 * 60 + number % 100


def _counted(words: tuple[str, ...], number: float, end: int, cost: int) -> Iterator[tuple[_Item, int, int]]:
    """A number with the word that says what it counts."""
    unit = words[end] if end < len(words) else ""
    if unit in UNITS:
        weight = Weight("bare", number, UNITS[unit])
        yield _Item("w", weight=weight), end + 1, cost
        after = words[end + 1] if end + 1 < len(words) else ""
        if after in _AFTER_MORE or after in _AFTER_LESS:
            kind: Kind = "more" if after in _AFTER_MORE else "less"
            yield _Item("w", weight=Weight(kind, number, UNITS[unit])), end + 2, cost
    if unit in _REPS and (unit != "times" or (end + 1 == len(words) and "again" not in words)):
        yield _Item("r", number), end + 1, cost
    if unit in _PLATES:
        tails = [len(tail) for tail in _A_SIDE if words[end + 1 : end + 1 + len(tail)] == tail]
        yield _Item("w", weight=Weight("plates", number)), end + 1 + max(tails, default=0), cost
    if unit in _SECONDS:
        yield _Item("d", number), end + 1, cost
    if unit in {"hour", "hours"}:
        yield _Item("d", number * 3600), end + 1, cost
    if unit in _MINUTES:
        yield from _minutes(words, number, end + 1, cost)
    if unit in {"more", "extra", "less"} and words[end + 1 : end + 2] and words[end + 1] in UNITS:
        kind = "less" if unit == "less" else "more"
        yield _Item("w", weight=Weight(kind, number, UNITS[words[end + 1]])), end + 2, cost


def _minutes(words: tuple[str, ...], minutes: float, at: int, cost: int) -> Iterator[tuple[_Item, int, int]]:
    """ "two minutes", "two minutes and a half", "a minute thirty", "one minute and 30 seconds"."""
    yield _Item("d", minutes * 60), at, cost
    if words[at : at + 3] == ("and", "a", "half"):
        yield _Item("d", minutes * 60 + 30), at + 3, cost
    joined = at + 1 if words[at : at + 1] == ("and",) else at
    for seconds, end, bent in numbers(words, joined):
        said = end < len(words) and words[end] in _SECONDS
        if seconds < 60 and (said or joined == at):
            yield _Item("d", minutes * 60 + seconds), end + said, cost + bent


def _loaded(words: tuple[str, ...], at: int) -> Iterator[tuple[_Item, int, int]]:
    """ "bodyweight plus 10 kilos": ten kilos, on an exercise that needs none."""
    if at < len(words) and words[at] in {"plus", "and"}:
        for number, end, bent in numbers(words, at + 1):
            unit = UNITS.get(words[end]) if end < len(words) else None
            yield _Item("w", weight=Weight("bare", number, unit)), end + (unit is not None), int(bent)


def _changed(words: tuple[str, ...], at: int) -> Iterator[tuple[_Item, int, int]]:
    """ "add five kilos", "drop ten", relative; "drop to 70" is 70."""
    kind: Kind = "more" if words[at] in _MORE else "less"
    absolute = words[at + 1 : at + 2] == ("to",)
    for number, end, bent in numbers(words, at + 1 + absolute):
        if end < len(words) and words[end] in _REPS:
            continue
        middle = end < len(words) and words[end] in {"more", "extra"}
        unit = UNITS.get(words[end + middle]) if end + middle < len(words) else None
        weight = Weight("bare" if absolute else kind, number, unit)
        yield _Item("w", weight=weight), end + middle + (unit is not None), int(bent)


def is_known(word: str) -> bool:
    """Whether a word can be part of what is said of a set; any other may name an exercise."""
    return word in WORDS or is_number(word) or ":" in word
